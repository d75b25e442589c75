@dataclass(frozen=True, slots=True)
class Split:
    """Rows and targets for training and for evaluation."""

    train_rows: Array
    test_rows: Array
    train_targets: npt.NDArray[np.float64]
    test_targets: npt.NDArray[np.float64]


def load_data(seed: int, test_share: float) -> Split:
    """The progression of diabetes after a year, which ships inside scikit-learn."""
    diabetes = load_diabetes()
    rows = diabetes.data.astype(np.float32)
    return Split(*train_test_split(rows, diabetes.target, test_size=test_share, random_state=seed))
