def evaluate(split: Split, outputs: Array, train_outputs: Array) -> dict[str, float]:
    """How good the exported model is on rows it has not seen."""
    return {
        "r2": float(r2_score(split.test_targets, outputs[:, 0])),
        "mean_absolute_error": float(mean_absolute_error(split.test_targets, outputs[:, 0])),
        "train_r2": float(r2_score(split.train_targets, train_outputs[:, 0])),
    }


def labels(split: Split) -> list[str]:  # noqa: ARG001
    """A regression has no classes."""
    return []
