"""The update laws, for every stack and from every release: nothing lost, nothing left behind.

Beside the real releases stands a synthetic one, LAST, which differs from today's templates in nearly
every file, so that the laws are put to the test even when little has changed since the last release.

How many releases there are must not decide how long this takes: updates are run from some of them (`releases.chosen`),
and before a release from all, with all answers.

A release that left a stack's files as they were makes the same projects as an earlier one, so that an update from it
is the same update. It is not run again; that the two releases make the same project is a test of its own.
"""

import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import copier
import following
import pytest
import releases
import yaml
from museum import ROOT, Repository, git, repository_of_today
from releases import released, stacks_of
from sizes import in_turn, is_release, seed

import hatch_build
from stackgen import project, questions, render, update
from stackgen.errors import UsageError
from stackgen.plan import Plan

LAST, NEXT = "89.0.0", "90.0.0"
NAME = "my-shop"
# Keys and lists as the tool records them, in an order that YAML would not choose.
DECISION: Mapping[str, object] = MappingProxyType(
    {
        "stack": "node-ts",
        "title": "Node/TypeScript",
        "overridden": False,
        "recommended": "Node/TypeScript",
        "rule": "default",
        "section": "a section",
        "choices": [{"key": "product", "value": "saas"}, {"key": "ai", "value": "none"}],
        "reasons": ['z: it\'s "so"', "a # {{ x }} ${{ y }}"],
        "cautions": [],
        "runner_up": {"title": "Go", "reason": "no: yes"},
        "flips": [{"key": "ai", "from": "none", "to": "core", "title": "Hybrid"}],
    }
)
OURS = "a line of the project's own"
EDITED_FROM = 12
SOME_EQUALS = 4
NEVER_EDITED = {".copier-answers.yml", ".gitattributes"}
EXAMPLE = "apps/api/src/modules/projects/"
# What the synthetic release lacks, and the next one adds, of a folder that somebody may have deleted.
LACKED = f"templates/node-ts/project/{EXAMPLE}routes.ts"


@cache
def tree(version: str) -> hatch_build.Tree:
    return hatch_build.read_tree(hatch_build.Git(ROOT), released()[version])


@cache
def sources(version: str, stack: str) -> frozenset[tuple[str, hatch_build.Entry]]:
    """Give all that a release renders a stack from, links followed: the questions of every stack, and its own files."""
    return frozenset(
        (path, entry)
        for path, entry in tree(version).items()
        if path.split("/")[1:2] in ([], ["common"], [stack]) or path.endswith(("/questions.yml", "/computed.yml"))
    )


def same_as(version: str, stack: str, among: Iterable[str]) -> str:
    """Give the first release of some that renders a stack from the same files."""
    return next(
        first for first in among if stack in stacks_of(first) and sources(first, stack) == sources(version, stack)
    )


def equals() -> Iterator[tuple[str, str, str]]:
    """Give every release that renders a stack from the files of an earlier one, with that one and the stack."""
    for version in released():
        for stack in stacks_of(version):
            first = same_as(version, stack, released())
            if first != version:
                yield version, first, stack


@cache
def rows(stack: str) -> list[dict[str, object]]:
    """Give sets of answers that together hold every value of every question once."""
    choosable = [question for question in ASKED.asked(stack) if len(question.values) > 1 and question.key != "stack"]
    count = max((len(question.values) for question in choosable), default=1)
    return [dict(_row(stack, index)) for index in range(count)]


def _row(stack: str, index: int) -> Iterator[tuple[str, object]]:
    row: dict[str, object] = {"stack": stack, "name": NAME}
    for question in ASKED.asked(stack):
        if len(question.values) > 1 and question.key != "stack":
            try:
                ASKED.resolve({**row, question.key: question.values[index % len(question.values)]})
            except UsageError:
                continue  # it is not asked with these answers
            row[question.key] = question.values[index % len(question.values)]
    yield from row.items()


@cache
def offered(version: str, stack: str) -> Mapping[str, list[object]]:
    """Give the values of a stack's own questions in a release, of those that have a list of them."""
    text = git(ROOT, "show", f"{released()[version]}:templates/{stack}/questions.yml")
    documents = (document or {} for document in yaml.safe_load_all(text))
    choices = {key: asked.get("choices") for document in documents for key, asked in document.items()}
    return {
        key: [
            one["value"] if isinstance(one, dict) else one
            for one in (given.values() if isinstance(given, dict) else given)
        ]
        for key, given in choices.items()
        if isinstance(given, dict | list)
    }


