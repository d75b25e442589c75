"""The task's own steps: which data, which network, which metrics."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.model_selection import train_test_split
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

OUTPUT = "probabilities"


[=% include 'templates/hybrid-node-python-ml/tasks/classification/data.py' %=]

def fit(split: Split, params: dict[str, Any], seed: int) -> nn.Module:
    """Train the network."""
    hyperparameters = Hyperparameters.model_validate(params)
    classes, targets = np.unique(split.train_targets, return_inverse=True)
    sizes = [split.train_rows.shape[1], *hyperparameters.hidden, len(classes)]
    with reproducible(seed):
        network = nn.Sequential(Standardize(split.train_rows), perceptron(sizes))
        rows = torch.from_numpy(split.train_rows)
        loss = nn.CrossEntropyLoss()
        optimize(network, rows, torch.from_numpy(targets), loss, hyperparameters)
    return nn.Sequential(network, nn.Softmax(dim=1)).eval()


def reference(network: nn.Module, rows: Array) -> Array:
    """What training says about these rows, for comparison with ONNX: never only the labels."""
    return outputs_of(network, rows)


[=% include 'templates/hybrid-node-python-ml/tasks/classification/metrics.py' -%=]
