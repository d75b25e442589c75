"""Drift: how far live traffic has moved from the training data.

The measure is the population stability index (PSI) between histograms. Below 0.1 is usually
read as stable and above 0.25 as a shift that deserves a look.
"""

import threading
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ml.registry import Baseline, Histogram

Floats = npt.NDArray[np.float64]

BINS = 10
MINIMUM_ROWS = 200
EPSILON = 1e-3
# Of a wide row only so many features are watched, evenly spread: serving must not pay for more.
WATCHED_FEATURES = 256


def histogram(values: Floats) -> Histogram:
    """A histogram with edges at the quantiles, so that no bin is empty by construction."""
    quantiles = np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1])
    edges = np.unique(quantiles)
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    return Histogram(edges=edges.tolist(), counts=counts.tolist())


def psi(expected: Floats, actual: Floats) -> Floats:
    """The index along the last axis, from counts."""
    p = expected / expected.sum(axis=-1, keepdims=True)
    q = actual / actual.sum(axis=-1, keepdims=True)
    p, q = np.maximum(p, EPSILON), np.maximum(q, EPSILON)
    index: Floats = ((q - p) * np.log(q / p)).sum(axis=-1)
    return index


class _Histograms:
    """Counts of many signals at once, padded to the same number of bins."""

    def __init__(self, baselines: Iterable[Histogram]) -> None:
        self._baselines = list(baselines)
        bins = max(len(one.counts) for one in self._baselines)
        self._edges = np.full((len(self._baselines), bins - 1), np.inf)
        self._expected = np.zeros((len(self._baselines), bins))
        for row, one in enumerate(self._baselines):
            self._edges[row, : len(one.edges)] = one.edges
            self._expected[row, : len(one.counts)] = one.counts
        self._actual = np.zeros_like(self._expected)
        self._offsets = np.arange(len(self._baselines)) * bins

    def add(self, rows: Floats) -> None:
        bins = (rows[:, :, None] > self._edges).sum(axis=2)
        counts = np.bincount((bins + self._offsets).ravel(), minlength=self._actual.size)
        self._actual += counts.reshape(self._actual.shape)

    def halve(self) -> None:
        self._actual *= 0.5

    def psi(self) -> Floats:
        return psi(self._expected, self._actual)


class DriftMonitor:
    """Compares recent rows with the baseline of the model that is being served."""

    def __init__(self, baseline: Baseline, window: int) -> None:
        width = len(baseline.features)
        self._columns = np.linspace(0, width - 1, min(width, WATCHED_FEATURES)).astype(int)
        self._features = _Histograms(baseline.features[column] for column in self._columns)
        self._prediction = _Histograms([baseline.prediction])
        self._window = window
        self._rows = 0.0
        self._lock = threading.Lock()

    def observe(self, rows: npt.NDArray[np.float32], signal: Floats) -> None:
        """Count one batch; older rows fade out."""
        with self._lock:
            self._features.add(rows[:, self._columns].astype(np.float64))
            self._prediction.add(signal[:, None])
            self._rows += len(rows)
            if self._rows > self._window:
                self._features.halve()
                self._prediction.halve()
                self._rows /= 2

    def indices(self) -> dict[str, float]:
        """The index of every signal, empty until there is enough traffic to tell."""
        with self._lock:
            if self._rows < MINIMUM_ROWS:
                return {}
            features = self._features.psi()
            prediction = self._prediction.psi()
        return {
            "feature_max": float(features.max()),
            "feature_mean": float(features.mean()),
            "prediction": float(prediction[0]),
        }