def known(version: str, row: Mapping[str, object]) -> dict[str, object]:
    """Leave out the answers that a release did not offer yet: its projects have the default."""
    values = offered(version, str(row["stack"]))
    return {key: value for key, value in row.items() if value in values.get(key, [value])}


def cases() -> Iterator[tuple[str, dict[str, object]]]:
    """Pair the synthetic release with every set of answers, each chosen one with one set, or all before a release."""
    for stack in ASKED.stacks():
        answers = rows(stack)
        yield from ((LAST, row) for row in answers)
        for place, version in enumerate(CHOSEN):
            if stack in stacks_of(version) and version == same_as(version, stack, CHOSEN):
                turn = place % len(answers)
                asked = answers if is_release() else answers[turn : turn + 1]
                yield from ((version, known(version, row)) for row in asked)


def case(version: str, row: Mapping[str, object], others: pytest.MarkDecorator) -> object:
    """Everybody runs the synthetic release with one set of answers of a stack; `others` tells who runs more of its."""
    one = row == rows(str(row["stack"]))[0]
    for_all = () if row["stack"] == ONE_STACK else pytest.mark.full
    marks = others if version == LAST and not one else for_all if version == LAST else pytest.mark.full
    return pytest.param(
        version, row, id="-".join([version, *(str(row[key]) for key in row if key != "name")]), marks=marks
    )


