"""Drift: how far live traffic has moved from the training data.

The measure is the population stability index (PSI) between histograms. Below 0.1 is usually
read as stable and above 0.25 as a shift that deserves a look.
"""

import threading
from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ml.batch import Batch, Tensor, is_text
from ml.registry import Baseline, Histogram

Floats = npt.NDArray[np.float64]

BINS = 10
MINIMUM_ROWS = 200
COUNTED_AT_ONCE = 32
EPSILON = 1e-3
# Of the strings of a column only so many are told apart.
CATEGORIES = 50
# Of a wide row only so many features are watched, evenly spread: serving must not pay for more.
WATCHED_FEATURES = 256


def baseline_of(batch: Batch, signal: Floats) -> Baseline:
    """What the model saw and said on these instances."""
    return Baseline(features=histograms(batch), prediction=histogram(signal))


def histograms(batch: Batch) -> list[Histogram]:
    """A histogram for each value that an instance has at a fixed place."""
    found = []
    for tensor in _fixed(batch):
        of = _of_strings if is_text(tensor) else histogram
        found += [of(column) for column in tensor.T]
    return found


def histogram(values: Tensor) -> Histogram:
    """A histogram with edges at the quantiles, so that no bin is empty by construction.

    Missing values are counted among the largest.
    """
    values = np.nan_to_num(values.astype(np.float64), nan=np.inf)
    known = values[np.isfinite(values)]
    shares = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = np.unique(np.quantile(known, shares)) if known.size else np.empty(0)
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    return Histogram(edges=edges.tolist(), counts=counts.tolist())


def _of_strings(values: Tensor) -> Histogram:
    common = Counter(values.tolist()).most_common(CATEGORIES)
    categories = [value for value, _ in common]
    edges = [place + 0.5 for place in range(len(categories))]
    counts = [count for _, count in common]
    return Histogram(
        edges=edges, counts=[*counts, len(values) - sum(counts)], categories=categories
    )


def _fixed(batch: Batch) -> list[Tensor]:
    tensors = batch.tensors.items()
    return [one.reshape(len(batch), -1) for name, one in tensors if name not in batch.varying]


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
        # For each value at a fixed place, the places of the strings that are told apart.
        self._places = [
            {value: place for place, value in enumerate(one.categories)}
            for one in baseline.features
        ]
        # None where no value has a fixed place, as in texts.
        self._features = (
            _Histograms(baseline.features[column] for column in self._columns) if width else None
        )
        self._prediction = _Histograms([baseline.prediction])
        self._window = window
        self._rows = 0.0
        self._uncounted: list[tuple[Floats | None, Floats]] = []
        self._lock = threading.Lock()

    def observe(self, batch: Batch, signal: Floats) -> None:
        """Count one batch; older rows fade out."""
        values = self._watched(batch) if self._features else None
        with self._lock:
            self._uncounted.append((values, signal))
            self._rows += len(batch)
            if len(self._uncounted) >= COUNTED_AT_ONCE or self._rows > self._window:
                self._count()
            if self._rows > self._window:
                if self._features:
                    self._features.halve()
                self._prediction.halve()
                self._rows /= 2

    def _count(self) -> None:
        """Count what was noted: many lonely rows together cost as much as one."""
        if not self._uncounted:
            return
        values, signals = zip(*self._uncounted, strict=True)
        self._uncounted.clear()
        if self._features:
            self._features.add(np.concatenate(values))
        self._prediction.add(np.concatenate(signals)[:, None])

    def _watched(self, batch: Batch) -> Floats:
        """The values that are watched, with strings as the places of their categories."""
        parts: list[Tensor] = []
        start = 0
        for tensor in _fixed(batch):
            places = self._places[start : start + tensor.shape[1]]
            start += tensor.shape[1]
            parts.append(_placed(tensor, places) if is_text(tensor) else tensor)
        values = parts[0] if len(parts) == 1 else np.concatenate([*parts], axis=1)
        return np.nan_to_num(values[:, self._columns].astype(np.float64), nan=np.inf)

    def indices(self) -> dict[str, float]:
        """The index of every signal, empty until there is enough traffic to tell."""
        with self._lock:
            if self._rows < MINIMUM_ROWS:
                return {}
            self._count()
            features = self._features.psi() if self._features else None
            indices = {"prediction": float(self._prediction.psi()[0])}
        if features is not None:
            indices["feature_max"] = float(features.max())
            indices["feature_mean"] = float(features.mean())
        return indices


def _placed(tensor: Tensor, places: list[dict[str, int]]) -> Floats:
    columns = [
        [known.get(value, len(known)) for value in column]
        for column, known in zip(tensor.T.tolist(), places, strict=True)
    ]
    return np.asarray(columns, dtype=np.float64).T
