def evaluate(split: Split, outputs: Array, train_outputs: Array) -> dict[str, float]:
    """How good the exported model is on rows it has not seen."""
    predicted = outputs.argmax(axis=1)
    probabilities = outputs.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return {
        "accuracy": float(accuracy_score(split.test_targets, predicted)),
        "f1_macro": float(f1_score(split.test_targets, predicted, average="macro")),
        "log_loss": float(log_loss(split.test_targets, probabilities)),
        "train_accuracy": float(accuracy_score(split.train_targets, train_outputs.argmax(axis=1))),
    }


def labels(split: Split) -> list[str]:
    """The names of the classes, in the order of the outputs."""
    return [str(label) for label in np.unique(split.train_targets)]
