"""The task's own steps: which data, which encoder, which metrics."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ml import task
from ml.batch import Batch
from ml.model import Array

OUTPUT = "embedding"


[=% include 'templates/hybrid-node-python-ml/tasks/text/data.py' %=]

[=% include 'templates/hybrid-node-python-ml/tasks/text/encoder.py' %=]

def fit(split: Split, params: dict[str, Any], seed: int) -> Encoder:
    """Latent semantic analysis: words that stand in the same texts get vectors alike."""
    sentences, passages = np.split(np.asarray(split.train_rows, dtype=object), 2)
    frequencies = TfidfVectorizer(analyzer=task.tokens, min_df=2)
    texts = frequencies.fit_transform(
        [f"{one} {other}" for one, other in zip(sentences, passages, strict=True)]
    )
    # On one thread: otherwise the last digits depend on the machine's cores.
    with threadpool_limits(1):
        axes = TruncatedSVD(**params, random_state=seed).fit(texts)
    vectors = axes.components_.T * frequencies.idf_[:, None] / np.sqrt(axes.singular_values_)
    return Encoder.of(frequencies.get_feature_names_out().tolist(), vectors.astype(np.float32))


[=% include 'templates/hybrid-node-python-ml/tasks/text/metrics.py' -%=]
