"""What follows from a task of named columns: the other tests have one without names."""

import io
import json
from collections.abc import Sequence
from types import ModuleType
from typing import Annotated, Literal

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from pydantic import Field, ValidationError

from ml import rows
from ml.batch import Batch
from ml.drift import DriftMonitor, baseline_of
from ml.fields import Integer, Number, Row, Text
from ml.model import session_for
from ml.signature import Column, Signature
from ml.tensors import feed, inputs_of

CPU = ("CPUExecutionProvider",)


class Customer(Row):
    """A customer of the tests."""

    months: Integer
    income: Number | None
    plan: Literal["basic", "plus"]
    city: Text = "unknown"
    is_new: bool = False
    usage: Annotated[list[Number], Field(min_length=2, max_length=2)]


class Nested(Row):
    """Has no cell in a table."""

    points: list[list[Number]]


ADA = {"months": 3, "income": 2.5, "plan": "plus", "city": "Bern", "usage": [0.5, 1]}
EVE = {"months": 2**40, "income": None, "plan": "basic", "is_new": True, "usage": [0, 0.25]}
SIGNATURE = Signature(Customer, ADA)


def encoded(*customers: object) -> Batch:
    return SIGNATURE.encode([SIGNATURE.adapter.validate_python(one) for one in customers])


def test_each_column_becomes_a_tensor_of_its_type() -> None:
    tensors = encoded(ADA, EVE).tensors
    assert list(tensors) == ["months", "income", "plan", "city", "is_new", "usage"]
    assert {name: one.tolist() for name, one in tensors.items() if name != "income"} == {
        "months": [[3], [2**40]],
        "plan": [["plus"], ["basic"]],
        "city": [["Bern"], ["unknown"]],
        "is_new": [[False], [True]],
        "usage": [[0.5, 1], [0, 0.25]],
    }
    np.testing.assert_array_equal(tensors["income"], [[2.5], [np.nan]])
    assert SIGNATURE.features == 7
    assert SIGNATURE.named_inputs == {
        "months": "int64",
        "income": "float32",
        "plan": "string",
        "city": "string",
        "is_new": "bool",
        "usage": "float32",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"months": "3"},
        {"months": True},
        {"months": 2.5},
        {"months": 2**53},
        {"months": None},
        {"income": float("nan")},
        {"plan": "gold"},
        {"city": "x" * 1001},
        {"usage": [1]},
        {"other": 1},
    ],
)
def test_an_instance_is_held_to_what_is_declared(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        encoded(ADA | change)


def test_no_instance_is_longer_in_json_than_the_longest() -> None:
    assert SIGNATURE.longest is not None
    largest = ADA | {"months": -(2**53) + 1, "city": "\U0001f600" * 1000, "usage": [-3.4e38] * 2}
    SIGNATURE.adapter.validate_python(largest)
    assert len(json.dumps(largest)) < SIGNATURE.longest < 2 * len(json.dumps(largest))
    assert Signature(str, "").longest is None
    assert Signature(list[Number], []).longest is None


def test_rows_of_any_length_and_whole_numbers_that_may_be_missing() -> None:
    words = Signature(list[Text], ["a"])
    batch = words.encode([["a"], ["b", "c"]])
    assert batch.tensors["input"].tolist() == [["a", ""], ["b", "c"]]
    assert (batch.varying, words.features) == (frozenset({"input"}), 0)
    assert Column.of("age", {"anyOf": [{"type": "integer"}, {"type": "null"}]}).type is np.float32


def test_what_has_no_tensor_of_its_own_needs_an_encoding_of_the_owners() -> None:
    with pytest.raises(TypeError, match="has to say in `encode` how 'input'"):
        _ = Signature(list[list[Number]], [[1]]).golden

    def encode(instances: Sequence[list[list[float]]]) -> Batch:
        return Batch({"image": np.asarray(instances, dtype=np.float32)})

    own = Signature(list[list[Number]], [[1, 2], [3, 4]], own_encode=encode)
    assert own.golden.tensors["image"].shape == (1, 2, 2)
    assert (own.features, own.takes_octets) == (4, False)
    broken = Signature(list[Number], [1], own_encode=lambda _: Batch({"x": np.ones((5, 1))}))
    with pytest.raises(TypeError, match="5 rows of 1 instances"):
        _ = broken.golden


def test_rows_of_a_file_are_read_by_the_names_of_their_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows, "SIGNATURE", SIGNATURE)
    lines = io.StringIO("id,city,months,income,plan\n1,007,3,2.5,plus\n2,Ulm,x,,basic\n")
    assert list(rows._csv(lines)) == [
        (2, {"months": 3, "income": 2.5, "plan": "plus", "city": "007"}),
        (3, {"months": "x", "income": None, "plan": "basic", "city": "Ulm"}),
    ]
    monkeypatch.setattr(rows, "SIGNATURE", Signature(Nested, {}))
    with pytest.raises(rows.RowError, match="JSON lines"):
        list(rows._csv(io.StringIO("points\n1\n")))


