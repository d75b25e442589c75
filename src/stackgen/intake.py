"""What was given for a recommendation, from every place it may come from."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stackgen import choices, keys, reading, stacks
from stackgen.errors import UsageError
from stackgen.recommend import Recommendation, recommend
from stackgen.stacks import Catalogue

if TYPE_CHECKING:
    from stackgen.prompts import Talk


class Given(dict[str, object]):
    """All that was given, and for what comes from a file the place where it stands."""

    def __init__(self, data: Mapping[str, object], places: Mapping[str, str]) -> None:
        super().__init__(data)
        self.places = places


def gather(answers: str | None, data: Iterable[str] | None, **flags: str | None) -> Given:
    """Give all that was given: the answers file, then --data, then flags, the later the stronger."""
    read, places = _read(answers) if answers else ({}, {})
    said: dict[str, object] = dict(choices.pair(text) for text in data or ())
    said |= {key: value for key, value in flags.items() if value is not None}
    return Given(read | said, {key: place for key, place in places.items() if key not in said})


def _read(file: str) -> tuple[dict[str, object], dict[str, str]]:
    text, origin = reading.read(file)
    found, lines = reading.mapping(text, origin)
    return found, {key: f"{origin}, line {line}" for key, line in lines.items()}


@contextmanager
def located(given: Mapping[str, object]) -> Iterator[None]:
    """Say of a value that is refused where in the answers file it stands."""
    try:
        yield
    except UsageError as error:
        places = given.places if isinstance(given, Given) else {}
        place = next((p for key, p in places.items() if error.message.startswith((f"{key}: ", f"{key} does"))), "")
        if not place:
            raise
        raise UsageError(f"{place}: {error.message}", error.hint, error.details) from error


def catalogue_of(template: str | None) -> Catalogue:
    """Give the stacks of a template; our own are known without looking for any."""
    if not template:
        return stacks.own()
    from stackgen import questions, source  # a reader of YAML, and git

    folder = source.find(template, os.environ).questions
    return stacks.of(folder, questions.read(folder).stacks())


def advise(given: Mapping[str, object], catalogue: Catalogue, talk: "Talk | None" = None) -> Recommendation:
    """Recommend a stack for what was given, asking for missing choices where there is somebody to ask."""
    deciding, insisted, _ = choices.split(given)
    override = None if insisted is None else catalogue.named(insisted)
    made = choices.parse(deciding)
    if talk:
        deciding = talk.ask_choices(deciding)
        made = choices.parse(deciding)
    return recommend(made, override, tuple(deciding), catalogue)


def converse(given: Mapping[str, object], catalogue: Catalogue) -> Recommendation:
    """Recommend a stack after asking a person for the choices that were not given."""
    from stackgen import prompts  # questionary is slow to import

    talk = prompts.Talk()
    with keys.kept():
        return talk.hold(lambda: advise(given, catalogue, talk))
