"""The task's own steps: which data, which pipeline, which metrics."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler

from ml.model import Array

OUTPUT = "variable"


[=% include 'templates/hybrid-node-python-ml/tasks/tensor/data.py' %=]

def fit(split: Split, params: dict[str, Any], seed: int) -> Pipeline:
    """Train the pipeline."""
    return make_pipeline(MinMaxScaler(), PCA(**params, random_state=seed)).fit(split.train_rows)


def reference(pipeline: Pipeline, rows: Array) -> npt.NDArray[np.float64]:
    """What training says about these rows, for comparison with ONNX."""
    embeddings: npt.NDArray[np.float64] = pipeline.transform(rows)
    return embeddings


[=% include 'templates/hybrid-node-python-ml/tasks/tensor/metrics.py' -%=]
