"""What is known of each stack: one record, which lives in its folder of the template, so a fork's stack needs no code.

Records are JSON, since `recommend` starts in half the time without a reader of YAML.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from stackgen import reading
from stackgen.choices import DOMAINS, STACKS, Choices, suggest
from stackgen.errors import SourceError, UsageError
from stackgen.notes import CAUTIONS
from stackgen.rules import RULES, TAKE_IF, Condition, Note, Rule
from stackgen.shapes import FaultError, items, mapping, text, texts
from stackgen.steps import NO_PROOF, Proof, proof

RECORD = "stack.json"
_PACKAGE = Path(__file__).parent
_TEXTS = ("title", "strength", "take_if")
_LISTS = ("contents", "commands")
_KEYS = {"place", "tools", "rules", "cautions", "verify", *_TEXTS, *_LISTS}
_OF_A_RULE = {"id", "when", "reasons", "runner_up"}
_LAST = 100
_TOOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_VERSION = re.compile(r"\d+(\.\d+)*")


@dataclass(frozen=True, slots=True)
class Record:
    """One stack: what it is called, what speaks for it and what it holds, its tools with the oldest version that does.

    `rules` and `cautions` are a company's own; ours are in the decision table.
    """

    name: str
    title: str
    strength: str = ""
    take_if: str = ""
    contents: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    tools: tuple[tuple[str, str], ...] = ()
    rules: tuple[Rule, ...] = ()
    cautions: tuple[Note, ...] = ()
    place: int = _LAST
    proof: Proof = NO_PROOF

    @property
    def praise(self) -> str:
        """What speaks for it, as a sentence."""
        return f"{self.title} {self.strength}." if self.strength else f"{self.title}."


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The stacks of one template by their names, and the rules: a company's own come before ours.

    `idle` are stacks of its own that it describes, and that its copier.yml does not offer.
    """

    records: Mapping[str, Record]
    rules: tuple[Rule, ...] = RULES
    cautions: tuple[Note, ...] = CAUTIONS
    idle: Mapping[str, Record] = field(default_factory=dict)
    _found: dict[Choices, Rule] = field(default_factory=dict, compare=False, repr=False)

    def match(self, choices: Choices) -> Rule:
        """Give the first rule that holds."""
        if choices not in self._found:
            self._found[choices] = next(rule for rule in self.rules if rule.when.holds(choices))
        return self._found[choices]

    def record(self, stack: str) -> Record:
        """Give a stack's record; of one without a record only its name is known."""
        return self.records.get(stack) or own().records.get(stack) or Record(stack, stack)

    def title(self, stack: str) -> str:
        """Give what a stack is called."""
        return self.record(stack).title

    def take_if(self, stack: str, other: str) -> str:
        """Give when the other stack is better than the first one."""
        ours = own().records.get(other)
        reason = TAKE_IF.get((stack, other)) or self.record(other).take_if or (ours.take_if if ours else "")
        reason = reason or next((words for r in self.rules if r.stack == other and (words := r.when.words())), "")
        return f"Take it if {reason}." if reason else self.record(other).praise

    def named(self, value: object) -> str:
        """Give the stack called `value`; raises `UsageError` when there is none."""
        if isinstance(value, str) and (value in self.records or value in STACKS):
            return value
        raise self.unknown(value)

    def unknown(self, value: object) -> UsageError:
        """Give the refusal of a stack that is none of the template's."""
        hint = how_to_offer(value) if value in self.idle else suggest(str(value), self.records, "stack")
        return UsageError(f"stack: {repr(value)[:80]} is not one of {', '.join(self.records)}", hint)


def how_to_offer(stack: object) -> str:
    """Give what is to be done with a stack that a template describes and does not offer."""
    return f"add {stack} to the choices of `stack` in the template's copier.yml"


@cache
def own() -> Catalogue:
    """Give the stacks that this release of stackgen brings along."""
    packed = _PACKAGE / "_template"
    return _catalogue(_records(packed if packed.is_dir() else _PACKAGE.parents[1]))