ASKED = questions.read(ROOT)
ONE_STACK = ASKED.stacks()[seed() % len(ASKED.stacks())]
CHOSEN = releases.chosen()
EVERY_ANSWER = [case(version, row, pytest.mark.full) for version, row in cases()]
ONE_OF_TODAY = [case(version, row, pytest.mark.release) for version, row in cases()]
TODAY = [case(LAST, row, pytest.mark.release) for stack in ASKED.stacks() for row in rows(stack)]
EQUALS = [
    pytest.param(*equal, id=f"{equal[0]}-{equal[2]}", marks=pytest.mark.full)
    for equal in releases.sample(list(equals()), SOME_EQUALS)
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Pack every real release, a synthetic one, and after it today's templates."""
    workshop = tmp_path_factory.mktemp("updates")
    repository = repository_of_today(workshop / "repository")
    repository.commit(differing(repository))
    repository.release(LAST)
    git(repository.path, "checkout", "--quiet", "HEAD~2", "--", "templates")
    for name in git(repository.path, "diff", "--cached", "--name-only", "--diff-filter=D", "HEAD~2").splitlines():
        (repository.path / name).unlink()
    for old in repository.path.glob("templates/*/project/old-only.txt"):
        old.unlink()
    repository.release(NEXT)
    assert git(repository.path, "diff", "--stat", "HEAD~3", "HEAD", "--", "templates") == ""
    return str(repository.pack(workshop / "packed") / "templates.bundle")


# Who removes the example by hand has it, the page that says how, and the lists that name it.
OF_THE_EXAMPLE = re.compile(r"projects|adding-a-module|/modules/(index|permissions)\.ts|/contracts/src/index\.ts")


def differing(repository: Repository) -> dict[str, str | None]:
    """Change the end of every file, leave out some, and add one to each stack."""
    templates = repository.path / "templates"
    links = [path.resolve() for path in templates.rglob("*") if path.is_symlink()]
    plain = [path for path in sorted(templates.rglob("*")) if path.is_file() and not path.is_symlink()]
    changed: dict[str, str | None] = {}
    for index, path in enumerate(plain):
        name = path.relative_to(repository.path).as_posix()
        linked = any(path.is_relative_to(link) for link in links)
        if (path.suffix == ".yml" and path.parent.parent == templates) or "copier" in path.name:
            continue
        left_out = index % 5 == 0 and not linked and "/project/" in name and not OF_THE_EXAMPLE.search(name)
        if name == LACKED or left_out:
            changed[name] = None
        else:
            changed[name] = path.read_text(encoding="utf-8") + "a line that the next release drops\n"
    for folder in templates.glob("*/project"):
        if not folder.is_symlink():
            name = f"{folder.relative_to(repository.path).as_posix()}/old-only.txt"
            changed[name] = "a file that the next release drops\n" * 2 * EDITED_FROM
    return changed


def make(bundle: str, version: str, row: Mapping[str, object], folder: Path) -> project.Project:
    folder.mkdir()
    plan = Plan(bundle, f"v{version}", folder / NAME, {**row, "decision": dict(DECISION)})
    return render.generate(plan).project


def content(folder: Path) -> dict[str, tuple[bytes, bool]]:
    """Give every tracked or new file's bytes, and whether it is executable."""
    command = ["git", "-C", str(folder), "ls-files", "-z", "--cached", "--others"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")[:-1]
    paths = {name: folder / name for name in names if (folder / name).is_file()}
    return {name: (path.read_bytes(), bool(path.stat().st_mode & 0o100)) for name, path in paths.items()}


Fresh = Callable[[Mapping[str, object]], dict[str, tuple[bytes, bool]]]


@pytest.fixture(scope="module")
def fresh(bundle: str, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """Give what today's templates render from answers; the same answers are rendered once."""

    @cache
    def render_once(row: tuple[tuple[str, object], ...]) -> dict[str, tuple[bytes, bool]]:
        return content(make(bundle, NEXT, dict(row), tmp_path_factory.mktemp("fresh") / "made").path)

    return lambda row: render_once(tuple(row.items()))


def recorded(made: project.Project, row: Mapping[str, object]) -> dict[str, object]:
    """Leave out the answers to questions that came after the release: the project keeps their defaults."""
    return {key: value for key, value in row.items() if key in made.answers}


def edit(made: project.Project) -> set[str]:
    """Put a line at the top of every file of some length, and add a file; give the names."""
    edited = {"ours.txt"}
    (made.path / "ours.txt").write_text(f"{OURS}\n", encoding="utf-8")
    for name, (old, _) in content(made.path).items():
        if old.count(b"\n") >= EDITED_FROM and name not in NEVER_EDITED:
            (made.path / name).write_bytes(OURS.encode() + b"\n" + old)
            edited.add(name)
    git(made.path, "add", "--all")
    git(made.path, "commit", "--quiet", "--message=Ours")
    return edited


@pytest.mark.parametrize(("version", "row"), TODAY)
def test_an_update_to_the_same_release_changes_nothing(
    bundle: str, tmp_path: Path, version: str, row: dict[str, object]
) -> None:
    made = make(bundle, version, row, tmp_path / "made")
    edit(made)
    copier.run_update(made.path, vcs_ref=f"v{version}", defaults=True, overwrite=True, quiet=True)
    assert git(made.path, "status", "--porcelain", "--ignored") == ""


@pytest.mark.parametrize(("version", "first", "stack"), EQUALS)
def test_a_release_whose_updates_are_not_run_makes_the_project_of_one_whose_are(
    bundle: str, tmp_path: Path, version: str, first: str, stack: str
) -> None:
    made = {each: content(make(bundle, each, rows(stack)[0], tmp_path / each).path) for each in (version, first)}
    answers, executable = made[first][".copier-answers.yml"]
    made[first][".copier-answers.yml"] = answers.replace(f"v{first}".encode(), f"v{version}".encode()), executable
    assert made[version] == made[first]


@pytest.mark.parametrize(("version", "row"), EVERY_ANSWER)
def test_an_updated_project_is_a_fresh_one(
    bundle: str, fresh: Fresh, tmp_path: Path, version: str, row: dict[str, object]
) -> None:
    made = make(bundle, version, row, tmp_path / "made")
    report = update.run(made, {}, {})
    assert (report.to_version, report.kept, report.conflicts) == (f"v{NEXT}", (), ())
    assert content(made.path) == fresh(recorded(made, row))


@pytest.mark.parametrize(("version", "row"), ONE_OF_TODAY)
def test_the_projects_own_work_survives(
    bundle: str, fresh: Fresh, tmp_path: Path, version: str, row: dict[str, object]
) -> None:
    made = make(bundle, version, row, tmp_path / "made")
    today = fresh(recorded(made, row))
    edited = edit(made)
    report = update.run(made, {}, {})
    after = content(made.path)
    places = {report.moved.get(name, name) for name in edited}
    assert [name for name in places if OURS.encode() not in after[name][0]] == []
    assert set(report.conflicts) <= places
    assert {name for name in after if name not in places and after[name] != today.get(name)} == set()
    if version == LAST:
        assert report.conflicts == ()
        kept = {name for name in edited if name in after and name not in today and name != "ours.txt"}
        assert set(report.kept) == kept
        # What a program writes stays as it was edited, until its command is run.
        written = set(report.of("generated", "united"))
        expected = {
            name: (OURS.encode() + b"\n" + today[name][0], today[name][1]) for name in (edited & set(today)) - written
        }
        assert {name: after[name] for name in expected} == expected


@pytest.mark.full
@pytest.mark.parametrize("kind", ["service", "both"])
def test_a_go_service_that_grew_a_feature_updates_without_a_conflict(
    bundle: str, fresh: Fresh, tmp_path: Path, kind: str
) -> None:
    row: dict[str, object] = {"stack": "go", "name": NAME, "kind": kind}
    made = make(bundle, "0.2.0", row, tmp_path / "made")
    module = made.answers["module_path"]
    grown = {
        "internal/app/routes.go": (
            f'\t"{module}/internal/monitor"\n',
            f'\t"{module}/internal/orders"\n',
        ),
        "internal/config/settings.go": (
            '`env:"TRACE_SAMPLE_RATIO" envDefault:"1"`\n',
            '\tOrdersURL        string         `env:"ORDERS_URL"`\n',
        ),
        ".env.example": ("\n", "# Where the orders are.\n#ORDERS_URL=\n"),
    }
    texts = {name: (made.path / name).read_text(encoding="utf-8") for name in grown}
    for name, (after, added) in grown.items():
        (made.path / name).write_text(texts[name].replace(after, after + added, 1), encoding="utf-8")
    routes = made.path / "internal/app/routes.go"
    call = "\tmonitor.Register(api, f.monitor)\n"
    routes.write_text(
        routes.read_text(encoding="utf-8").replace(call, f"{call}\torders.Register(api)\n"), encoding="utf-8"
    )
    feature = made.path / "internal/orders/orders.go"
    feature.parent.mkdir()
    feature.write_text("package orders\n", encoding="utf-8")
    git(made.path, "add", "--all")
    git(made.path, "commit", "--quiet", "--message=Orders")

    report = update.run(made, {}, {})

    assert (report.kept, report.conflicts) == ((), ())
    after, today = content(made.path), fresh(row)
    assert feature.read_text(encoding="utf-8") == "package orders\n"
    assert "\torders.Register(api)\n" in routes.read_text(encoding="utf-8")
    for name, (_, added) in grown.items():
        assert added in after[name][0].decode()
    assert {
        name for name in after if name not in {*grown, "internal/orders/orders.go"} and after[name] != today[name]
    } == set()


SWITCHES = {
    "ml_async_jobs": ("ML_JOBS_ENABLED", "apps/api/src/modules/jobs/settings.ts"),
    "ml_streaming": ("ML_STREAM_ENABLED", "apps/api/src/modules/ml-stream/settings.ts"),
}


@pytest.mark.parametrize("said", [pytest.param(said, marks=in_turn(said, 2)) for said in (False, True)])
@pytest.mark.parametrize("version", ["0.3.0", "0.6.1"])
def test_a_hybrid_project_that_was_asked_keeps_what_it_said_of_jobs_and_streams(
    bundle: str, tmp_path: Path, version: str, said: bool
) -> None:
    row: dict[str, object] = {"stack": "hybrid-node-python-ml", "name": NAME, **dict.fromkeys(SWITCHES, said)}
    made = make(bundle, version, row, tmp_path / "made")
    edited = edit(made)
    report = update.run(made, {}, {})
    after = content(made.path)
    assert [name for name in edited if OURS.encode() not in after[report.moved.get(name, name)][0]] == []
    answers = project.read(made.path).answers
    assert {key for key in SWITCHES if key in answers} == (set(SWITCHES) if said else set())
    documented = (made.path / ".env.example").read_text(encoding="utf-8")
    for variable, file in SWITCHES.values():
        settings = (made.path / file).read_text(encoding="utf-8")
        default = rf"{variable}: (flag\(|z\s+\.enum\(\['true', 'false'\]\)\s+\.default\()'{str(said).lower()}'"
        assert re.search(default, settings)
        assert f"#{variable}={str(said).lower()}\n" in documented


@pytest.mark.full
def test_jobs_and_streams_are_switched_on_and_off_by_an_update_without_a_trace(bundle: str, tmp_path: Path) -> None:
    made = make(bundle, NEXT, {"stack": "hybrid-node-python-ml", "name": NAME}, tmp_path / "made")
    before = content(made.path)
    for said in (True, False):
        update.run(project.read(made.path), dict.fromkeys(SWITCHES, said), {})
        git(made.path, "commit", "--quiet", "--all", f"--message={said}")
        assert (content(made.path) == before) is (not said)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="plain", marks=in_turn(0, 2)),
        pytest.param({"jobs": True, "rpc": "connect"}, id="jobs", marks=in_turn(1, 2)),
    ],
)
def test_the_example_of_a_go_service_is_taken_out_by_an_update_and_brought_back(
    bundle: str, fresh: Fresh, tmp_path: Path, more: Mapping[str, object]
) -> None:
    row = {"stack": "go", "name": NAME, **more}
    made = make(bundle, NEXT, row, tmp_path / "made")
    before = content(made.path)
    assert content(made.path) == fresh(row) == fresh({**row, "example": True})
    for said in (False, True):
        report = update.run(project.read(made.path), {"example": said}, {})
        assert (report.kept, report.conflicts) == ((), ())
        git(made.path, "add", "--all")
        git(made.path, "commit", "--quiet", f"--message={said}")
        assert content(made.path) == fresh({**row, "example": said})
    assert content(made.path) == before
    gone = {name for name in before if name not in fresh({**row, "example": False})}
    assert {name.split("/")[1] for name in gone if name.startswith("internal/")} >= {
        "monitor",
        "maintenance",
        "netguard",
    }


