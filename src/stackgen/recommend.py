"""From choices to a stack, with its reasons. Pure: the same choices always give the same answer."""

import itertools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from stackgen.article import DISCLOSURE, OURS, STRENGTHS, TITLES
from stackgen.choices import DOMAINS, Choices, Stack
from stackgen.notes import CAUTIONS, REASONS
from stackgen.rules import ANSWERS, LANGUAGES, PARTS, RULES, TAKE_IF, Answer, Note, Part, Rule


@dataclass(frozen=True, slots=True)
class Flip:
    """One change of one choice that would lead to another stack."""

    key: str
    old: str
    new: str
    stack: Stack


@dataclass(frozen=True, slots=True)
class PairOfFlips:
    """Two changes that lead to a stack together, where no single change does; any of the values will do."""

    first: tuple[str, tuple[str, ...]]
    second: tuple[str, tuple[str, ...]]
    stack: Stack


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The stack to use, and why. `recommended` is the rule's stack, `stack` the user's where it was overridden.

    `said` are the keys of the choices that somebody made; the others were assumed. Where a stack was named and
    nothing was said, there is no rule to speak of: `taken_when` says when the article takes that stack.
    `answers` follow from what was said, `part` is what stands beside the stack.
    """

    stack: Stack
    recommended: Stack
    rule: str
    section: str
    reasons: tuple[str, ...]
    cautions: tuple[str, ...]
    runner_up: Stack
    runner_up_reason: str
    flips: tuple[Flip, ...]
    choices: Choices
    said: tuple[str, ...] = tuple(DOMAINS)
    taken_when: tuple[str, ...] = ()
    pairs: tuple[PairOfFlips, ...] = ()
    answers: tuple[Answer, ...] = ()
    part: Part | None = None
    disclosure: tuple[str, ...] = DISCLOSURE

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
        return self.stack is not self.recommended


def recommend(
    choices: Choices, override: Stack | None = None, said: Collection[str] = tuple(DOMAINS)
) -> Recommendation:
    """Give the first matching rule's stack, or the one insisted on, with all that speaks for and against it."""
    if override and not said:
        return _by_hand(override, choices)
    rule = _match(choices)
    stack = override or rule.stack
    runner_up = rule.stack if stack is not rule.stack else _runner_up(rule, choices)
    flips = tuple(_flips(choices, rule.stack))
    return Recommendation(
        stack=stack,
        recommended=rule.stack,
        rule=rule.id,
        section=rule.section,
        reasons=(*(_marked(reason, rule.section) for reason in rule.reasons), *_notes(REASONS, rule.stack, choices)),
        cautions=tuple(_notes(CAUTIONS, stack, choices)),
        runner_up=runner_up,
        runner_up_reason=take_if(stack, runner_up),
        flips=flips,
        choices=choices,
        said=tuple(key for key in DOMAINS if key in said),
        pairs=tuple(_pairs(choices, {rule.stack, *(flip.stack for flip in flips)})),
        answers=tuple(
            a for a in ANSWERS if a.stack is stack and set(a.when.accepts) <= set(said) and a.when.holds(choices)
        ),
        part=next((part for part in PARTS if part.stack is stack and part.when.holds(choices)), None),
    )


def words(pair: PairOfFlips) -> str:
    """Give two changes as a person reads them."""
    return " and ".join(f"{key} = {' or '.join(values)}" for key, values in (pair.first, pair.second))


def because(answer: Answer, r: Recommendation) -> str:
    """Give the choices that an answer follows from, and why."""
    rests_on = " and ".join(f"{key} = {getattr(r.choices, key).value}" for key in answer.when.accepts)
    return f"{rests_on}: {answer.reason}"


def take_if(stack: Stack, other: Stack) -> str:
    """Give when the other stack is better than the first one."""
    return f"Take it if {TAKE_IF[stack, other]}."


def _by_hand(stack: Stack, choices: Choices) -> Recommendation:
    """Give what can be said of a stack when nothing is known of what is built."""
    rules = [rule for rule in RULES if rule.stack is stack and rule.section != OURS]
    return Recommendation(
        stack=stack,
        recommended=stack,
        rule="by-hand",
        section=rules[0].section,
        reasons=(f"{TITLES[stack]} {STRENGTHS[stack]}.",),
        cautions=tuple(_marked(c.text, c.section) for c in CAUTIONS if stack in c.stacks and not c.when.accepts),
        runner_up=rules[0].runner_up,
        runner_up_reason=take_if(stack, rules[0].runner_up),
        flips=(),
        choices=choices,
        said=(),
        taken_when=tuple(rule.when.words() or "nothing speaks for another stack" for rule in rules),
    )


@cache
def _match(choices: Choices) -> Rule:
    return next(rule for rule in RULES if rule.when.holds(choices))


def _marked(text: str, section: str) -> str:
    return f"{text} (ours)" if section == OURS else text


def _notes(notes: Iterable[Note], stack: Stack, choices: Choices) -> Iterator[str]:
    return (_marked(n.text, n.section) for n in notes if stack in n.stacks and n.when.holds(choices))


def _runner_up(rule: Rule, choices: Choices) -> Stack:
    home = LANGUAGES.get(choices.team)
    if home is None or home is rule.stack or _is_half_of(home, rule.stack):
        return rule.runner_up
    return home


def _is_half_of(home: Stack, stack: Stack) -> bool:
    return stack is Stack.HYBRID and home is Stack.NODE


def _with(choices: Choices, **changes: str) -> Choices:
    return replace(choices, **changes)  # type: ignore[arg-type]


def _flips(choices: Choices, stack: Stack) -> Iterator[Flip]:
    for key, domain in DOMAINS.items():
        current = getattr(choices, key)
        for value in domain:
            changed = _match(_with(choices, **{key: value})).stack
            if changed is not stack:
                yield Flip(key, current.value, value.value, changed)


def _pairs(choices: Choices, reached: Collection[Stack]) -> Iterator[PairOfFlips]:
    """Give the pairs of changes that lead to a stack which is not reached yet, those alike put together."""
    if set(Stack) <= {*reached}:
        return
    for one, two in itertools.combinations(DOMAINS, 2):
        found: dict[tuple[Stack, str], list[str]] = {}
        for first, second in itertools.product(_others(choices, one), _others(choices, two)):
            stack = _match(_with(choices, **{one: first, two: second})).stack
            if stack not in reached:
                found.setdefault((stack, first), []).append(second)
        alike: dict[tuple[Stack, tuple[str, ...]], list[str]] = {}
        for (stack, first), seconds in found.items():
            alike.setdefault((stack, tuple(seconds)), []).append(first)
        for (stack, seconds_alike), firsts in alike.items():
            yield PairOfFlips((one, tuple(firsts)), (two, seconds_alike), stack)


def _others(choices: Choices, key: str) -> list[str]:
    return [member.value for member in DOMAINS[key] if member is not getattr(choices, key)]