def of(folder: Path, offered: Iterable[str]) -> Catalogue:
    """Give the stacks that the template in `folder` offers; one of ours that has no record there has ours."""
    there, ours = _records(folder), own().records
    known = {name: there.get(name) or ours.get(name) or Record(name, name) for name in offered}
    return _catalogue(known, {name: record for name, record in there.items() if name not in {*known, *ours}})


def _catalogue(records: Mapping[str, Record], idle: Mapping[str, Record] | None = None) -> Catalogue:
    ordered = dict(sorted(records.items(), key=lambda item: (item[1].place, item[0])))
    rules = tuple(rule for record in ordered.values() for rule in record.rules)
    for rule in rules:
        if rule.runner_up not in {*ordered, *STACKS} or rule.runner_up == rule.stack:
            raise SourceError(
                f"the rule {rule.id!r} of {rule.stack} has {rule.runner_up!r} for a runner-up, no other stack"
            )
    cautions = tuple(caution for record in ordered.values() for caution in record.cautions)
    return Catalogue(ordered, (*rules, *RULES), (*CAUTIONS, *cautions), idle or {})


def _records(folder: Path) -> dict[str, Record]:
    found = sorted(folder.glob(f"templates/*/{RECORD}"))
    return {path.parent.name: _read(path.parent.name, path) for path in found}


def _read(name: str, path: Path) -> Record:
    place = f"templates/{name}/{RECORD} of the template"
    try:
        data = json.loads(reading.content(path))
    except (ValueError, RecursionError, OSError) as error:
        raise SourceError(f"{place} cannot be read: {str(error).splitlines()[0]}") from error
    try:
        return _record(name, data)
    except FaultError as error:
        raise SourceError(f"{place}: {error}") from error


def _record(name: str, data: object) -> Record:
    content = mapping(data, "the record", _KEYS)
    if "title" not in content:
        raise FaultError("title is missing")
    said = {key: text(content[key], key) for key in _TEXTS if key in content}
    lists = {key: texts(content.get(key, []), key) for key in _LISTS}
    place = content.get("place", _LAST)
    if not isinstance(place, int):
        raise FaultError("place is not a whole number")
    return Record(
        name=name,
        title=said["title"],
        strength=said.get("strength", ""),
        take_if=said.get("take_if", ""),
        contents=lists["contents"],
        commands=lists["commands"],
        tools=tuple(_tool(*item) for item in mapping(content.get("tools", {}), "tools").items()),
        rules=tuple(_rule(name, item) for item in items(content.get("rules", []), "rules")),
        cautions=tuple(_caution(name, item) for item in items(content.get("cautions", []), "cautions")),
        place=place,
        proof=proof(content.get("verify", {})),
    )


def _tool(tool: str, oldest: object) -> tuple[str, str]:
    if not _TOOL.fullmatch(tool):
        raise FaultError(f"tools: {tool[:40]!r} is not the name of a program")
    if not isinstance(oldest, str) or not _VERSION.fullmatch(oldest):
        raise FaultError(f'tools: {tool} needs a version such as "1.26"')
    return tool, oldest


def _rule(stack: str, data: object) -> Rule:
    content = mapping(data, "a rule", {*_OF_A_RULE, "take_if"})
    if missing := _OF_A_RULE - content.keys():
        raise FaultError(f"a rule lacks {', '.join(sorted(missing))}")
    return Rule(
        id=text(content["id"], "a rule's id"),
        when=_condition(content["when"]),
        stack=stack,
        reasons=texts(content["reasons"], "a rule's reasons"),
        runner_up=text(content["runner_up"], "a rule's runner_up"),
        section="",
        company=True,
        take_if=text(content["take_if"], "a rule's take_if") if "take_if" in content else "",
    )


def _caution(stack: str, data: object) -> Note:
    content = mapping(data, "a caution", {"when", "text"})
    condition = _condition(content.get("when", {}))
    return Note((stack,), condition, text(content.get("text"), "a caution's text"), company=True)


def _condition(data: object) -> Condition:
    accepts = {}
    for key, values in mapping(data, "when", set(DOMAINS)).items():
        accepts[key] = texts(values, f"when: {key}")
        known = [member.value for member in DOMAINS[key]]
        for value in accepts[key]:
            if value not in known:
                raise FaultError(f"when: {key} has no {value[:40]!r}, only {', '.join(known)}")
    return Condition(accepts)
