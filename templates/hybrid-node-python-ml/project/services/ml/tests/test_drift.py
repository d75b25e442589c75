import numpy as np
import pytest

from ml.batch import Batch
from ml.drift import DriftMonitor, baseline_of, histogram, psi
from ml.registry import Baseline


def monitor(window: int = 1000) -> DriftMonitor:
    generator = np.random.default_rng(0)
    columns = [histogram(generator.normal(size=5000)) for _ in range(3)]
    return DriftMonitor(
        Baseline(features=columns, prediction=histogram(generator.normal(size=5000))), window
    )


def feed(watched: DriftMonitor, mean: float, count: int = 900) -> dict[str, float]:
    generator = np.random.default_rng(1)
    rows = generator.normal(mean, size=(count, 3)).astype(np.float32)
    watched.observe(Batch({"x": rows}), generator.normal(mean, size=count))
    return watched.indices()


def test_traffic_like_the_training_data_is_stable() -> None:
    assert max(feed(monitor(), 0).values()) < 0.1


def test_traffic_that_moved_is_seen_in_features_and_predictions() -> None:
    assert min(feed(monitor(), 1).values()) > 0.25


def test_rows_that_come_alone_count_like_those_that_come_together() -> None:
    together, alone = monitor(), monitor()
    generator = np.random.default_rng(1)
    rows, signal = generator.normal(1, size=(250, 3)), generator.normal(1, size=250)
    together.observe(Batch({"x": rows}), signal)
    for place in range(len(rows)):
        alone.observe(Batch({"x": rows[place : place + 1]}), signal[place : place + 1])
    assert alone.indices() == together.indices()


def test_too_little_traffic_tells_nothing() -> None:
    assert feed(monitor(), 1, count=50) == {}


def test_old_traffic_fades_out() -> None:
    watched = monitor()
    moved = feed(watched, 1)["feature_mean"]
    for _ in range(6):
        recovered = feed(watched, 0)["feature_mean"]
    assert recovered < moved / 5


def test_a_constant_feature_still_has_a_histogram() -> None:
    constant = histogram(np.zeros(100))
    assert sum(constant.counts) == 100
    assert len(constant.counts) == len(constant.edges) + 1


def test_equal_distributions_have_no_distance() -> None:
    counts = np.array([1.0, 2, 3])
    assert psi(counts, counts * 7) == pytest.approx(0)


def test_of_wide_rows_a_sample_of_the_features_is_watched() -> None:
    generator = np.random.default_rng(0)
    column = histogram(generator.normal(size=500))
    watched = DriftMonitor(Baseline(features=[column] * 1000, prediction=column), 1000)
    rows = generator.normal(1, size=(500, 1000)).astype(np.float32)
    watched.observe(Batch({"x": rows}), rows[:, 0].astype(np.float64))
    assert min(watched.indices().values()) > 0.25


def test_where_no_value_has_a_fixed_place_what_is_said_is_watched() -> None:
    texts = Batch({"words": np.array([["a", "b"]] * 300, dtype=object)}, frozenset({"words"}))
    watched = DriftMonitor(baseline_of(texts, np.arange(300.0)), window=299)
    watched.observe(texts, np.zeros(300))
    assert watched.indices() == {}
    watched.observe(texts, np.zeros(300))
    assert list(watched.indices()) == ["prediction"]
    assert watched.indices()["prediction"] > 0.25
