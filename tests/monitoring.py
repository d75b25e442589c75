"""Which metrics dashboards and alerts ask for, and which a scrape offers."""

import json
import re
from pathlib import Path

import yaml

# What is between quotes is a label's value; a name before a parenthesis is a function.
QUOTED = re.compile(r'"[^"]*"')
NAME = re.compile(r"\b[a-z]+_[a-z\d_]+\b(?! ?\()")
TYPE = re.compile(r"^# TYPE (\w+) (\w+)$", re.MULTILINE)
CONDITION = re.compile(r"\[=%.*?%=\]")


def whole(template: Path) -> str:
    """Give a template's text with all that its conditions leave out of some projects."""
    return CONDITION.sub("", template.read_text(encoding="utf-8"))


def asked(folder: Path, suffix: str = "") -> set[str]:
    """Give the metrics in the expressions of a project's alerts and dashboard."""
    panels = json.loads((folder / f"dashboard{suffix}.json").read_text(encoding="utf-8"))["panels"]
    groups = yaml.safe_load((folder / f"alerts{suffix}.yaml").read_text(encoding="utf-8"))["spec"]["groups"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    expressions += [rule["expr"] for group in groups for rule in group["rules"]]
    return {name for expression in expressions for name in NAME.findall(QUOTED.sub("", expression))}


def offered(scrape: str) -> set[str]:
    """Give the names that can be asked for, of what a process says in the format of Prometheus."""
    endings = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}
    return {name + ending for name, kind in TYPE.findall(scrape) for ending in endings.get(kind, ("",))}
