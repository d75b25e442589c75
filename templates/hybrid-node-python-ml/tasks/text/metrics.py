def evaluate(split: Split, outputs: Array, train_outputs: Array) -> dict[str, float]:  # noqa: ARG001
    """How often a sentence finds its passage among the first five, none of which was trained on.

    Beside it stands what counting words in common finds.
    """
    counts = CountVectorizer(analyzer=task.tokens).fit_transform(split.test_rows)
    return {
        "recall_at_5": _recall(outputs),
        "recall_at_5_by_counting_words": _recall(normalize(counts).toarray()),
    }


def _recall(vectors: Array) -> float:
    sentences, passages = np.split(vectors, 2)
    likeness = sentences @ passages.T
    nearer = (likeness > np.diag(likeness)[:, None]).sum(axis=1)
    return float((nearer < 5).mean())


def labels(split: Split) -> list[str]:  # noqa: ARG001
    """An embedding has no classes."""
    return []
