"""Every stack and every option, answered by a person at a terminal; copier records what was said, and nothing else."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import copier
import pytest
import templating
import terminals
import yaml
from sizes import in_turn
from terminals import CLEAR, DOWN, ENTER, SUBMIT, Asked, Player, check_boxes, in_whole_words, pick, write

from stackgen import questions
from stackgen.choices import Stack
from stackgen.errors import UsageError
from stackgen.questions import Question

ROOT = Path(__file__).parents[2]
OURS = questions.read(ROOT)
FREE = {
    "name": "my-shop",
    "description": 'Sells "things"',
    "owner": "Acme & Söhne",
    "module_path": "git.example.com/acme/shop",
}
COMMON = {"license": "mit", "deploy": "docker", "ci": "none"}


def domain(question: Question) -> tuple[object, ...]:
    return (True, False) if question.type == "bool" else question.values or (FREE[question.key],)


def said(stack: str, row: dict[str, object]) -> dict[str, object]:
    """Keep the answers that are asked for with the ones before them."""
    kept: dict[str, object] = {"name": FREE["name"], "stack": stack}
    for key, value in row.items():
        try:
            OURS.resolve({**kept, key: value})
        except UsageError:
            continue
        kept[key] = value
    return kept


def rows(stack: str) -> Iterator[dict[str, object]]:
    """Yield as few answer sets as meet every value of every question."""
    common, own = [], []
    for question in OURS.asked(stack):
        (common if question in OURS.asked("node-ts") else own).append(question)
    everything = {(question.key, value) for question in (*common, *own) for value in domain(question)}
    candidates = [
        said(
            stack,
            {q.key: domain(q)[(turn + place) % len(domain(q))] for q in common}
            | {q.key: value for q, value in zip(own, mine, strict=True)},
        )
        for place, mine in enumerate(itertools.product(*map(domain, own)))
        for turn in range(3)
    ]
    met: set[tuple[str, object]] = set()
    while met < everything:
        best = max(candidates, key=lambda row: len(set(row.items()) - met))
        assert set(best.items()) - met - {("stack", stack)}, everything - met
        met |= set(best.items()) - {("stack", stack)}
        yield best


def is_quick(stack: str, place: int) -> bool:
    """A project of Go, which has the conditions."""
    return place == 0 and stack == "go"


WIDTHS = (40, 80, 160)
CASES = [
    pytest.param(
        stack,
        row,
        WIDTHS[place % len(WIDTHS)],
        id=f"{stack}-{place}",
        marks=() if is_quick(stack, place) else in_turn(place % 3, 3),
    )
    for stack in OURS.stacks()
    for place, row in enumerate(rows(stack))
]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return templating.questions_alone(tmp_path_factory.mktemp("ours"))


def keys_for(question: Question, value: object) -> str:
    if question.values:
        return pick(list(question.values), question.default, value)
    if question.type == "bool":
        return "y" if value else "n"
    return write(str(value))


def recorded(project: Path) -> dict[str, object]:
    found = yaml.safe_load((project / ".copier-answers.yml").read_text())
    return {key: value for key, value in found.items() if not key.startswith("_") and key != "decision"}


def by_copier(template: Path, place: Path, answers: dict[str, object]) -> dict[str, object]:
    copier.run_copy(str(template), place, data=answers, defaults=True, quiet=True)
    return recorded(place)


@pytest.mark.parametrize(("stack", "answers", "columns"), CASES)
def test_a_stack_is_made_by_answering_at_a_terminal(
    ours: Path, tmp_path: Path, stack: str, answers: dict[str, object], columns: int
) -> None:
    asked = {
        question.key: Asked(question.help, keys_for(question, answers[question.key]))
        for question in OURS.asked(stack)
        if question.key in answers
    }
    player = Player({**terminals.the_choices(stack), **asked})
    size = (50, columns)
    out = player.play(terminals.spawn(tmp_path, "new", "--no-git", "--template", str(ours), size=size))
    project = tmp_path / str(answers["name"])
    assert player.exit_code == 0, out
    assert set(player.asked) == set(player.questions)
    assert recorded(project) == answers == by_copier(ours, tmp_path / "copier", answers)


@pytest.mark.full
def test_questions_of_every_type_are_asked_at_a_terminal(tmp_path: Path) -> None:
    template = templating.every_kind(tmp_path / "template")
    wanted: dict[str, object] = {
        "stack": "node-ts", "name": "shop", "regions": ["eu", "asia"], "home": "asia", "replicas": 3, "rate": 0.25,
        "cache": True, "size": 64, "tier": "paid", "seats": 7, "support": "phone", "busy": False,
        "labels": {"team": ["a", "b"]}, "limits": {"cpu": 2}, "certificate": "my.pem", "motto": "no\nmotto",
        "quiet": True,
    }  # fmt: skip
    keys = {
        "name": write("shop"),
        "regions": check_boxes(["eu", "us", "asia"], ["eu"], ["eu", "asia"]),
        "home": DOWN + ENTER,
        "replicas": write("3"),
        "rate": write("0.25"),
        "cache": ENTER,
        "size": DOWN + ENTER,
        "tier": DOWN + ENTER,
        "seats": write("7"),
        "support": DOWN + ENTER,
        "busy": "n",
        "labels": write("{team: [a, b]}"),
        "limits": write('{"cpu": 2}'),
        "certificate": write("my.pem"),
        "motto": CLEAR + "\x7f" + CLEAR + "no\rmotto" + SUBMIT,
        "token": write("s3cret"),
        "pin": write("4321"),
    }
    asked = questions.read(template)
    texts = {question.key: question.help for question in asked.items}
    player = Player({
        **terminals.the_choices(Stack.NODE),
        **{key: Asked(texts[key], typed) for key, typed in keys.items()},
    })  # fmt: skip
    out = player.play(terminals.spawn(tmp_path, "new", "--no-git", "--template", str(template)))
    assert player.exit_code == 0, out
    assert set(player.asked) == set(player.questions)
    assert recorded(tmp_path / "shop") == wanted
    assert (tmp_path / "shop/summary.txt").read_text() == "3 of shop s3cret\n"
    assert not any(secret in out or secret in str(recorded(tmp_path / "shop")) for secret in ("s3cret", "4321"))
    said_again = {key: value for key, value in wanted.items() if key != "quiet"} | {"token": "s3cret"}
    assert by_copier(template, tmp_path / "copier", said_again) == wanted


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("", ["Where does it run? (Space ticks)", "Europe"]),
        (
            "regions=[eu] replicas=2 rate=1 cache=no tier=free support=mail busy=no labels={} limits={} certificate=x",
            ["What is its motto? (Esc, Enter ends)", "two"],
        ),
    ],
)
def test_what_ends_an_answer_is_told_in_whole_words(tmp_path: Path, columns: int, given: str, told: list[str]) -> None:
    template = str(templating.every_kind(tmp_path / "template"))
    words = [word for pair in given.split() for word in ("-d", pair)]
    words += ["--product", "saas", "--ai", "none", "--bottleneck", "io", "--team", "mixed", "--stack", "node-ts"]
    child = terminals.spawn(tmp_path, "new", "shop", "--template", template, *words, size=(50, columns))
    assert child.expect([in_whole_words(text) for text in told]) == 0
    child.send("\x03")
    terminals.finish(child)


def test_a_given_answer_that_turns_out_not_to_apply_is_left_out_and_named(ours: Path, tmp_path: Path) -> None:
    answers = {**{key: FREE[key] for key in ("description", "owner", "module_path")}, **COMMON, "jobs": "true"}
    given = [word for key, value in answers.items() for word in ("-d", f"{key}={value}")]
    choices = ["--product", "web", "--ai", "none", "--bottleneck", "io", "--team", "go", "--stack", "go"]
    kind = next(question for question in OURS.items if question.key == "kind")
    player = Player({"kind": Asked(kind.help, keys_for(kind, "cli")), "page": Asked("Shall it be created?", ENTER)})
    out = player.play(terminals.spawn(tmp_path, "new", "my-tool", "--template", str(ours), *given, *choices))
    assert "do not apply with these answers: jobs" in out
    assert recorded(tmp_path / "my-tool")["kind"] == "cli"
    assert "jobs" not in recorded(tmp_path / "my-tool")
