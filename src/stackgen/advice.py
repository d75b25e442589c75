"""A recommendation as text for people, as JSON data, and as the commands that follow it."""

import shlex
from collections.abc import Iterator

from stackgen import decision, layout, stacks
from stackgen.layout import Style, bullets, wrapped
from stackgen.recommend import Recommendation, because, words

EXAMPLE = "my-app"
"""The name of a project that has none yet."""


def one_line(r: Recommendation, style: Style) -> str:
    """Give the pick in one line."""
    return style.bold(named(r.stack, r.catalogue.title(r.stack), style))


def named(stack: str, title: str, style: Style) -> str:
    """Give a stack's name in its colour, and what it is behind it."""
    return wrapped(f"{stack}  {title}", style).replace(stack, style.accent(stack), 1)


def data(r: Recommendation, template: str | None = None, name: str = EXAMPLE) -> dict[str, object]:
    """Give the recommendation as JSON data; `name` is the project's."""
    part = {"text": r.part.text, "command": part_command(r, name, template)} if r.part else None
    return {**decision.data(r), "part": part}


def text(r: Recommendation, style: Style) -> str:
    """Give the recommendation as a person reads it."""
    return "\n".join(_recommendation_lines(r, style))


def _recommendation_lines(r: Recommendation, style: Style) -> Iterator[str]:
    yield one_line(r, style)
    if r.stack not in r.catalogue.records:
        yield from bullets([f"This template does not offer it, only {', '.join(r.catalogue.records)}."], style, "!")
    if r.by_hand:
        yield from _by_hand_lines(r, style)
        return
    yield from bullets(_basis(r), style, "·")
    source = f"article: {r.section}" if r.section else ("the company's" if r.company else "ours, not the article's")
    if r.overridden:
        picker = "The article" if r.section else f"{_whose(r)} rules"
        yield from bullets([f"Chosen by you. {picker} would pick {r.recommended}, because:"], style, "!")
    yield ""
    yield style.bold(wrapped(f"Why ({r.rule}; {source})", style))
    yield from bullets(r.reasons, style)
    yield from _consequences(r, style)
    yield from _cautions(r, style)
    yield style.bold("Runner-up")
    yield from bullets([f"{r.runner_up}: {r.runner_up_reason}"], style)
    yield style.bold("What would change the pick")
    yield from bullets(flip_lines(r), style)
    yield from _origin(r, style)


def _cautions(r: Recommendation, style: Style) -> Iterator[str]:
    if r.cautions:
        yield style.bold("Mind")
        yield from bullets(r.cautions, style)


def _whose(r: Recommendation) -> str:
    return "The company's" if r.company else "Our"


def _consequences(r: Recommendation, style: Style) -> Iterator[str]:
    """Give what follows from the choices beside the stack: answers to its questions, and a second part."""
    if r.answers:
        yield style.bold("What follows, unless you say otherwise")
        yield from bullets((f"{a.key} = {a.spoken}, because {because(a, r)}" for a in r.answers), style)
    if r.part:
        yield style.bold("The part of another kind")
        yield from bullets([r.part.text], style)


def _by_hand_lines(r: Recommendation, style: Style) -> Iterator[str]:
    """Give what can be said of a stack that was named without a word about what is built."""
    yield from bullets(["Chosen by hand: nothing was said of what is built, so nothing is recommended."], style, "!")
    yield ""
    yield style.bold("What speaks for it")
    yield from bullets(r.reasons, style)
    title = f"When the article takes it ({r.section})" if r.section else "When this template's rules take it"
    yield style.bold(wrapped(title, style))
    yield from bullets(r.taken_when, style)
    yield from _cautions(r, style)
    yield from _origin(r, style)


def _origin(r: Recommendation, style: Style) -> Iterator[str]:
    """Give where all this comes from, and what the template holds that had no say in it."""
    yield style.bold("Where this comes from")
    unheard = (f"{name} has no say here: {stacks.how_to_offer(name)}." for name in r.catalogue.idle)
    yield from bullets((*r.disclosure, *unheard), style)


def _basis(r: Recommendation) -> Iterator[str]:
    """Give what the recommendation rests on: what was said, and what was only assumed."""
    for title, keys in (("Said", r.said), ("Assumed", r.assumed)):
        if keys:
            yield f"{title}: {', '.join(f'{key} = {getattr(r.choices, key).value}' for key in keys)}"


def command(r: Recommendation, template: str | None) -> str | None:
    """Give the command that would generate what is recommended, from the template that was asked for, if that can."""
    if r.stack not in r.catalogue.records:
        return None
    flags = [word for key in r.said for word in (f"--{key}", getattr(r.choices, key).value)]
    flags += ["--stack", r.stack] if r.overridden or r.by_hand else []
    return shlex.join(["stackgen", "new", EXAMPLE, *flags, *_from(template)])


def follow_up(r: Recommendation, template: str | None, style: Style) -> str:
    """Give the commands that would generate what is recommended, as a person reads them; nothing where none would."""
    if (line := command(r, template)) is None:
        return ""
    lines = [style.bold("To generate it"), layout.command(line, style)]
    return "\n".join([*lines, *part_lines(r, EXAMPLE, template, style)])


def part_lines(r: Recommendation, name: str, template: str | None, style: Style) -> list[str]:
    """Give the command for the part that stands beside the stack, if there is one."""
    if r.part is None:
        return []
    title = wrapped("And the part beside it, when it needs one", style)
    return ["", style.bold(title), layout.command(part_command(r, name, template), style)]


def part_command(r: Recommendation, name: str, template: str | None = None) -> str:
    """Give the command that generates the part that stands beside the stack."""
    if r.part is None:
        return ""
    flags = [word for key, value in r.part.choices.items() for word in (f"--{key}", value)]
    return shlex.join(["stackgen", "new", f"{name}-{r.part.name}", *flags, *_from(template)])


def _from(template: str | None) -> list[str]:
    return ["--template", template] if template else []


def flip_lines(r: Recommendation) -> list[str]:
    """Give one line for each choice and stack that a single change would lead to, and the pairs where none does."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for flip in r.flips:
        grouped.setdefault((flip.key, flip.stack), []).append(flip.new)
    lines = [f"{key} = {' or '.join(values)} → {stack}" for (key, stack), values in grouped.items()]
    lines += [f"{words(pair)} → {pair.stack}" for pair in r.pairs]
    return lines or ["no change of one or two choices would"]
