"""What a stack's record is made of: JSON, each part of the shape that is expected, or a fault that names it."""

from stackgen.choices import suggest


class FaultError(Exception):
    """What is wrong with a record."""


def mapping(data: object, what: str, known: set[str] | None = None) -> dict[str, object]:
    """Give an object of JSON; raises `FaultError` for anything else and, where they are known, for another key."""
    if not isinstance(data, dict):
        raise FaultError(f"{what} is not an object")
    for key in data:
        if known is not None and key not in known:
            raise FaultError(
                f"{what} has no {key[:40]!r}; {suggest(key, known) or 'known: ' + ', '.join(sorted(known))}"
            )
    return data


def items(data: object, what: str) -> list[object]:
    """Give a list of JSON; raises `FaultError` for anything else."""
    if not isinstance(data, list):
        raise FaultError(f"{what} is not a list")
    return data


def texts(data: object, what: str) -> tuple[str, ...]:
    """Give a list of texts; raises `FaultError` for anything else."""
    return tuple(text(item, what) for item in items(data, what))


def text(data: object, what: str) -> str:
    """Give a text that says something; raises `FaultError` for anything else."""
    if not isinstance(data, str) or not data.strip():
        raise FaultError(f"{what} is not a text")
    return data
