"""When it is time again, as in a crontab: `Cron("30 3 * * 1-5")` is half past three, from Monday to Friday."""

from datetime import UTC, datetime, timedelta

YEARS = 8  # from one 29th of February to the next, at the longest


class Cron:
    """Minute, hour, day, month and weekday, in UTC: each is `*`, a number, `1-5` or `*/15`, or several with commas.

    Sunday is 0 or 7. Where both day and weekday are given, either will do, as everywhere.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            minute, hour, day, month, weekday = text.split()
            self.minutes, self.hours = _numbers(minute, 0, 59), _numbers(hour, 0, 23)
            self.days, self.months = _numbers(day, 1, 31), _numbers(month, 1, 12)
            self.weekdays = {number % 7 for number in _numbers(weekday, 0, 7)}
        except ValueError:
            msg = f"{text!r} is not of the form: minute hour day month weekday, as in '30 3 * * 1-5'"
            raise ValueError(msg) from None
        self.either = "*" not in (day[0], weekday[0])
        self.after(datetime(2000, 3, 1, tzinfo=UTC))

    def __repr__(self) -> str:
        return f"Cron({self.text!r})"

    def after(self, moment: datetime) -> datetime:
        """Give the first time that is later."""
        at = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        while at.year <= moment.year + YEARS:
            if at.month not in self.months:
                at = (at.replace(day=1, hour=0, minute=0) + timedelta(days=32)).replace(day=1)
            elif not self._is_day(at):
                at = at.replace(hour=0, minute=0) + timedelta(days=1)
            elif at.hour not in self.hours:
                at = at.replace(minute=0) + timedelta(hours=1)
            elif at.minute not in self.minutes:
                at += timedelta(minutes=1)
            else:
                return at
        msg = f"{self.text!r} never comes"
        raise ValueError(msg)

    def _is_day(self, at: datetime) -> bool:
        fits = (at.day in self.days, at.isoweekday() % 7 in self.weekdays)
        return any(fits) if self.either else all(fits)


def _numbers(field: str, least: int, most: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, _, high = (f"{least}-{most}" if span == "*" else span).partition("-")
        first, last, by = int(low), int(high or (most if step else low)), int(step or 1)
        if not (least <= first <= last <= most and by > 0):
            raise ValueError
        found.update(range(first, last + 1, by))
    return found
