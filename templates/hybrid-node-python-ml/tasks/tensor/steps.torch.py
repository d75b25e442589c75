"""The task's own steps: which data, which network, which metrics."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from ml.model import Array
from ml.training.networks import (
    Hyperparameters,
    Standardize,
    optimize,
    outputs_of,
    perceptron,
    reproducible,
)

OUTPUT = "embedding"


[=% include 'templates/hybrid-node-python-ml/tasks/tensor/data.py' %=]

class AutoencoderParameters(Hyperparameters):
    """With the numbers in one embedding."""

    embedding: int


def fit(split: Split, params: dict[str, Any], seed: int) -> nn.Module:
    """Train an autoencoder; its encoder is the model."""
    hyperparameters = AutoencoderParameters.model_validate(params)
    sizes = [split.train_rows.shape[1], *hyperparameters.hidden, hyperparameters.embedding]
    with reproducible(seed):
        scale = Standardize(split.train_rows)
        encoder, decoder = perceptron(sizes), perceptron(sizes[::-1])
        rows = scale(torch.from_numpy(split.train_rows))
        optimize(nn.Sequential(encoder, decoder), rows, rows, nn.MSELoss(), hyperparameters)
    return nn.Sequential(scale, encoder).eval()


def reference(network: nn.Module, rows: Array) -> Array:
    """What training says about these rows, for comparison with ONNX."""
    return outputs_of(network, rows)


[=% include 'templates/hybrid-node-python-ml/tasks/tensor/metrics.py' -%=]