def test_a_go_service_keeps_what_its_owner_has_changed_of_the_example(
    bundle: str, fresh: Fresh, tmp_path: Path
) -> None:
    row = {"stack": "go", "name": NAME}
    made = make(bundle, NEXT, row, tmp_path / "made")
    probe, own = made.path / "internal/monitor/probe.go", made.path / "internal/orders/orders.go"
    probe.write_text(f"// {OURS}\n{probe.read_text(encoding='utf-8')}", encoding="utf-8")
    own.parent.mkdir()
    own.write_text("package orders\n", encoding="utf-8")
    git(made.path, "add", "--all")
    git(made.path, "commit", "--quiet", "--message=Ours")
    report = update.run(project.read(made.path), {"example": False}, {})
    after, today = content(made.path), fresh({**row, "example": False})
    assert {name for name in after if name not in today} == {"internal/monitor/probe.go", "internal/orders/orders.go"}
    assert "internal/monitor/probe.go" in {*report.kept, *report.conflicts}
    assert {name for name in today if after[name] != today[name]} == set()


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="plain", marks=in_turn(1, 2)),
        pytest.param(
            {"deploy": "kubernetes", "ci": "gitlab", "data_tools": False}, id="kubernetes", marks=in_turn(0, 2)
        ),
    ],
)
def test_the_example_of_a_django_project_is_taken_out_by_an_update_and_brought_back(
    bundle: str, fresh: Fresh, tmp_path: Path, more: Mapping[str, object]
) -> None:
    row = {"stack": "python-django", "name": NAME, **more}
    made = make(bundle, NEXT, row, tmp_path / "made")
    before = content(made.path)
    assert before == fresh(row) == fresh({**row, "example": True})
    bare = fresh({key: value for key, value in row.items() if key != "data_tools"} | {"example": False})
    # Without an example, nobody is asked for the notebook about it, so the answer is given again.
    notebook = {"data_tools": False} if "data_tools" in more else {}
    for said, expected in (({"example": False}, bare), ({"example": True, **notebook}, before)):
        report = update.run(project.read(made.path), said, {})
        assert (report.kept, report.conflicts) == ((), ())
        git(made.path, "add", "--all")
        git(made.path, "commit", "--quiet", f"--message={said}")
        assert content(made.path) == expected
    words = re.compile(rb"data[ -]?sets?|upload|polars|boto3|parquet|notebook|profile_queue", re.IGNORECASE)
    # Settings of Django's and of ingress-nginx, and what decided for the stack.
    left = re.compile(rb"DATA_UPLOAD_MAX|data and what is done with them")
    assert {name for name, (body, _) in bare.items() if words.search(left.sub(b"", body))} == set()


