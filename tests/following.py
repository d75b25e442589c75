"""A page of a generated project that is followed word by word: its code goes into its files, its commands are run.

Above a block stands the file, in bold, that it is (ts, go, sql) or goes into (diff); a block of sh is to be typed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = "docs/adding-a-module.md"
_PARTS = re.compile(r"^\*\*`(?P<file>[^`]+)`\*\*$|^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code: a file's whole text (ts, go, sql), a change of one (diff), or commands (sh)."""

    kind: str
    file: str
    text: str

    def write(self, project: Path) -> None:
        """Do what a reader does with it in an editor."""
        file = project / self.file
        if self.kind == "diff":
            lines = self.text.splitlines(keepends=True)
            old, new = ("".join(line[1:] for line in lines if line[0] != other) for other in "+-")
            whole = file.read_text(encoding="utf-8")
            assert whole.count(old) == 1, f"{self.file} has this {whole.count(old)} times:\n{old}"
            file.write_text(whole.replace(old, new), encoding="utf-8")
        else:
            assert not file.exists(), f"{self.file} is there already"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.text, encoding="utf-8")


def blocks(project: Path, title: str, page_name: str = PAGE) -> Iterator[Block]:
    """Give the blocks of all sections of the page whose title matches."""
    page = (project / page_name).read_text(encoding="utf-8")
    sections = [section for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:] if re.match(title, section)]
    assert sections, f"{page_name} has no section like {title}"
    for section in sections:
        file = ""
        for part in _PARTS.finditer(section):
            file = part["file"] or file
            if part["kind"]:
                assert file or part["kind"] == "sh", f"no file is named above:\n{part['text']}"
                yield Block(part["kind"], file, part["text"])
