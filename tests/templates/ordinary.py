"""An ordinary release, made from the templates of another: what a month of maintenance does to them.

Pins are moved, one file of each stack is moved and one dropped, a migration and a question are added, lists get a line
more, and every seventh source file is changed in its middle. What the templates have no longer is left out.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from museum import Repository, git

from stackgen import policies, project

# What a bot reads: dependencies, base images, actions, tools.
MANIFESTS = re.compile(r"(package\.json|\.mod|pyproject\.toml|\.txt|Dockerfile|\.ya?ml)(\.jinja)?$")
PINNED = re.compile(r"(FROM |uses: |image: |[=~>]=|\"[^\"]+\": \"[\^~]?\d|^\s+\S+\.\S+/\S+ v\d|version)", re.IGNORECASE)
VERSION = re.compile(r"(?<![\d.\w])(v?\d+)\.(\d+)\.(\d+)(?![\d.\w-])")
CONDITION = re.compile(r"\[=%.*?%=\]|\.jinja$")
# What is about a stack, and no file of its projects.
ABOUT = re.compile(r"/questions\.yml$|/releases/")
SOURCE = {".ts": "// {}", ".py": "# {}", ".go": "// {}", ".css": "/* {} */"}
EVERY = 7
# A line more in a list: after the line that the expression finds.
LISTS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "node-ts": (
        ("apps/api/package.json", r'    "drizzle-orm": .*', '    "fast-copy": "4.0.0",'),
        ("apps/api/src/modules/index.ts", r"import .*/health/index.ts';", "import { legal } from './legal/index.ts';"),
        ("apps/api/src/modules/index.ts", r"  apiKeys,", "  legal,"),
        ("apps/api/src/modules/permissions.ts", r"  apiKey: .*", "  legalHold: { read: admins },"),
        ("packages/contracts/src/index.ts", r"export .*/live.ts';", "export * from './legal.ts';"),
        (".env.example", r"#PORT=.*", "#LEGAL_URL=https://example.com"),
        ("biome.json", r'      "!\*\*/coverage",', '      "!**/reports",'),
        (".github/workflows/ci.yml", r"      - run: npm run check", "      - run: npm run licences"),
    ),
    "go": (
        ("go.mod", r"\tgithub.com/google/uuid .*", "\tgithub.com/hashicorp/golang-lru/v2 v2.0.7"),
        ("internal/config/settings.go", r"\tRateLimitBurst .*", '\tLegalURL string `env:"LEGAL_URL"`'),
        (".env.example", r"PORT=8080", "LEGAL_URL="),
        ("Makefile", r"\t@sh tools/leftovers.sh", "\t@sh tools/licences.sh"),
        (".gitignore", r"\.env", "reports/"),
    ),
    "python-django": (
        ("src/backend/settings.py", r'    "backend.accounts",', '    "backend.legal",'),
        ("src/backend/urls.py", r'    path\("api/".*', '    path("legal/", legal),'),
        ("src/backend/api.py", r'api.add_router\("", accounts\)', 'api.add_router("/legal", legal)'),
        ("pyproject.toml", r'  "dj-database-url==.*', '  "django-legal==1.0.0",'),
        (".env.example", r"DEBUG=true", "LEGAL_URL="),
        (".gitignore", r"\.venv/?", "reports/"),
    ),
    "hybrid-node-python-ml": (
        ("services/ml/pyproject.toml", r'  "httptools==.*', '  "orjson==3.11.0",'),
    ),
}  # fmt: skip
# A file that is moved, with a line more in it; a file that is dropped; migrations that are added.
MOVED: Mapping[str, tuple[str, str]] = {
    "node-ts": ("apps/api/src/http/cursor.ts", "apps/api/src/http/paging/cursor.ts"),
    "go": ("internal/httpx/page.go", "internal/httpx/paging.go"),
    "python-django": ("src/backend/core/logs.py", "src/backend/core/lines.py"),
    "hybrid-node-python-ml": ("services/ml/tests/tiny.py", "services/ml/tests/support/tiny.py"),
}
DROPPED: Mapping[str, str] = {
    "node-ts": "apps/api/src/db/like.ts",
    "go": "internal/store/sqlite/statements.go",
    "python-django": "src/backend/core/telemetry.py",
    "hybrid-node-python-ml": "services/ml/tests/test_adding.py",
}
ADDED: Mapping[str, Mapping[str, str]] = {
    "node-ts": {
        "apps/api/src/auth/drizzle/0099_legal.sql": "create table legal (id uuid primary key);\n",
        "apps/api/src/modules/projects/legal.ts": "export const legal = true;\n",
        "apps/api/src/modules/legal/index.ts": "export const legal = { name: 'legal' };\n",
        "packages/contracts/src/legal.ts": "export const legal = true;\n",
        "docs/legal.md": "# Legal\n\nWhat has to be kept.\n",
    },
    "go": {
        "internal/store/postgres/migrations/20261202000000_legal.sql": "-- +goose Up\nSELECT 1;\n",
        "internal/store/sqlite/migrations/00002_legal.sql": "-- +goose Up\nCREATE TABLE legal (id INTEGER);\n",
        "internal/monitor/legal.go": "package monitor\n",
        "docs/legal.md": "# Legal\n\nWhat has to be kept.\n",
    },
    "python-django": {
        "src/backend/teams/migrations/0098_legal.py": "from django.db import migrations\n",
        "src/backend/datasets/legal.py": "KEPT = True\n",
        "docs/legal.md": "# Legal\n\nWhat has to be kept.\n",
    },
    "hybrid-node-python-ml": {"services/ml/src/ml/legal.py": "KEPT = True\n"},
}
QUESTION = """\
{key}:
  type: bool
  help: "Keep what the law asks for?"
  default: true
  when: "[= stack == '{stack}' =]"
