"""The script that applies the migrations of a release: it sees them succeed, and it sees them fail."""

import subprocess
from pathlib import Path

import pytest
from operations_render import TEMPLATES

SCRIPT = TEMPLATES / "common/deploy/kustomize/migrate.sh"
# Says what a cluster says, one answer after the other, and writes down what it was asked.
KUBECTL = """#!/bin/sh
echo "$*" >> asked
case $* in
  *" get job "*) tail -n +$(grep -c " get job " asked) answers | head -n 1 ;;
  *" logs "*) echo "what the migrations said" ;;
esac
"""
UNDER_WAY = ["", "SuccessCriteriaMet"]


def migrate(folder: Path, *answers: str) -> "subprocess.CompletedProcess[str]":
    """Run the script where `kubectl` gives these answers for the state of the Job."""
    (folder / "answers").write_text("".join(f"{answer}\n" for answer in answers), encoding="utf-8")
    for name, text in (("kubectl", KUBECTL), ("sleep", "#!/bin/sh\n")):
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    path = f"{folder}:/usr/bin:/bin"
    command = ["sh", str(SCRIPT), "my-shop"]
    return subprocess.run(
        command, cwd=folder, env={"PATH": path}, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        (["Complete"], 0),
        ([*UNDER_WAY, "SuccessCriteriaMet Complete"], 0),
        (["", "FailureTarget", "FailureTarget Failed"], 1),
    ],
)
def test_it_waits_for_the_end_shows_the_log_and_fails_as_the_migrations_do(
    tmp_path: Path, answers: list[str], code: int
) -> None:
    ended = migrate(tmp_path, *answers)
    assert (ended.returncode, "what the migrations said" in ended.stdout) == (code, True), ended.stderr
    assert ("have failed" in ended.stderr) == bool(code)
    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    assert all(line.startswith("--namespace my-shop ") for line in asked)
    assert sum(" get job " in line for line in asked) == len(answers)
    made = asked[0].split()
    assert made[2:4] == ["create", "job"]
    assert made[-1] == "--from=cronjob/migrate"
    assert made[4] != "migrate"
    assert f"batch.kubernetes.io/job-name={made[4]}" in asked[-1]


def test_it_ends_with_kubectl_and_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "kubectl").write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    (tmp_path / "kubectl").chmod(0o755)
    refused = ["sh", str(SCRIPT), "my-shop"]
    ended = subprocess.run(refused, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False, timeout=60)
    assert ended.returncode == 3
    asked = subprocess.run(["sh", str(SCRIPT)], capture_output=True, text=True, check=False, timeout=60)
    assert (asked.returncode != 0, "name the namespace" in asked.stderr) == (True, True)
