"""The task's own steps: which data, which pipeline, which metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ml.model import Array
from ml.signature import SIGNATURE
from ml.task import EXAMPLE, Instance

OUTPUT = "output_probability"
NUMBERS, TEXTS = list(range(9)), [9, 10, 11]


@dataclass(frozen=True, slots=True)
class Split:
    """Customers for training and for evaluation, and which of them left."""

    train_rows: list[Instance]
    test_rows: list[Instance]
    train_targets: list[bool]
    test_targets: list[bool]


def load_data(seed: int, test_share: float) -> Split:
    """Customers that leave when they pay much for a small plan."""
    random = np.random.default_rng(0)
    customers = [
        EXAMPLE.model_copy(
            update={
                "months": int(random.integers(0, 60)),
                "charge": float(random.random() * 40),
                "age": None if number % 10 == 0 else float(random.integers(18, 80)),
                "plan": ("basic", "plus", "pro")[number % 3],
                "city": ("Bern", "Ulm", "Graz")[number % 7 % 3],
            }
        )
        for number in range(300)
    ]
    left = [one.charge > {"basic": 10, "plus": 20, "pro": 30}[one.plan] for one in customers]
    return Split(*train_test_split(customers, left, test_size=test_share, random_state=seed))


def fit(split: Split, params: dict[str, Any], seed: int) -> Pipeline:
    """Train the pipeline."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)])
    classifier = LogisticRegression(**params, random_state=seed)
    return make_pipeline(columns, classifier).fit(_table(split.train_rows), split.train_targets)


def _table(rows: Sequence[Instance]) -> npt.NDArray[Any]:
    columns = [column.astype(object) for column in SIGNATURE.encode(rows).tensors.values()]
    return np.hstack(columns)


def reference(pipeline: Pipeline, rows: Sequence[Instance]) -> npt.NDArray[np.float64]:
    """What training says about these rows, for comparison with ONNX: never only the labels."""
    probabilities: npt.NDArray[np.float64] = pipeline.predict_proba(_table(rows))
    return probabilities


def evaluate(split: Split, outputs: Array, train_outputs: Array) -> dict[str, float]:
    """How good the exported model is on rows it has not seen."""
    return {
        "accuracy": float(accuracy_score(split.test_targets, outputs.argmax(axis=1) == 1)),
        "train_accuracy": float(
            accuracy_score(split.train_targets, train_outputs.argmax(axis=1) == 1)
        ),
    }


def labels(split: Split) -> list[str]:  # noqa: ARG001
    """The names of the classes, in the order of the outputs."""
    return ["stays", "leaves"]