"""


def moved_on(text: str, by: int) -> str:
    """Move every version on a line that pins something, and every commit with it."""

    def line(content: str) -> str:
        if not PINNED.search(content):
            return content
        content = re.sub(r"\b[0-9a-f]{40}\b", f"{by:x}" * 40, content)
        return VERSION.sub(lambda found: f"{found[1]}.{found[2]}.{int(found[3]) + by}", content)

    return "".join(map(line, text.splitlines(keepends=True)))


def pinned(folder: Path) -> Iterator[Path]:
    """Give the files of a project in which a bot moves pins."""
    for name in git(folder, "ls-files", "-z").split("\0")[:-1]:
        named = MANIFESTS.search(name) and not policies.command(name) and name != project.ANSWERS_FILE
        if named and (folder / name).is_file():
            yield folder / name


def pins_moved(repository: Repository, by: int) -> dict[str, str | None]:
    """Give the files of the templates that pin something, with every pin moved."""
    files = {name: path for name, path in own_files(repository) if not ABOUT.search(name)}
    manifests = {name for name in files if MANIFESTS.search(re.sub(r"\[=%.*?%=\]", "", name))}
    return {name: moved_on(files[name].read_text(encoding="utf-8"), by) for name in sorted(manifests)}


def own_files(repository: Repository) -> Iterator[tuple[str, Path]]:
    """Give the files of the templates, each once."""
    for path in sorted((repository.path / "templates").rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(repository.path).as_posix(), path


def release(repository: Repository, version: str) -> str:
    """Make the ordinary release of what the repository holds."""
    repository.commit(pins_moved(repository, 2))
    sources = [(name, path) for name, path in own_files(repository) if "/project/" in name and suffix(name) in SOURCE]
    for name, path in sources[::EVERY]:
        path.write_text(in_the_middle(path.read_text(encoding="utf-8"), SOURCE[suffix(name)]), encoding="utf-8")
    for stack in LISTS:
        lengthen(written_as(repository, stack), LISTS[stack])
        rearrange(repository.path / "templates" / stack / "project", written_as(repository, stack), stack)
        ask(repository, stack)
    for path in (repository.path / "templates").rglob("*"):
        if path.is_symlink() and not path.exists():
            path.unlink()
    return repository.release(version)


def suffix(name: str) -> str:
    return Path(CONDITION.sub("", name)).suffix


def lengthen(files: Mapping[str, list[Path]], lists: tuple[tuple[str, str, str], ...]) -> None:
    for name, after, line in lists:
        for path in files.get(name, ()):
            parts = re.split(rf"(?m)^({after})$", path.read_text(encoding="utf-8"), maxsplit=1)
            if len(parts) == 3:
                before, found, rest = parts
                path.write_text(f"{before}{found}\n{line}{rest}", encoding="utf-8")


def rearrange(top: Path, files: Mapping[str, list[Path]], stack: str) -> None:
    old, new = MOVED[stack]
    for path in files.get(old, ()):
        text = path.read_text(encoding="utf-8").replace("\n\n", "\n\n\n", 1)
        (top / new).parent.mkdir(parents=True, exist_ok=True)
        (top / new).write_text(text, encoding="utf-8")
        path.unlink()
    for path in files.get(DROPPED[stack], ()):
        path.unlink()
    for name, text in ADDED[stack].items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text, encoding="utf-8")


def ask(repository: Repository, stack: str) -> None:
    """Add a question, and a file that hangs on it."""
    key = f"legal_{stack.split('-', maxsplit=1)[0]}"
    with (repository.path / f"templates/{stack}/questions.yml").open("a", encoding="utf-8") as file:
        file.write(QUESTION.format(key=key, stack=stack))
    kept = repository.path / f"templates/{stack}/project/[=% if {key} %=]KEPT.md[=% endif %=]"
    kept.write_text("# Kept\n", encoding="utf-8")


def written_as(repository: Repository, stack: str) -> dict[str, list[Path]]:
    """Give the files of a stack by the name that they have in a project; links are followed nowhere."""
    top = repository.path / "templates" / stack / "project"
    found: dict[str, list[Path]] = {}
    for path in sorted(top.rglob("*")):
        if path.is_file():
            name = CONDITION.sub("", path.relative_to(top).as_posix())
            found.setdefault(name, []).append(path.resolve())
    return found


def in_the_middle(text: str, comment: str) -> str:
    """Say something at the empty line that is nearest to the middle."""
    lines = text.splitlines(keepends=True)
    empty = [number for number, line in enumerate(lines) if not line.strip()]
    if empty:
        at = min(empty, key=lambda number: abs(number - len(lines) // 2))
        lines.insert(at, comment.format("Said by the ordinary release.") + "\n")
    return "".join(lines)