def test_a_django_project_keeps_what_its_owner_has_changed_of_the_example(
    bundle: str, fresh: Fresh, tmp_path: Path
) -> None:
    row = {"stack": "python-django", "name": NAME}
    made = make(bundle, NEXT, row, tmp_path / "made")
    plots, own = made.path / "src/backend/datasets/plots.py", made.path / "src/backend/orders/models.py"
    plots.write_text(f"# {OURS}\n{plots.read_text(encoding='utf-8')}", encoding="utf-8")
    own.parent.mkdir()
    own.write_text("ORDERS = True\n", encoding="utf-8")
    git(made.path, "add", "--all")
    git(made.path, "commit", "--quiet", "--message=Ours")
    report = update.run(project.read(made.path), {"example": False}, {})
    after, today = content(made.path), fresh({**row, "example": False})
    ours = {"src/backend/datasets/plots.py", "src/backend/orders/models.py"}
    assert {name for name in after if name not in today} == ours
    assert "src/backend/datasets/plots.py" in {*report.kept, *report.conflicts}
    assert {name for name in today if after[name] != today[name]} == set()


OTHERWISE: Mapping[str, Mapping[str, object]] = {
    "node-ts": {},
    "go": {"jobs": True, "rpc": "connect", "example": False},
    "python-django": {"data_tools": False},
    "hybrid-node-python-ml": {"ml_training": "torch"},
}


