"""The task's own steps: which data, which network, which metrics."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.datasets import load_diabetes
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split
from torch import nn

from ml.model import Array
from ml.training.networks import (
    Hyperparameters,
    Restore,
    Standardize,
    optimize,
    outputs_of,
    perceptron,
    reproducible,
)

OUTPUT = "value"


[=% include 'templates/hybrid-node-python-ml/tasks/regression/data.py' %=]

def fit(split: Split, params: dict[str, Any], seed: int) -> nn.Module:
    """Train the network."""
    hyperparameters = Hyperparameters.model_validate(params)
    mean, deviation = float(split.train_targets.mean()), float(split.train_targets.std())
    targets = ((split.train_targets - mean) / deviation).astype(np.float32).reshape(-1, 1)
    sizes = [split.train_rows.shape[1], *hyperparameters.hidden, 1]
    with reproducible(seed):
        network = nn.Sequential(Standardize(split.train_rows), perceptron(sizes))
        rows = torch.from_numpy(split.train_rows)
        loss = nn.MSELoss()
        optimize(network, rows, torch.from_numpy(targets), loss, hyperparameters)
    return nn.Sequential(network, Restore(mean, deviation)).eval()


def reference(network: nn.Module, rows: Array) -> Array:
    """What training says about these rows, for comparison with ONNX."""
    return outputs_of(network, rows)


[=% include 'templates/hybrid-node-python-ml/tasks/regression/metrics.py' -%=]
