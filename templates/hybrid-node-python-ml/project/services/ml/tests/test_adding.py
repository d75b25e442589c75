import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from fastapi.testclient import TestClient
from onnx import TensorProto, helper, numpy_helper

from ml import cli
from ml.app import create_app
from ml.model import Array, load
from ml.registry import Registry
from ml.settings import Settings
from ml.signature import SIGNATURE

from . import task, tiny
from .conftest import instances

CPU = ("CPUExecutionProvider",)
FEATURES = task.FEATURES
LABELS = ["--labels", *tiny.LABELS]


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("ML_REGISTRY_DIR", str(tmp_path / "models"))
    return Registry(tmp_path / "models")


def elsewhere(
    inputs: Sequence[tuple[str, int, list[str | int | None]]],
    extra: Sequence[onnx.NodeProto] = (),
    outputs: Sequence[onnx.ValueInfoProto] = (),
    weights: Array | None = None,
) -> onnx.ModelProto:
    """The tiny model behind inputs of other types and shapes, as other tools make them."""
    nodes, parts = [], []
    for name, _, _ in inputs:
        nodes += [
            helper.make_node("Cast", [name], [f"{name}-float"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", [f"{name}-float"], [f"{name}-flat"]),
        ]
        parts.append(f"{name}-flat")
    nodes += [
        helper.make_node("Concat", parts, ["row"], axis=1),
        helper.make_node("MatMul", ["row", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
        *extra,
    ]
    given = [helper.make_tensor_value_info(name, kind, ["n", *size]) for name, kind, size in inputs]
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", tiny.OUTPUTS])
    constants = [numpy_helper.from_array(tiny.weights() if weights is None else weights, "weights")]
    graph = helper.make_graph(nodes, "elsewhere", given, list(outputs) or [scores], constants)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def saved(model: onnx.ModelProto, tmp_path: Path) -> str:
    path = tmp_path / "Model from elsewhere.onnx"
    path.write_bytes(model.SerializeToString())
    return str(path)


def plain() -> onnx.ModelProto:
    return elsewhere([("x", TensorProto.FLOAT, [FEATURES])])


SHAPES: dict[str, list[tuple[str, int, list[str | int | None]]]] = {
    "float64": [("x", TensorProto.DOUBLE, [FEATURES])],
    "float16": [("x", TensorProto.FLOAT16, [FEATURES])],
    "whole numbers": [("x", TensorProto.INT64, [FEATURES])],
    "a width of its own choice": [("x", TensorProto.FLOAT, ["any"])],
    "rank 3": [("x", TensorProto.FLOAT, [FEATURES, 1])],
    "several inputs": [
        ("age", TensorProto.INT64, [1]),
        ("flag", TensorProto.INT32, []),
        ("rest", TensorProto.DOUBLE, [FEATURES - 2]),
    ],
}


@pytest.mark.parametrize("inputs", SHAPES.values(), ids=SHAPES)
def test_an_onnx_file_from_elsewhere_is_added_and_answers(
    registry: Registry, tmp_path: Path, inputs: list[tuple[str, int, list[str | int | None]]]
) -> None:
    file = saved(elsewhere(inputs), tmp_path)
    cli.main(["add", file, *LABELS])
    version = registry.resolve("production")
    assert registry.card(version).name == "model-from-elsewhere"
    # Whole numbers, which every type takes as they are.
    rows = np.random.default_rng(0).integers(0, 2, (4, FEATURES)).astype(np.float32)
    outputs = load(registry, version, 1, CPU).run(SIGNATURE.encode(rows.tolist()))
    np.testing.assert_allclose(outputs, tiny.predict(tiny.weights(), rows), atol=1e-5)
    with TestClient(create_app(Settings(reload_seconds=0))) as client:
        answer = client.post("/v1/predict", json={"instances": rows.tolist()})
        assert (answer.status_code, answer.json()["model"]["version"]) == (200, version)
        assert "ml_drift_psi{" not in client.get("/metrics").text


def test_a_map_of_classes_brings_its_labels(registry: Registry, tmp_path: Path) -> None:
    names = ["cat", "dog", "owl"]
    kind = helper.make_map_type_proto(
        TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    )
    named = helper.make_value_info("named", helper.make_sequence_type_proto(kind))
    zipped = helper.make_node(
        "ZipMap", ["scores"], ["named"], domain="ai.onnx.ml", classlabels_strings=names
    )
    inputs: list[tuple[str, int, list[str | int | None]]] = [("x", TensorProto.FLOAT, [FEATURES])]
    cli.main(["add", saved(elsewhere(inputs, [zipped], [named]), tmp_path)])
    card = registry.card(registry.resolve("production"))
    assert card.labels == names
    rows = np.asarray(instances(3), dtype=np.float32)
    outputs = load(registry, card.version, 1, CPU).run(SIGNATURE.encode(rows.tolist()))
    np.testing.assert_allclose(outputs, tiny.predict(tiny.weights(), rows), atol=1e-5)


def test_weights_beside_the_file_come_along_and_are_hashed_too(
    registry: Registry, tmp_path: Path
) -> None:
    file = tmp_path / "large.onnx"
    onnx.save_model(plain(), file, save_as_external_data=True, location="w.bin", size_threshold=0)
    cli.main(["add", str(file), *LABELS])
    version = registry.resolve("production")
    (tmp_path / "w.bin").unlink()
    rows = np.asarray(instances(2), dtype=np.float32)
    outputs = load(registry, version, 1, CPU).run(SIGNATURE.encode(rows.tolist()))
    np.testing.assert_allclose(outputs, tiny.predict(tiny.weights(), rows), atol=1e-5)
    weights = registry.root / version / "w.bin"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(SystemExit, match=r"w\.bin is missing or damaged"):
        cli.main(["promote", version])


@pytest.mark.parametrize("location", ["../w.bin", "link.bin", "model.json"])
def test_weights_from_anywhere_else_are_refused(
    registry: Registry, tmp_path: Path, location: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "large.onnx"
    onnx.save_model(plain(), file, save_as_external_data=True, location="w.bin", size_threshold=0)
    (folder / "w.bin").rename(tmp_path / "w.bin")
    (folder / "link.bin").symlink_to(tmp_path / "w.bin")
    (folder / "model.json").write_bytes((tmp_path / "w.bin").read_bytes())
    model = onnx.load_model_from_string(file.read_bytes())
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    file.write_bytes(model.SerializeToString())
    with pytest.raises(SystemExit, match="not a file beside it"):
        cli.main(["add", str(file), *LABELS])
    assert registry.versions() == []


def test_rows_of_training_give_it_a_baseline(registry: Registry, tmp_path: Path) -> None:
    rows = tiny.training_rows()
    (tmp_path / "rows.csv").write_text("\n".join(",".join(map(str, row)) for row in rows.tolist()))
    added = ["add", saved(plain(), tmp_path), "--rows", str(tmp_path / "rows.csv"), *LABELS]
    cli.main([*added, "--no-promote"])
    assert registry.aliases() == {}
    card = registry.card(registry.versions()[0])
    assert card.baseline is not None
    assert len(card.baseline.features) == FEATURES
    assert card.example is not None
    assert card.example.instance == rows[0].tolist()


def ambiguous() -> onnx.ModelProto:
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", tiny.OUTPUTS])
    again = helper.make_tensor_value_info("again", TensorProto.FLOAT, ["n", tiny.OUTPUTS])
    copy = helper.make_node("Identity", ["scores"], ["again"])
    return elsewhere([("x", TensorProto.FLOAT, [FEATURES])], [copy], [scores, again])


def too_wide() -> onnx.ModelProto:
    weights = np.vstack([tiny.weights(), tiny.weights()[:1]])
    return elsewhere([("x", TensorProto.FLOAT, [FEATURES + 1])], weights=weights)


def of_text() -> onnx.ModelProto:
    return elsewhere([("x", TensorProto.STRING, [FEATURES])])


@pytest.mark.parametrize(
    ("made", "labels", "reason"),
    [
        (ambiguous, LABELS, "choose with --output: scores, again"),
        (too_wide, LABELS, "do not take the task's"),
        (of_text, LABELS, "do not take the task's 12 numbers"),
        (plain, ["--labels", "only one"], "its labels: 1 where there should be 3"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(
    registry: Registry, tmp_path: Path, made: "object", labels: list[str], reason: str
) -> None:
    assert callable(made)
    with pytest.raises(SystemExit, match=r"^not registered: ") as refused:
        cli.main(["add", saved(made(), tmp_path), *labels])
    assert reason in str(refused.value)
    assert registry.versions() == []


def test_what_is_no_onnx_file_is_refused(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_text("weights")
    for file in ("x.onnx", "missing.onnx"):
        with pytest.raises(SystemExit, match="not registered"):
            cli.main(["add", str(tmp_path / file)])
    assert registry.versions() == []


def test_files_of_rows_are_predicted_line_by_line(
    registry: Registry,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny.register(registry)
    monkeypatch.setenv("ML_MAX_BATCH", "4")
    rows = instances(10)
    header = ",".join(f"column {number}" for number in range(FEATURES))
    lines = [",".join(map(str, row)) for row in rows]
    (tmp_path / "rows.csv").write_text("\n".join([header, *lines]) + "\n")
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    printed = []
    for name in ("rows.csv", "rows.jsonl"):
        cli.main(["predict", str(tmp_path / name)])
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    with TestClient(create_app(Settings(reload_seconds=0))) as client:
        expected = client.post("/v1/predict", json={"instances": rows[:4]}).json()["predictions"]
    assert [json.loads(line) for line in printed[0].splitlines()][:4] == expected
    assert len(printed[0].splitlines()) == 10


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        ("rows.csv", ",".join(["1"] * (FEATURES + 1)), "line 2: "),
        ("rows.csv", ",".join(["1"] * (FEATURES - 1) + ["x"]), f"line 2, column {FEATURES}: "),
        ("rows.csv", ",".join(["1"] * (FEATURES - 1) + ["nan"]), f"line 2, column {FEATURES}: "),
        ("rows.jsonl", "{", "line 2 is not JSON"),
        ("rows.parquet", "", ".csv, .jsonl, .ndjson"),
    ],
)
def test_a_line_that_is_no_row_is_named(
    registry: Registry, tmp_path: Path, name: str, line: str, reason: str
) -> None:
    tiny.register(registry)
    good = ["1"] * FEATURES
    first = ",".join(good) if name == "rows.csv" else f"[{','.join(good)}]"
    (tmp_path / name).write_text(f"{first}\n{line}\n")
    with pytest.raises(SystemExit, match="ml: ") as refused:
        cli.main(["predict", str(tmp_path / name)])
    assert reason in str(refused.value)
