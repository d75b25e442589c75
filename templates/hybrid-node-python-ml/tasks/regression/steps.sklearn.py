"""The task's own steps: which data, which pipeline, which metrics."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ml.model import Array

OUTPUT = "variable"


[=% include 'templates/hybrid-node-python-ml/tasks/regression/data.py' %=]

def fit(split: Split, params: dict[str, Any], seed: int) -> Pipeline:
    """Train the pipeline."""
    regressor = Ridge(**params, random_state=seed)
    return make_pipeline(StandardScaler(), regressor).fit(split.train_rows, split.train_targets)


def reference(pipeline: Pipeline, rows: Array) -> npt.NDArray[np.float64]:
    """What training says about these rows, for comparison with ONNX."""
    values: npt.NDArray[np.float64] = pipeline.predict(rows)
    return values.reshape(-1, 1)


[=% include 'templates/hybrid-node-python-ml/tasks/regression/metrics.py' -%=]
