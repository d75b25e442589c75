"""From choices to a stack, with its reasons. Pure: the same choices always give the same answer."""

import itertools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from stackgen import stacks
from stackgen.article import COMPANYS, DISCLOSURE, OURS
from stackgen.choices import DOMAINS, Choices, Stack
from stackgen.notes import REASONS
from stackgen.rules import ANSWERS, LANGUAGES, PARTS, Answer, Note, Part, Rule
from stackgen.stacks import Catalogue

NO_RULE = "somebody chooses it by hand: no rule takes it"


@dataclass(frozen=True, slots=True)
class Flip:
    """One change of one choice that would lead to another stack."""

    key: str
    old: str
    new: str
    stack: str


@dataclass(frozen=True, slots=True)
class PairOfFlips:
    """Two changes that lead to a stack together, where no single change does; any of the values will do."""

    first: tuple[str, tuple[str, ...]]
    second: tuple[str, tuple[str, ...]]
    stack: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The stack to use, and why. `recommended` is the rule's stack, `stack` the user's where it was overridden.

    `said` are the keys of the choices that somebody made; the others were assumed. Where a stack was named and
    nothing was said, there is no rule to speak of: `taken_when` says when the article takes that stack.
    `answers` follow from what was said, `part` is what stands beside the stack. `company`: the rule is a company's own.
    """

    stack: str
    recommended: str
    rule: str
    section: str
    reasons: tuple[str, ...]
    cautions: tuple[str, ...]
    runner_up: str
    runner_up_reason: str
    flips: tuple[Flip, ...]
    choices: Choices
    catalogue: Catalogue
    said: tuple[str, ...] = tuple(DOMAINS)
    taken_when: tuple[str, ...] = ()
    pairs: tuple[PairOfFlips, ...] = ()
    answers: tuple[Answer, ...] = ()
    part: Part | None = None
    disclosure: tuple[str, ...] = DISCLOSURE
    company: bool = False

    @property
    def by_hand(self) -> bool:
        """Whether the stack was named, and nothing was said that a recommendation could rest on."""
        return bool(self.taken_when)

    @property
    def assumed(self) -> tuple[str, ...]:
        """The keys of the choices that nobody made."""
        return tuple(key for key in DOMAINS if key not in self.said)

    @property
    def overridden(self) -> bool:
        """Whether the user insisted on another stack than the rules pick."""
        return self.stack != self.recommended


def recommend(
    choices: Choices,
    override: str | None = None,
    said: Collection[str] = tuple(DOMAINS),
    catalogue: Catalogue | None = None,
) -> Recommendation:
    """Give the first matching rule's stack, or the one insisted on, with all that speaks for and against it.

    Without a catalogue, the stacks are our own.
    """
    catalogue = catalogue or stacks.own()
    if override and not said:
        return _by_hand(override, choices, catalogue)
    rule = catalogue.match(choices)
    stack = override or rule.stack
    runner_up = rule.stack if stack != rule.stack else _runner_up(rule, choices)
    flips = tuple(_flips(choices, rule.stack, catalogue))
    return Recommendation(
        stack=stack,
        recommended=rule.stack,
        rule=rule.id,
        section=rule.section,
        reasons=(*(_marked(reason, rule) for reason in rule.reasons), *_notes(REASONS, rule.stack, choices)),
        cautions=tuple(_notes(catalogue.cautions, stack, choices)),
        runner_up=runner_up,
        runner_up_reason=_instead(stack, runner_up, rule, catalogue),
        flips=flips,
        choices=choices,
        catalogue=catalogue,
        disclosure=_disclosure(catalogue),
        company=rule.company,
        said=tuple(key for key in DOMAINS if key in said),
        pairs=tuple(_pairs(choices, {rule.stack, *(flip.stack for flip in flips)}, catalogue)),
        answers=tuple(
            a for a in ANSWERS if a.stack == stack and set(a.when.accepts) <= set(said) and a.when.holds(choices)
        ),
        part=next((part for part in PARTS if part.stack == stack and part.when.holds(choices)), None),
    )


def words(pair: PairOfFlips) -> str:
    """Give two changes as a person reads them."""
    return ", and ".join(f"{key} = {' or '.join(values)}" for key, values in (pair.first, pair.second))


def because(answer: Answer, r: Recommendation) -> str:
    """Give the choices that an answer follows from, and why."""
    rests_on = " and ".join(f"{key} = {getattr(r.choices, key).value}" for key in answer.when.accepts)
    return f"{rests_on}: {answer.reason}"


def _by_hand(stack: str, choices: Choices, catalogue: Catalogue) -> Recommendation:
    """Give what can be said of a stack when nothing is known of what is built."""
    rules = [rule for rule in catalogue.rules if rule.stack == stack and (rule.section != OURS or rule.company)]
    rule = rules[0] if rules else catalogue.rules[-1]
    runner_up = rule.runner_up if rules else rule.stack
    return Recommendation(
        stack=stack,
        recommended=stack,
        rule="by-hand",
        section=next((rule.section for rule in rules if rule.section), OURS),
        reasons=(catalogue.record(stack).praise,),
        cautions=tuple(_marked(c.text, c) for c in catalogue.cautions if stack in c.stacks and not c.when.accepts),
        runner_up=runner_up,
        runner_up_reason=_instead(stack, runner_up, rule, catalogue),
        flips=(),
        choices=choices,
        catalogue=catalogue,
        disclosure=_disclosure(catalogue),
        said=(),
        taken_when=tuple(rule.when.words() or "nothing speaks for another stack" for rule in rules) or (NO_RULE,),
    )


def _disclosure(catalogue: Catalogue) -> tuple[str, ...]:
    company = any(rule.company for rule in catalogue.rules) or any(note.company for note in catalogue.cautions)
    return (*DISCLOSURE, COMPANYS) if company else DISCLOSURE


def _marked(text: str, source: Rule | Note) -> str:
    if source.company:
        return f"{text} (the company's)"
    return f"{text} (ours)" if source.section == OURS else text


def _notes(notes: Iterable[Note], stack: str, choices: Choices) -> Iterator[str]:
    return (_marked(note.text, note) for note in notes if note.holds(stack, choices))


def _runner_up(rule: Rule, choices: Choices) -> str:
    home = LANGUAGES.get(choices.team)
    if home is None or rule.company or home == rule.stack or _is_half_of(home, rule.stack):
        return rule.runner_up
    return home


def _instead(stack: str, runner_up: str, rule: Rule, catalogue: Catalogue) -> str:
    """Give when the runner-up is better, in the words of the rule where it has some for these two."""
    if rule.take_if and (stack, runner_up) == (rule.stack, rule.runner_up):
        return _marked(f"Take it if {rule.take_if}.", rule)
    return catalogue.take_if(stack, runner_up)


def _is_half_of(home: str, stack: str) -> bool:
    return stack == Stack.HYBRID and home == Stack.NODE


def _with(choices: Choices, **changes: str) -> Choices:
    return replace(choices, **changes)  # type: ignore[arg-type]


def _flips(choices: Choices, stack: str, catalogue: Catalogue) -> Iterator[Flip]:
    for key, domain in DOMAINS.items():
        current = getattr(choices, key)
        for value in domain:
            changed = catalogue.match(_with(choices, **{key: value})).stack
            if changed != stack:
                yield Flip(key, current.value, value.value, changed)


def _pairs(choices: Choices, reached: Collection[str], catalogue: Catalogue) -> Iterator[PairOfFlips]:
    """Give the pairs of changes that lead to a stack which is not reached yet, those alike put together."""
    if {rule.stack for rule in catalogue.rules} <= {*reached}:
        return
    for one, two in itertools.combinations(DOMAINS, 2):
        found: dict[tuple[str, str], list[str]] = {}
        for first, second in itertools.product(_others(choices, one), _others(choices, two)):
            stack = catalogue.match(_with(choices, **{one: first, two: second})).stack
            if stack not in reached:
                found.setdefault((stack, first), []).append(second)
        alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for (stack, first), seconds in found.items():
            alike.setdefault((stack, tuple(seconds)), []).append(first)
        for (stack, seconds_alike), firsts in alike.items():
            yield PairOfFlips((one, tuple(firsts)), (two, seconds_alike), stack)


def _others(choices: Choices, key: str) -> list[str]:
    return [member.value for member in DOMAINS[key] if member is not getattr(choices, key)]
