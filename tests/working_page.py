"""The page AGENTS.md of a generated project, which tells what must pass before a change is done."""

import re
from pathlib import Path

PASS, CHANGE = TITLES = "What must pass", "What goes with a change"
TOOLS = ("npm", "npx", "node", "uv", "python", "make", "go", "git", "docker", "stackgen", "copier")


def commands(project: Path, title: str) -> list[str]:
    """Give the commands below a title, without what is said of them."""
    found = re.search(rf"^## {title}\n\n```sh\n(.*?)```", page(project), re.DOTALL | re.MULTILINE)
    assert found, f"{project}/AGENTS.md says nothing of: {title}"
    return [line.partition("  #")[0].strip() for line in found[1].splitlines()]


def page(project: Path) -> str:
    """Give the page."""
    return (project / "AGENTS.md").read_text(encoding="utf-8")


def blocks(project: Path) -> list[str]:
    """Give the titles under which commands stand, each as often as it has a block of them."""
    title, found = "", []
    for line in page(project).splitlines():
        if line.startswith("#"):
            title = line.lstrip("# ")
        elif line.lstrip().startswith("```") and line.strip() != "```":
            found.append(title)
    return found


def loose_commands(project: Path) -> list[str]:
    """Give what looks like a command and stands in no block, so that nobody runs it."""
    prose = re.sub(r"```sh\n.*?```", "", page(project), flags=re.DOTALL)
    return [word for word in re.findall(r"`([^`]+)`", prose) if word.split()[0] in TOOLS and len(word.split()) > 1]
