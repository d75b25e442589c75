"""What the tests are given for a project is what copier makes of today's templates, whoever has it by now."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from pytest_copie.plugin import Copie
from rendering import Render
from sizes import seed
from templating import tree

from stackgen import trim

ANSWERS = ".copier-answers.yml"
# Each stack with an answer that brings or takes whole folders.
CASES: Mapping[str, dict[str, object]] = {
    "node-ts": {"deploy": "kubernetes", "ci": "gitlab"},
    "hybrid-node-python-ml": {"ml_async_jobs": True, "license": "mit"},
    "python-django": {"data_tools": False},
    "go": {"jobs": True, "description": 'café: "x" # {{ y }}'},
}


@pytest.mark.parametrize(
    ("stack", "answers"),
    [
        pytest.param(stack, answers, id=stack, marks=() if place == seed() % len(CASES) else pytest.mark.full)
        for place, (stack, answers) in enumerate(CASES.items())
    ],
)
def test_every_test_is_given_what_copier_makes(
    rendered: Render, copie: Copie, ours: Path, tmp_path: Path, stack: str, answers: dict[str, object]
) -> None:
    made = copie.copy({"stack": stack, "name": "my-shop", **answers}, template_dir=ours)
    assert made.project_dir, made.exception
    its = content(made.project_dir)
    assert content(rendered(stack, tmp_path / "first/shop", **answers)) == its
    (tmp_path / "first/shop/README.md").write_text("mine\n", encoding="utf-8")
    (tmp_path / "first/shop/LICENSE").unlink()
    assert content(rendered(stack, tmp_path / "second/shop", **answers)) == its


@pytest.mark.parametrize("stack", CASES)
def test_the_short_cut_leads_to_every_stack_of_ours(stack: str, ours: Path, tmp_path: Path) -> None:
    short = trim.trim(str(ours), "HEAD", stack, tmp_path)
    assert len(short.copied) > 20


def content(folder: Path) -> dict[str, object]:
    """Give everything in a project, but where its template was in this run."""
    everything = tree(folder)
    mode, answers = everything.pop(ANSWERS)
    assert isinstance(answers, bytes)
    lines = [line for line in answers.splitlines() if not line.startswith(b"_src_path: ")]
    return {**everything, ANSWERS: (mode, lines)}


@pytest.mark.parametrize("stack", ["node-ts", "hybrid-node-python-ml"])
def test_projects_that_share_a_server_share_no_role_for_tenants(rendered: Render, tmp_path: Path, stack: str) -> None:
    for name in ("my-shop", "shop"):
        made = rendered(stack, tmp_path / name, name=name)
        role = (made / "apps/api/src/db/tenant-role.ts").read_text(encoding="utf-8")
        assert f"= '{name.replace('-', '_')}_tenant';" in role
