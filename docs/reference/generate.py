"""Writes the reference pages that are derived from the code: `uv run docs/reference/generate.py`.

A test compares them with what stands here, so they cannot fall behind.
"""

import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from stackgen import choices, questions, stacks
from stackgen.article import DISCLOSURE
from stackgen.choices import DOMAINS, EXPLANATIONS, LABELS, MEANINGS, Choices, spoken
from stackgen.cli import app
from stackgen.conditions import ABSENT, Cases
from stackgen.notes import REASONS
from stackgen.questionnaire import options
from stackgen.questions import Question, Questions
from stackgen.recommend import Recommendation, recommend
from stackgen.rules import ANSWERS, PARTS, Condition, Note, Rule

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OURS = stacks.own()
COMPANY = "(the company's)"
NOTE = "<!-- Written by docs/reference/generate.py; do not edit. -->\n"


def pages() -> dict[str, str]:
    """Give every derived page by its file name."""
    asked = questions.read(ROOT)
    return {
        "commands.md": NOTE + "\n".join(_commands()),
        "descriptions.md": NOTE + "\n".join(_descriptions()),
        "questions.md": NOTE + "\n".join(_questions(asked)),
        "rules.md": NOTE + "\n".join(_rules()),
    }


def _commands() -> Iterator[str]:
    yield "# Commands\n"
    for command in ((), *((each.callback.__name__,) for each in app.registered_commands if each.callback)):
        yield f"## stackgen {' '.join(command)}\n".replace(" \n", "\n")
        yield f"```text\n{_help(command)}\n```\n"
    yield "Shell completion: `stackgen --install-completion`."
    yield "Colours appear on a terminal only, and never with `NO_COLOR`.\n"


def _help(command: tuple[str, ...]) -> str:
    environment = {"COLUMNS": "100", "TERM": "dumb", "PATH": "", "PYTHONUTF8": "1"}
    script = [sys.executable, "-m", "stackgen", *command, "--help"]
    done = subprocess.run(script, check=True, capture_output=True, text=True, env=environment)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def _questions(asked: Questions) -> Iterator[str]:
    yield "# Choices and questions\n"
    yield "Every key may be given as `--data key=value`, in an answers file, or at the prompt.\n"
    yield "## Choices\n"
    yield "They decide the recommendation, and are flags of their own too (`--product web`).\n"
    for key, domain in DOMAINS.items():
        default = getattr(Choices(), key).value
        yield f"### `{key}`\n\n{MEANINGS[key]}\n"
        yield from _values((m.value, LABELS[m.value], EXPLANATIONS[m.value]) for m in domain)
        yield f"\nDefault: `{default}`.\n"
    yield "## Questions of every stack\n"
    common = [q for q in asked.asked(asked.stacks()[0]) if _is_common(asked, q)]
    yield from (_question(question) for question in common)
    for stack in asked.stacks():
        own = [found for found in asked.cases(stack) if found.asked and found.question not in common]
        yield f"## Questions of {stack}\n"
        yield "\n".join(map(_own_question, own)) if own else "None beyond those above.\n"
        if retired := asked.retired(stack):
            yield "No longer asked, but accepted, and kept where a project has recorded them:\n"
            yield "\n".join(map(_question, retired))


def _is_common(asked: Questions, question: Question) -> bool:
    return all(question in asked.asked(stack) for stack in asked.stacks())


def _own_question(found: Cases) -> str:
    text = _question(found.question)
    off = [case for case in found.rows if not case.step]
    if not off or not found.complete:
        return text
    parts = [f"`{key}` is {_either(case.given[key] for case in off)}" for key in found.keys if _decides(found, key)]
    return f"{text}\nNot asked where {' and '.join(parts)}.\n"


def _decides(found: Cases, key: str) -> bool:
    """Tell whether only some values of a key switch the question off."""
    off = {repr(case.given[key]) for case in found.rows if not case.step}
    return off < {repr(case.given[key]) for case in found.rows}


def _either(values: Iterable[object]) -> str:
    return " or ".join(f"`{spoken(value)}`" for value in dict.fromkeys(values) if value is not ABSENT)


def _question(question: Question) -> str:
    lines = [f"### `{question.key}`\n\n{question.help}\n"]
    if question.choices:
        lines += [*_values((o.value, o.label, o.explanation) for o in options(question.choices)), ""]
    if question.type == "bool":
        lines += ["`true` or `false`.\n"]
    lines += ["Required.\n" if question.required else _default(question)]
    return "\n".join(lines)


def _default(question: Question) -> str:
    return "Default: empty.\n" if question.default == "" else f"Default: `{_shown(question.default)}`.\n"


def _shown(default: object) -> str:
    return " ".join(spoken(default).replace("[=", "{").replace("=]", "}").split())


def _values(rows: Iterable[tuple[object, str, str]]) -> Iterator[str]:
    yield "| value | meaning | |\n|---|---|---|"
    for value, label, explanation in rows:
        yield f"| `{value}` | {label} | {explanation} |"