@pytest.mark.parametrize(
    "stack",
    [pytest.param(s, marks=pytest.mark.full if s == ONE_STACK else pytest.mark.release) for s in ASKED.stacks()],
)
def test_other_answers_and_the_first_ones_again_leave_no_trace(bundle: str, tmp_path: Path, stack: str) -> None:
    others = {"deploy": "kubernetes", "ci": "gitlab", **OTHERWISE[stack]}
    made = make(bundle, NEXT, {"stack": stack, "name": NAME}, tmp_path / "made")
    (made.path / "ours.txt").write_text(f"{OURS}\n", encoding="utf-8")
    git(made.path, "add", "--all")
    git(made.path, "commit", "--quiet", "--message=Ours")
    before = content(made.path)
    for data in (others, {key: made.answers[key] for key in others}):
        assert update.run(project.read(made.path), data, {}).conflicts == ()
        git(made.path, "add", "--all")
        git(made.path, "commit", "--quiet", "--message=Other answers")
        assert {key: project.read(made.path).answers[key] for key in data} == data
        assert (content(made.path) == before) is (data != others)


def test_a_module_that_was_removed_by_hand_stays_away(bundle: str, fresh: Fresh, tmp_path: Path) -> None:
    row = rows("node-ts")[0]
    made = make(bundle, LAST, row, tmp_path / "made")
    lists = set()
    for step in following.blocks(made.path, "Removing"):
        if step.kind == "diff":
            step.write(made.path)
            lists.add(step.file)
        for command in filter(re.compile("rm ").match, step.text.splitlines()):
            git(made.path, *command.split(" "))
    git(made.path, "commit", "--quiet", "--all", "--message=Remove the example")
    today = fresh(row)
    ends = ("/projects.ts", "/projects.test.ts")
    example = {name for name in today if name.startswith(EXAMPLE) or name.endswith(ends)}
    assert f"{EXAMPLE}routes.ts" in example

    report = update.run(made, {}, {})

    after = content(made.path)
    assert (report.to_version, report.conflicts) == (f"v{NEXT}", ())
    assert set(today) - set(after) == example == set(report.of("stays deleted"))
    assert [name for name in lists if b"projects" in after[name][0]] == []
    assert {name for name in after if after[name] != today.get(name)} == lists


@pytest.mark.parametrize("version", [LAST, *(pytest.param(version, marks=pytest.mark.full) for version in CHOSEN)])
def test_the_decision_comes_through_unchanged(bundle: str, tmp_path: Path, version: str) -> None:
    stack = stacks_of(version)[0] if version in released() else ASKED.stacks()[0]
    made = make(bundle, version, {"stack": stack, "name": NAME}, tmp_path / "made")
    update.run(made, {}, {})
    assert project.read(made.path).answers["decision"] == made.answers["decision"] == DECISION


def test_no_update_ever_asks_to_be_trusted() -> None:
    documents = yaml.compose_all((ROOT / "copier.yml").read_text(encoding="utf-8"))
    keys = {key.value for node in documents if isinstance(node, yaml.MappingNode) for key, _ in node.value}
    assert "_subdirectory" in keys
    assert {"_tasks", "_migrations", "_jinja_extensions", "_external_data"} & keys == set()
