import numpy as np
import pytest

from ml.batch import Batch


def texts(*values: str) -> np.ndarray:
    return np.asarray(values, dtype=object).reshape(-1, 1)


def test_a_batch_of_several_tensors_is_joined_and_split_by_its_instances() -> None:
    one = Batch({"city": texts("a", "b"), "image": np.ones((2, 3, 4), np.uint8)})
    other = Batch({"city": texts("c"), "image": np.zeros((1, 3, 4), np.uint8)})
    joined = Batch.concat([one, other])
    assert len(joined) == 3
    assert joined.tensors["city"].tolist() == [["a"], ["b"], ["c"]]
    assert joined.tensors["image"].shape == (3, 3, 4)
    parts = list(joined.split(2))
    assert [len(part) for part in parts] == [2, 1]
    assert parts[1].tensors["city"].tolist() == [["c"]]
    assert parts[1].tensors["image"].sum() == 0
    assert one.repeated(5).tensors["city"].tolist() == [["a"]] * 5


def test_rows_of_any_length_are_filled_up_to_the_longest() -> None:
    varying = frozenset({"tokens", "words"})
    short = Batch({"tokens": np.ones((2, 1), np.int64), "words": texts("a", "b")}, varying)
    words = np.asarray([["c", "d", "e"]], dtype=object)
    long = Batch({"tokens": np.full((1, 3), 2, np.int64), "words": words}, varying)
    joined = Batch.concat([short, long])
    assert joined.tensors["tokens"].tolist() == [[1, 0, 0], [1, 0, 0], [2, 2, 2]]
    assert joined.tensors["words"].tolist()[0] == ["a", "", ""]
    assert joined.varying == varying


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ValueError, match="as many rows"):
        Batch({"a": np.ones((2, 1)), "b": np.ones((3, 1))})
    with pytest.raises(ValueError, match="dimension"):
        Batch.concat([Batch({"a": np.ones((1, 2))}), Batch({"a": np.ones((1, 3))})])
    with pytest.raises(ValueError, match="other inputs"):
        Batch.concat([Batch({"a": np.ones((1, 2))}), Batch({"b": np.ones((1, 2))})])