def _rules() -> Iterator[str]:
    yield "# The rules\n"
    yield "The first rule whose condition holds names the stack; the last one always holds. `--stack` overrides it.\n"
    yield " ".join(DISCLOSURE) + "\n"
    yield "| rule | when | stack | section of the article |\n|---|---|---|---|"
    for rule in OURS.rules:
        yield f"| `{rule.id}` | {_condition(rule.when)} | `{rule.stack}` | {rule.section or _whose(rule)} |"
    yield "\n## Reasons\n"
    for rule in OURS.rules:
        yield f"### `{rule.id}`\n"
        yield from (f"- {reason}{f' {COMPANY}' if rule.company else ''}" for reason in rule.reasons)
        yield ""
    yield from _noted("More reasons", REASONS)
    yield from _noted("Cautions", OURS.cautions)
    yield "## Answers that follow from choices\n"
    yield "They stand in for the default of a question, where the choices were said and not assumed.\n"
    yield "| stack | when | answer | why |\n|---|---|---|---|"
    for answer in ANSWERS:
        given = f"`{answer.key}` = `{answer.spoken}`"
        yield f"| `{answer.stack}` | {_condition(answer.when)} | {given} | {answer.reason} |"
    yield "\n## A part beside the stack\n"
    for part in PARTS:
        yield f"- `{part.stack}`, {_condition(part.when)}: {part.text}"
    yield "\n## The stack, and another\n"
    yield "| stack | instead | |\n|---|---|---|"
    for stack, other in itertools.permutations(OURS.records, 2):
        yield f"| `{stack}` | `{other}` | {OURS.take_if(stack, other)} |"


def _whose(entry: Rule | Note) -> str:
    return COMPANY if entry.company else "(ours)"


def _noted(title: str, notes: Iterable[Note]) -> Iterator[str]:
    yield f"## {title}\n"
    for stack in OURS.records:
        yield f"### `{stack}`: {OURS.title(stack)}\n"
        for note in notes:
            if not note.stacks or stack in note.stacks:
                yield f"- {_condition(note.when)}: {note.text}{'' if note.section else f' {_whose(note)}'}"
        yield ""


def _descriptions() -> Iterator[str]:
    entries = yaml.safe_load((ROOT / "tests/descriptions.yml").read_text(encoding="utf-8"))
    answered = [(entry, _answer(entry)) for entry in entries]
    ours = [entry for entry in entries if not entry.get("stranger")]
    yield "# Real descriptions, and what an expert would say\n"
    yield f"{len(entries)} questions as people ask them in public, each with an expert's answer"
    yield "(`tests/descriptions.yml`)."
    yield f"The first {len(ours)} are in our words, and were written before the rules of 0.6.1 were changed. The other"
    yield f"{len(entries) - len(ours)} are a stranger's: somebody wrote and answered them who had read no rule and seen"
    yield "no recommendation. The first score there is that of the rules before any change.\n"
    yield "| descriptions | rules of | the expert's first | another that he would take | differs |"
    yield "|---|---|---|---|---|"
    for whose, stranger, release in (("ours", False, "0.6.1"), ("the stranger's", True, "0.7.0")):
        of_theirs = [(entry, answer) for entry, answer in answered if bool(entry.get("stranger")) is stranger]
        yield _score(f"{whose} | {release}", [(entry, entry["first"]) for entry, _ in of_theirs])
        yield _score(f"{whose} | today", [(entry, answer.stack) for entry, answer in of_theirs])
    yield "\n## Where the rules and the expert differ\n"
    for entry, answer in answered:
        if answer.stack not in entry["expert"]:
            yield f"- {entry['text']}"
            yield f"  The rules: `{answer.stack}` (`{answer.rule}`). The expert: {_stacks(entry)}. {entry['why']}"
    yield "\n## All of them\n"
    yield "| description | choices | the expert | the rules |\n|---|---|---|---|"
    for entry, answer in answered:
        choices_made = entry.get("choices") or entry["said"]
        said = ", ".join(f"{key} = {value}" for key, value in choices_made.items())
        text = f"{entry['text']}{' (a stranger)' if entry.get('stranger') else ''}"
        yield f"| {text} | {said} | {_stacks(entry)} | `{answer.stack}` |"


def _answer(entry: dict[str, dict[str, object]]) -> Recommendation:
    said = entry.get("choices") or entry["said"]
    return recommend(choices.parse(said), said=tuple(said))


def _score(name: str, answers: Iterable[tuple[dict[str, list[str]], str]]) -> str:
    counts = Counter(
        min(entry["expert"].index(stack), 1) if stack in entry["expert"] else 2 for entry, stack in answers
    )
    return f"| {name} | {counts[0]} | {counts[1]} | {counts[2]} |"


def _stacks(entry: dict[str, list[str]]) -> str:
    return " or ".join(f"`{stack}`" for stack in entry["expert"])


def _condition(condition: Condition) -> str:
    parts = [f"`{key}` is {' or '.join(f'`{value}`' for value in values)}" for key, values in condition.accepts.items()]
    return " and ".join(parts) or "always"


if __name__ == "__main__":
    for name, text in pages().items():
        (HERE / name).write_text(text.rstrip("\n") + "\n", encoding="utf-8")
