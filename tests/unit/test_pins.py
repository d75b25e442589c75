"""Pins that the user's bot and the template have both moved: the newer one stands, and nothing conflicts."""

import pytest

from stackgen import pins

SHA = {letter: letter * 40 for letter in "abc"}
DIGEST = {letter: f"sha256:{letter * 64}" for letter in "abc"}
LINES = {
    "package.json": '    "zod": "{}",\n',
    "apps/api/package.json": '    "@hono/node-server": "^{}"\n',
    "go.mod": "\tgithub.com/go-chi/chi/v5 v{} // indirect\n",
    "pyproject.toml": '  "django>={},<7",\n',
    "constraints.txt": "django=={}\n",
    "Dockerfile": "FROM node:{}-bookworm-slim AS build\n",
    "compose.yaml": "    image: postgres:{}-alpine\n",
    ".github/workflows/ci.yml": "      - uses: actions/checkout@v{}\n",
    ".gitlab-ci.yml": '  NODE_VERSION: "{}"\n',
    ".python-version": "{}\n",
    "mise.toml": 'node_version = "{}"\n',
}
VERSIONS = ("4.1.9", "4.1.10", "4.2.0")


def text(line: str, version: str) -> bytes:
    return f"first\n{line.format(version)}last\n".encode()


@pytest.mark.parametrize("path", LINES)
def test_the_users_newer_version_stands_everywhere(path: str) -> None:
    old, new, own = (text(LINES[path], version) for version in VERSIONS)
    assert pins.level(path, old, own, new) == pins.Level(own, own, own, ())


@pytest.mark.parametrize("path", LINES)
def test_the_templates_newer_version_stands_everywhere_and_the_users_line_is_named(path: str) -> None:
    old, own, new = (text(LINES[path], version) for version in VERSIONS)
    assert pins.level(path, old, own, new) == pins.Level(
        new, new, new, (LINES[path].format("4.1.10").encode().rstrip(b"\n"),)
    )


@pytest.mark.parametrize("path", LINES)
def test_a_version_that_the_user_holds_back_is_left_to_the_merge(path: str) -> None:
    own, old, new = (text(LINES[path], version) for version in VERSIONS)
    assert pins.level(path, old, own, new) == pins.Level(old, own, new, ())


@pytest.mark.parametrize("path", LINES)
def test_a_version_that_the_template_alone_moves_meets_nothing_that_stands_beside_it(path: str) -> None:
    old, new = (text(LINES[path], version) for version in VERSIONS[::2])
    own, both = (content.replace(b"last", b"and mine\nlast") for content in (old, new))
    assert pins.level(path, old, own, new) == pins.Level(new, both, new, ())


def test_a_commit_goes_by_the_version_beside_it_and_a_digest_is_the_users() -> None:
    uses = "- uses: actions/checkout@{} # v{}\n"
    image = "image: node:24.1.0@{}\n"
    old = (uses.format(SHA["a"], "4.1.0") * 2 + image.format(DIGEST["a"])).encode()
    own = (uses.format(SHA["b"], "4.3.0") * 2 + image.format(DIGEST["b"])).encode()
    new = (uses.format(SHA["c"], "4.2.0") * 3 + image.format(DIGEST["c"])).encode()
    expected = (uses.format(SHA["b"], "4.3.0") * 3 + image.format(DIGEST["b"])).encode()
    assert pins.level(".github/workflows/ci.yml", old, own, new) == pins.Level(own, own, expected, ())


@pytest.mark.parametrize(
    "line",
    ["timeout-minutes: {}\n", 'cpus: "{}"\n', "address: 127.0.{}\n", "PORT: {}\n", "replicas: {}\n"],
)
def test_a_number_that_is_no_pin_is_left_to_the_merge(line: str) -> None:
    old, new, own = (text(line, number) for number in ("0.5", "0.75", "1.0"))
    assert pins.level("compose.yaml", old, own, new) == pins.Level(old, own, new, ())


def test_other_files_are_left_alone() -> None:
    old, new, own = (f'const version = "{version}"\n'.encode() for version in VERSIONS)
    assert pins.level("src/app.ts", old, own, new) == pins.Level(old, own, new, ())


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9.0", "1.10.0"),
        ("1.0.0-rc.1", "1.0.0"),
        ("1.0.0rc1", "1.0.0rc2"),
        ("1.0.0-beta.2", "1.0.0-rc.1"),
        ("1.0", "1.0.1"),
        ("0.0.0-20240101000000-aaaaaaaaaaaa", "0.0.0-20250101000000-aaaaaaaaaaaa"),
        ("1.0.0", "2.0.0+incompatible"),
    ],
)
def test_versions_are_ordered_as_people_order_them(older: str, newer: str) -> None:
    first, last = (f"\texample.com/x v{version}\n".encode() for version in (older, newer))
    assert pins.level("go.mod", first, last, first).theirs == last
    assert pins.level("go.mod", last, first, last).theirs == last


def test_copies_of_a_pinned_line_go_along_and_are_named() -> None:
    step = "      - uses: a@1.{}.0\n"
    old, own, new = (step.format(version).encode() * count for count, version in ((2, "0"), (4, "0"), (2, "2")))
    expected = step.format(2).encode() * 4
    # Of the four, two were the template's.
    assert pins.level("ci.yml", old, own, new) == pins.Level(new, expected, new, (b"      - uses: a@1.0.0",) * 2)


def test_a_line_that_makes_way_for_several_is_named_once() -> None:
    step = "      - uses: a@1.{}.0\n"
    old, own, new = (step.format(version).encode() * count for count, version in ((1, 0), (1, 1), (3, 2)))
    assert pins.level("ci.yml", old, own, new).given_up == (b"      - uses: a@1.1.0",)


def test_a_raised_pin_in_a_line_that_the_template_has_changed_otherwise_is_left_to_the_merge() -> None:
    base, ours = (b"run: pipx install uv==0.1.%d\n" * 2 % (pin, pin) for pin in (1, 7))
    theirs = b"run: pipx install uv==0.1.1\n  run: pipx install uv==0.1.1\n"
    leveled = pins.level("ci.yml", base, ours, theirs)
    assert leveled.base == base
    assert leveled.theirs == theirs.replace(b"0.1.1\n  ", b"0.1.7\n  ")
    assert leveled.ours == ours
