"""The profiler of a python-django project against pandas, on the CSV files that scientific packages bring along."""

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import processes
import pytest

pytestmark = pytest.mark.release

# The newest for Python 3.11, and exactly these: the differences below are named file by file.
PACKAGES = (
    *("pandas==3.1.1", "statsmodels==0.15.0", "scikit-learn==1.9.1", "matplotlib==3.11.2", "scipy==1.17.1"),
    *("numpy==2.4.6", "vega_datasets==0.9.0"),
)
NUMBERS = {"integer", "number"}
PANDAS = """
import json, sys, warnings
import numpy as np
import pandas as pd
warnings.simplefilter("ignore")


def facts(column):
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    found = {"missing": int(column.isna().sum()), "kind": "number" if numeric else str(column.dtype)}
    # Infinite values are left out of every number here, and told beside them.
    values = column.astype(float).replace([np.inf, -np.inf], np.nan).dropna() if numeric else column[:0]
    if len(values):
        found |= {"minimum": float(values.min()), "maximum": float(values.max()), "mean": float(values.mean())}
        found |= {"standard_deviation": float(values.std()) if len(values) > 1 else 0.0}
        found |= {name: float(values.quantile(part)) for name, part in QUARTILES.items()}
        found |= {"distinct": int(column.nunique())}
    return found


QUARTILES = {"first_quartile": 0.25, "median": 0.5, "third_quartile": 0.75}
for line in sys.stdin:
    path = line.rstrip("\\n")
    try:
        table = pd.read_csv(path, low_memory=False)
        answer = [path, len(table), [facts(table.iloc[:, position]) for position in range(table.shape[1])]]
    except Exception as error:
        answer = [path, None, f"{type(error).__name__}: {error}"]
    print(json.dumps(answer))
"""
OURS = """
import json, sys
from pathlib import Path
from backend.datasets.profile import FileProblem
from backend.datasets.reader import read
for line in sys.stdin:
    path = line.rstrip("\\n")
    try:
        found = read(Path(path), "csv")
        answer = [path, found.rows, [column.model_dump(mode="json") for column in found.columns]]
    except FileProblem as problem:
        answer = [path, None, str(problem)]
    print(json.dumps(answer))
"""
Answer = list[Any]


def _differences(theirs: Answer, ours: Answer) -> Iterator[tuple[str, str]]:
    """Give what differs between pandas and the project in one file: its kind, and what each says."""
    if theirs[1] is None or ours[1] is None:
        if theirs[1] != ours[1]:
            yield ("only pandas reads it", ours[2]) if ours[1] is None else ("only the project reads it", theirs[2])
    elif len(theirs[2]) != len(ours[2]):
        yield "columns", f"{len(theirs[2])} and {len(ours[2])}"
    elif theirs[1] != ours[1]:
        yield "rows", f"{theirs[1]} and {ours[1]}"
    else:
        for expected, found in zip(theirs[2], ours[2], strict=True):
            for kind, told in _of_column(expected, found):
                yield kind, f"{found['name']!r}: {told}"


def _of_column(expected: dict[str, Any], found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if expected["missing"] != found["missing"]:
        yield "missing", f"{expected['missing']} and {found['missing']}"
    elif "mean" not in expected:
        if found["kind"] in NUMBERS:
            yield "a number here", f"{expected['kind']}, {found['minimum']} to {found['maximum']}"
    elif found["kind"] not in NUMBERS:
        yield "no number here", f"{found['kind']}, {found['notes']}"
    else:
        size = max(1.0, abs(expected["minimum"]), abs(expected["maximum"]))
        for what in ("minimum", "maximum", "mean", "standard_deviation", "first_quartile", "median", "third_quartile"):
            # Quartiles are those of a sample where there are more rows than it holds.
            near = 0.05 * size if "quartile" in what or what == "median" else 1e-9 * size
            if not math.isclose(expected[what], float(found[what]), rel_tol=1e-9, abs_tol=near):
                yield what, f"{expected[what]} and {found[what]}"
        if abs(expected["distinct"] - found["distinct"]) > 0.1 * expected["distinct"] * found["distinct_is_estimate"]:
            yield "distinct", f"{expected['distinct']} and {found['distinct']}"


# Every difference that there is, by file and kind, with why it is as it should be.
OUTSIDE = "the header stands below a title or another list, of which pandas makes the names of all columns and an index"
TABS = "tabs or semicolons stand between the values, and pandas has made one column of all"
KNOWN: dict[tuple[str, str], str] = {
    ("matplotlib/mpl-data/sample_data/Stocks.csv", "only pandas reads it"): OUTSIDE,
    ("sklearn/datasets/data/breast_cancer.csv", "only pandas reads it"): OUTSIDE,
    ("sklearn/datasets/data/wine_data.csv", "only pandas reads it"): OUTSIDE,
    ("statsmodels/datasets/anes96/anes96.csv", "columns"): TABS,
    ("statsmodels/datasets/modechoice/modechoice.csv", "columns"): TABS,
    ("statsmodels/datasets/scotland/src/scotvote.csv", "only pandas reads it"): (
        "spaces stand between the values, of which pandas has made one column; here it is refused with that reason"
    ),
    ("statsmodels/discrete/tests/results/poisson_resid.csv", "only pandas reads it"): "it has more than 20,000 columns",
    ("statsmodels/regression/tests/results/dietox.csv", "only pandas reads it"): (
        "R has left out the name of the column of row numbers; guessing that it did could shift columns in silence"
    ),
}


def _ask(script: str, files: list[Path], folder: Path, environment: Mapping[str, str]) -> dict[str, Answer]:
    (folder / "files.txt").write_text("".join(f"{file}\n" for file in files), encoding="utf-8")
    (folder / "ask.py").write_text(script, encoding="utf-8")
    asked = processes.sh(".venv/bin/python ask.py < files.txt", folder, environment, timeout=900)
    return {answer[0]: answer for answer in map(json.loads, asked.stdout.splitlines())}


def test_profiles_say_what_pandas_says(
    render: Callable[..., Path], with_python: Callable[[str], dict[str, str]], tmp_path: Path
) -> None:
    environment = with_python(sys.executable)
    processes.sh("uv venv", tmp_path, environment)
    processes.sh(["uv", "pip", "install", "--python", ".venv", *PACKAGES], tmp_path, environment, timeout=900)
    project = render("python-django")
    processes.sh("uv venv", project, environment)
    processes.sh("uv pip sync --python .venv --require-hashes requirements.txt", project, environment, timeout=900)
    processes.sh("uv pip install --python .venv --no-deps --editable .", project, environment)
    files = sorted(path for path in (tmp_path / ".venv").rglob("*.csv") if path.stat().st_size)
    theirs = _ask(PANDAS, files, tmp_path, environment)
    ours = _ask(OURS, files, project, environment)
    compared = [column for answer in theirs.values() if answer[1] is not None for column in answer[2]]
    assert len(files) > 240
    assert sum("mean" in column for column in compared) > 1000
    found: dict[tuple[str, str], list[str]] = {}
    for file in map(str, files):
        for kind, told in _differences(theirs[file], ours[file]):
            found.setdefault((file.partition("site-packages/")[2], kind), []).append(told)
    unknown = {" / ".join(place): told[:3] for place, told in found.items() if place not in KNOWN}
    assert not unknown, json.dumps(unknown, indent=1)
    assert set(KNOWN) <= set(found), "some of these differences are gone"
