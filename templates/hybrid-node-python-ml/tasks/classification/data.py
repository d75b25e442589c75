@dataclass(frozen=True, slots=True)
class Split:
    """Rows and targets for training and for evaluation."""

    train_rows: Array
    test_rows: Array
    train_targets: npt.NDArray[np.int64]
    test_targets: npt.NDArray[np.int64]


def load_data(seed: int, test_share: float) -> Split:
    """Handwritten digits, 8 by 8 pixels, which ship inside scikit-learn."""
    digits = load_digits()
    rows = digits.data.astype(np.float32)
    return Split(
        *train_test_split(
            rows, digits.target, test_size=test_share, random_state=seed, stratify=digits.target
        )
    )
