"""Small templates with questions of every kind, for tests of what is asked."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import museum

ROOT = Path(__file__).parents[1]
ANSWERS_FILE = "[= _copier_conf.answers_file =].jinja"

RUST: dict[str, Any] = {
    "title": "Rust with axum",
    "strength": "is what the platform team runs",
    "take_if": "memory is what you pay for",
    "contents": ["axum and sqlx", "our sign-in"],
    "commands": ["cargo run"],
    "tools": {"cargo": "1.80"},
    "rules": [
        {
            "id": "platform",
            "when": {"product": ["microservice"], "team": ["mixed", "go"]},
            "reasons": ["The platform team runs it."],
            "runner_up": "go",
        }
    ],
    "cautions": [{"text": "Ask the platform team first."}, {"when": {"ai": ["core"]}, "text": "No model in it."}],
}
"""The record of a stack that only a company's template has."""

EVERY_KIND = """\
_subdirectory: "templates/[= stack =]/project"
_templates_suffix: .jinja
_envops:
  variable_start_string: "[="
  variable_end_string: "=]"
  block_start_string: "[=%"
  block_end_string: "%=]"
  comment_start_string: "[=#"
  comment_end_string: "#=]"
  undefined: jinja2.StrictUndefined
_secret_questions: [pin]

stack: {type: str, help: "Which stack?", choices: {The one: node-ts, Another: go}, default: node-ts}
name: {type: str, help: "What is it called?"}
regions:
  type: str
  help: "Where does it run?"
  multiselect: true
  choices: {Europe: eu, America: us, Asia: asia}
  default: [eu]
home:
  type: str
  help: "Where does its data live?"
  choices: "[= regions|tojson =]"
  default: "[= regions[0] if regions else UNSET =]"
  when: "[= regions|length > 1 =]"
replicas:
  type: int
  help: "How many of it?"
  default: 2
  validator: "[=% if replicas < 1 %=]must be at least 1[=% endif %=]"
rate: {type: float, help: "Which share is sampled?", default: 0.5}
cache: {type: bool, help: "With a cache?", default: true}
size:
  type: int
  help: "How large is the cache?"
  choices:
    Small: 1
    Large: 64
    Huge: {value: 512, validator: "[=% if replicas > 2 %=]too much for so many[=% endif %=]"}
  default: 1
  when: "[= cache =]"
tier: {type: str, help: "Who pays?", choices: [free, paid], default: free}
seats: {type: int, help: "How many seats?", when: "[= tier == 'paid' and cache =]"}
support:
  type: str
  help: "How is help given?"
  choices: "[= ['mail'] if tier == 'free' else ['mail', 'phone'] =]"
  default: mail
busy: {type: bool, help: "Is it busy?", default: "[= replicas > 1 =]"}
labels: {type: yaml, help: "Which labels?", default: {team: core}, multiline: false}
limits: {type: json, help: "Which limits?", default: '{"cpu": 1}', multiline: false}
certificate: {type: path, help: "Where is the certificate?", default: cert.pem}
motto: {type: str, help: "What is its motto?", default: "one\\ntwo", multiline: true}
token: {type: str, help: "What is the token?", default: none, secret: true}
pin: {type: str, help: "What is the pin?", default: "1234"}
quiet: {type: bool, help: "Never asked?", default: true, ask: false}
only_go: {type: str, help: "What is only for Go?", when: "[= stack == 'go' =]"}
summary: {type: str, when: false, default: "[= replicas =] of [= name =]"}
"""


def tree(folder: Path) -> dict[str, tuple[int, bytes | str | None]]:
    """Give everything in a folder by its name: how it may be used, and what it holds."""
    return {path.relative_to(folder).as_posix(): (path.lstat().st_mode, _content(path)) for path in folder.rglob("*")}


def _content(path: Path) -> bytes | str | None:
    if path.is_symlink():
        return str(path.readlink())
    return None if path.is_dir() else path.read_bytes()


def every_kind(folder: Path) -> Path:
    """Make a template whose questions are of every type that copier has."""
    folder.mkdir()
    (folder / "copier.yml").write_text(EVERY_KIND, encoding="utf-8")
    for stack in ("node-ts", "go"):
        _project(folder, stack).joinpath("summary.txt.jinja").write_text("[= summary =] [= token =]\n")
    return _committed(folder)


def questions_alone(folder: Path) -> Path:
    """Copy this repository's questions into a template that writes nothing but the answers."""
    for path in [ROOT / "copier.yml", *ROOT.glob("templates/*/*.yml")]:
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    for stack in ROOT.glob("templates/*/questions.yml"):
        _project(folder, stack.parent.name)
    return _committed(folder)


def with_a_fifth_stack(folder: Path) -> Path:
    """Make a company's template: our questions, one more stack with a question of its own, and no Python."""
    questions_alone(folder)
    asked = folder / "copier.yml"
    listed = asked.read_text(encoding="utf-8").replace(
        "  default: node-ts\n", "    Rust: rust-axum\n  default: node-ts\n", 1
    )
    asked.write_text(f"{listed}---\n!include templates/rust-axum/questions.yml\n", encoding="utf-8")
    _project(folder, "rust-axum").joinpath("main.rs").write_text("fn main() {}\n", encoding="utf-8")
    own = 'tls: {type: bool, default: false, help: "With TLS?", when: "[= stack == \'rust-axum\' =]"}\n'
    (folder / "templates/rust-axum/questions.yml").write_text(own, encoding="utf-8")
    (folder / "templates/rust-axum/stack.json").write_text(json.dumps(RUST), encoding="utf-8")
    museum.git(folder, "add", "--all")
    museum.git(folder, "commit", "--quiet", "--message", "A fifth stack")
    return folder


def with_a_proof(folder: Path, record: Mapping[str, object], files: Mapping[str, str]) -> Path:
    """Make a template with one more stack, whose record says how its projects are verified."""
    with_a_fifth_stack(folder)
    project = folder / "templates/rust-axum/project"
    for name, text in files.items():
        (project / name).write_text(text, encoding="utf-8")
    (folder / "templates/rust-axum/stack.json").write_text(json.dumps({**RUST, **record}), encoding="utf-8")
    museum.git(folder, "add", "--all")
    museum.git(folder, "commit", "--quiet", "--message", "A proof")
    return folder


def _committed(folder: Path) -> Path:
    museum.git(folder, "init", "--quiet", "--initial-branch=main")
    museum.git(folder, "add", "--all")
    museum.git(folder, "commit", "--quiet", "--message", "Templates")
    return folder


def _project(folder: Path, stack: str) -> Path:
    project = folder / "templates" / stack / "project"
    project.mkdir(parents=True, exist_ok=True)
    (project / ANSWERS_FILE).write_text("[= _copier_answers|to_nice_yaml =]")
    return project
