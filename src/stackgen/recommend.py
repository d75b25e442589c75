"""From choices to a stack, with its reasons. Pure: the same choices always give the same answer."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from stackgen.article import CAUTIONS, LANGUAGES, RULES, STRENGTHS, TITLES, Rule
from stackgen.choices import DOMAINS, Choices, Stack


@dataclass(frozen=True, slots=True)
class Flip:
    """One change of one choice that would lead to another stack."""

    key: str
    old: str
    new: str
    stack: Stack


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The stack to use, and why. `recommended` is the rule's stack, `stack` the user's where it was overridden.

    `said` are the keys of the choices that somebody made; the others were assumed. Where a stack was named and
    nothing was said, there is no rule to speak of: `taken_when` says when the article takes that stack.
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
    return Recommendation(
        stack=stack,
        recommended=rule.stack,
        rule=rule.id,
        section=rule.section,
        reasons=rule.reasons,
        cautions=tuple(c.text for c in CAUTIONS if stack in c.stacks and c.when.holds(choices)),
        runner_up=runner_up,
        runner_up_reason=f"{TITLES[runner_up]} {STRENGTHS[runner_up]}.",
        flips=tuple(_flips(choices, rule.stack)),
        choices=choices,
        said=tuple(key for key in DOMAINS if key in said),
    )


def _by_hand(stack: Stack, choices: Choices) -> Recommendation:
    """Give what can be said of a stack when nothing is known of what is built."""
    rules = [rule for rule in RULES if rule.stack is stack]
    runner_up = rules[0].runner_up
    return Recommendation(
        stack=stack,
        recommended=stack,
        rule="by-hand",
        section=rules[0].section,
        reasons=(f"{TITLES[stack]} {STRENGTHS[stack]}.",),
        cautions=tuple(c.text for c in CAUTIONS if stack in c.stacks and not c.when.accepts),
        runner_up=runner_up,
        runner_up_reason=f"{TITLES[runner_up]} {STRENGTHS[runner_up]}.",
        flips=(),
        choices=choices,
        said=(),
        taken_when=tuple(rule.when.words() or "nothing speaks for another stack" for rule in rules),
    )


def _match(choices: Choices) -> Rule:
    return next(rule for rule in RULES if rule.when.holds(choices))


def _runner_up(rule: Rule, choices: Choices) -> Stack:
    home = LANGUAGES.get(choices.team)
    if home is None or home is rule.stack or _is_half_of(home, rule.stack):
        return rule.runner_up
    return home


def _is_half_of(home: Stack, stack: Stack) -> bool:
    return stack is Stack.HYBRID and home is Stack.NODE


def _flips(choices: Choices, stack: Stack) -> Iterator[Flip]:
    for key, domain in DOMAINS.items():
        current = getattr(choices, key)
        for value in domain:
            changed = _match(replace(choices, **{key: value})).stack  # type: ignore[arg-type]
            if changed is not stack:
                yield Flip(key, current.value, value.value, changed)
