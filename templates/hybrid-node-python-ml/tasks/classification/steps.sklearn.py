"""The task's own steps: which data, which pipeline, which metrics."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler

from ml.model import Array

OUTPUT = "probabilities"


[=% include 'templates/hybrid-node-python-ml/tasks/classification/data.py' %=]

def fit(split: Split, params: dict[str, Any], seed: int) -> Pipeline:
    """Train the pipeline."""
    classifier = MLPClassifier(**params, random_state=seed)
    return make_pipeline(MinMaxScaler(), classifier).fit(split.train_rows, split.train_targets)


def reference(pipeline: Pipeline, rows: Array) -> npt.NDArray[np.float64]:
    """What training says about these rows, for comparison with ONNX: never only the labels."""
    probabilities: npt.NDArray[np.float64] = pipeline.predict_proba(rows)
    return probabilities


[=% include 'templates/hybrid-node-python-ml/tasks/classification/metrics.py' -%=]