Inputs = dict[str, tuple[int, list[str | int | None]]]


def test_a_task_as_it_was_up_to_0_9_declares_so_many_numbers() -> None:
    old = ModuleType("task")
    vars(old).update(FEATURES=3, Feature=Number)
    signature = Signature.of(old)
    assert signature.encode([[1, 2, 3]]).tensors["input"].tolist() == [[1, 2, 3]]
    assert (signature.features, signature.takes_octets, signature.named_inputs) == (3, True, {})


def echo(inputs: Inputs) -> onnx.ModelProto:
    """A model that gives what it was given, as strings, side by side."""
    nodes = []
    for name in inputs:
        nodes += [
            helper.make_node("Flatten", [name], [f"{name}-flat"]),
            helper.make_node("Cast", [f"{name}-flat"], [f"{name}-text"], to=TensorProto.STRING),
        ]
    parts = [f"{name}-text" for name in inputs]
    nodes.append(helper.make_node("Concat", parts, ["given"], axis=1))
    taken = [
        helper.make_tensor_value_info(name, kind, ["n", *size])
        for name, (kind, size) in inputs.items()
    ]
    given = helper.make_tensor_value_info("given", TensorProto.STRING, ["n", None])
    graph = helper.make_graph(nodes, "echo", taken, [given])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def given_to(inputs: Inputs, **changes: object) -> list[list[str]]:
    session = session_for(echo(inputs).SerializeToString(), 1, CPU)
    batch = encoded(ADA | changes, ADA | changes | {"city": "Ulm"})
    (given,) = session.run(["given"], feed(inputs_of(session, SIGNATURE.golden), batch))
    values: list[list[str]] = given.tolist()
    return values


def test_inputs_take_the_columns_that_they_are_named_after() -> None:
    number, text = TensorProto.FLOAT, TensorProto.STRING
    named: Inputs = {
        "city": (text, [1]),
        "usage": (number, [2]),
        "income": (TensorProto.DOUBLE, ["any"]),
        "plan": (text, []),
        "is_new": (TensorProto.INT64, [1]),
        "months": (TensorProto.INT64, [1, 1]),
    }
    first, second = given_to(named)
    assert first == ["Bern", "0.5", "1", "2.5", "plus", "0", "3"]
    assert second == ["Ulm", *first[1:]]


def test_inputs_of_other_names_share_the_rest_by_kind_in_its_order() -> None:
    number, text = TensorProto.FLOAT, TensorProto.STRING
    first, _ = given_to({"texts": (text, ["any"]), "numbers": (number, ["any"])})
    assert first == ["plus", "Bern", "3", "2.5", "0", "0.5", "1"]
    first, _ = given_to(
        {"a": (number, [2]), "b": (number, [3]), "city": (text, [1]), "t": (text, [1])}
    )
    assert first == ["3", "2.5", "0", "0.5", "1", "Bern", "plus"]


def test_whole_numbers_are_the_nearest() -> None:
    inputs: Inputs = {"x": (TensorProto.INT64, [5]), "t": (TensorProto.STRING, [2])}
    first, _ = given_to(inputs, usage=[0.75, -0.75])
    assert first[3:5] == ["1", "-1"]


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"texts": (TensorProto.STRING, [2])}, "(none) do not take the task's 5 numbers"),
        ({"x": (TensorProto.FLOAT, [5])}, "(none) do not take the task's 2 strings"),
        ({"city": (TensorProto.FLOAT, [1])}, "'city' is a tensor(float), the task's are strings"),
        ({"usage": (TensorProto.FLOAT, [3])}, "'usage' is 3 wide, the task's 2"),
    ],
)
def test_inputs_that_do_not_take_every_column_are_refused(inputs: Inputs, reason: str) -> None:
    with pytest.raises(ValueError, match="input") as refused:
        given_to(inputs)
    assert reason in str(refused.value)


def test_drift_is_seen_in_strings_and_in_what_is_missing() -> None:
    def customers(plan: str, income: float | None) -> Batch:
        return encoded(
            *[ADA | {"plan": plan, "income": income}] * 100, *[ADA | {"income": 1}] * 300
        )

    signal = np.zeros(400)
    usual, others, missing = (
        customers("basic", 2.5),
        customers("plus", 2.5),
        customers("basic", None),
    )
    for before, now, moved in (
        (usual, usual, False),
        (usual, others, True),
        (usual, missing, True),
        (missing, missing, False),
    ):
        watched = DriftMonitor(baseline_of(before, signal), 10_000)
        watched.observe(now, signal)
        assert (watched.indices()["feature_max"] > 0.25) == moved
