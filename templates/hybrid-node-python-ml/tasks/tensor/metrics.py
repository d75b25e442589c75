def evaluate(split: Split, outputs: Array, train_outputs: Array) -> dict[str, float]:
    """How well neighbours in the embedding share a digit, on rows the model has not seen."""
    neighbours = KNeighborsClassifier(5).fit(train_outputs, split.train_targets)
    return {"neighbour_accuracy": float(neighbours.score(outputs, split.test_targets))}


def labels(split: Split) -> list[str]:  # noqa: ARG001
    """An embedding has no classes."""
    return []
