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
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import normalize
from torch import Tensor, nn

from ml import task
from ml.batch import Batch
from ml.model import Array
from ml.training.networks import Hyperparameters, optimize, reproducible

OUTPUT = "embedding"
# How much nearer a sentence's own passage has to be than others.
TEMPERATURE = 0.05


[=% include 'templates/hybrid-node-python-ml/tasks/text/data.py' %=]

[=% include 'templates/hybrid-node-python-ml/tasks/text/encoder.py' %=]

class EncoderParameters(Hyperparameters):
    """With the numbers in one embedding."""

    embedding: int


class Vectors(nn.Module):
    """A vector for each word, as long at first as the word is rare."""

    def __init__(self, weights: Array, size: int) -> None:
        super().__init__()
        start = torch.randn(len(weights), size) * torch.from_numpy(weights)[:, None]
        self.table = nn.Parameter(start)

    def rows(self) -> Tensor:
        """The table with what fills up a text, and with the unknown word."""
        mean = self.table.mean(dim=0, keepdim=True)
        return torch.cat([torch.zeros_like(mean), mean, self.table])

    def forward(self, ids: Tensor) -> Tensor:
        """The embeddings of texts."""
        return nn.functional.normalize(self.rows()[ids].sum(dim=1), dim=1)


def fit(split: Split, params: dict[str, Any], seed: int) -> Encoder:
    """Train vectors until each sentence is nearer to its own passage than to others."""
    hyperparameters = EncoderParameters.model_validate(params)
    frequencies = TfidfVectorizer(analyzer=task.tokens, min_df=2).fit(split.train_rows)
    words = frequencies.get_feature_names_out().tolist()
    weights = frequencies.idf_.astype(np.float32)
    with reproducible(seed):
        vectors = Vectors(weights, hyperparameters.embedding)
        known = Encoder.of(words, vectors.table.detach().numpy())
        half = len(split.train_rows) // 2
        ids = torch.from_numpy(known.ids(task.encode(split.train_rows)))
        sentences, passages = ids[:half], ids[half:]

        def loss(embeddings: Tensor, others: Tensor) -> Tensor:
            likeness = embeddings @ vectors(others).T / TEMPERATURE
            return nn.functional.cross_entropy(likeness, torch.arange(len(likeness)))

        optimize(vectors, sentences, passages, loss, hyperparameters)
    return Encoder.of(words, vectors.table.detach().numpy())


[=% include 'templates/hybrid-node-python-ml/tasks/text/metrics.py' -%=]
