"""Bytes as an instance and as a column: images, from a service of its own."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
from onnx import TensorProto, helper
from pydantic import ValidationError

from ml.batch import Batch
from ml.fields import Integer, Octets, Row
from ml.signature import Signature

from . import of_images
from .conftest import SERVICE, serving


def in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def image(*pixels: int) -> str:
    return in_base64(b"P5 2 2 255\n" + bytes(pixels))


def ml(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.of_images", *arguments]
    environment = {**os.environ, "ML_REGISTRY_DIR": str(folder / "models")}
    return subprocess.run(
        command, cwd=SERVICE, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one model, which gives the mean of an image's pixels."""
    folder = tmp_path_factory.mktemp("images")
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["mean"]),
    ]
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 1, 2, 2])
    made = helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["n", 1])
    graph = helper.make_graph(nodes, "mean", [given], [made])
    opset = [helper.make_opsetid("", 21)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    (folder / "mean.onnx").write_bytes(model.SerializeToString())
    added = ml(folder, "add", str(folder / "mean.onnx"))
    assert added.returncode == 0, added.stderr
    return folder


@pytest.fixture(scope="module")
def url(models: Path) -> Iterator[str]:
    where = {"ML_REGISTRY_DIR": str(models / "models")}
    with serving(("-m", "tests.of_images"), **where) as server:
        yield server.url


def predict(url: str, *instances: object) -> Any:  # noqa: ANN401
    answer = httpx2.post(f"{url}/v1/predict", json={"instances": instances}, timeout=60)
    return answer.status_code, answer.json()


def test_images_are_answered(url: str) -> None:
    status, body = predict(url, image(0, 0, 0, 0), image(1, 2, 3, 4), image(255, 255, 255, 255))
    assert status == 200, body
    assert [one["embedding"] for one in body["predictions"]] == [[0], [2.5], [255]]


@pytest.mark.parametrize(
    ("instance", "where", "reason"),
    [
        (in_base64(b"GIF89a"), None, "Instance 0 is no PGM of 2 by 2 pixels"),
        (in_base64(b"x" * (of_images.MOST + 1)), "body.instances.0", "at most 50 bytes"),
        (in_base64(b"x" * 60), "body.instances.0", "more than 50 bytes"),
        ("", "body.instances.0", "at least 1 byte"),
        ("UDUgM", "body.instances.0", "no base64"),
        ("UDUg MiA=", "body.instances.0", "no base64"),
        ("UDUgMiA=\n", "body.instances.0", "no base64"),
        ("UDU-_iA=", "body.instances.0", "no base64"),
        (7, "body.instances.0", "valid bytes"),
        ([80, 53], "body.instances.0", "valid bytes"),
    ],
)
def test_what_is_no_image_is_the_callers_to_know(
    url: str, instance: object, where: str | None, reason: str
) -> None:
    status, body = predict(url, instance)
    assert (status, body["code"]) == (422, "invalid_request")
    if where is None:
        assert body["detail"] == reason
    else:
        (error,) = body["errors"]
        assert error["path"] == where
        assert reason in json.dumps(error)


def test_the_contract_says_how_bytes_are_sent(models: Path) -> None:
    contract = json.loads(ml(models, "openapi").stdout)
    request = contract["components"]["schemas"]["PredictRequest"]
    items = request["properties"]["instances"]["items"]
    assert (items["type"], items["contentEncoding"]) == ("string", "base64")
    assert (items["minLength"], items["maxLength"]) == (4, 68)
    assert request["examples"] == [{"instances": [in_base64(of_images.EXAMPLE)]}]
    # They are no text, whatever the answer is.
    assert "/v1/embeddings" not in contract["paths"]


def test_images_are_predicted_from_json_lines(models: Path) -> None:
    lines = [json.dumps(image(*[brightness] * 4)) for brightness in range(100)]
    (models / "images.jsonl").write_text("\n".join(lines))
    (models / "images.csv").write_text("\n".join(lines))
    predicted = ml(models, "predict", str(models / "images.jsonl"))
    assert predicted.returncode == 0, predicted.stderr
    answers = [json.loads(line)["embedding"] for line in predicted.stdout.splitlines()]
    assert answers == [[brightness] for brightness in range(100)]
    assert "from JSON lines" in ml(models, "predict", str(models / "images.csv")).stderr


class Photo(Row):
    """A row with a column of bytes."""

    taken: Integer
    content: Annotated[bytes, Octets(3)]


def test_a_column_may_be_bytes_too() -> None:
    photo = {"taken": 7, "content": in_base64(b"abc")}

    def encode(photos: "list[Photo]") -> Batch:
        return of_images.encode([of_images.EXAMPLE for _ in photos])

    signature = Signature(Photo, photo, own_encode=encode)
    one = signature.adapter.validate_python(photo)
    assert one == Photo(taken=7, content=b"abc")
    assert signature.as_json(one) == photo
    assert len(signature.golden) == 1
    assert signature.longest is not None
    assert len(json.dumps(photo)) <= signature.longest
    with pytest.raises(ValidationError, match="at most 3 bytes"):
        Photo(taken=7, content=b"abcd")
    with pytest.raises(TypeError, match="has to say in `encode` how 'content'"):
        _ = Signature(Photo, photo).golden


@pytest.mark.parametrize("most", [1, 2, 3, 4, 50])
def test_the_longest_fits_and_is_the_longest_that_is_read(most: int) -> None:
    signature = Signature(Annotated[bytes, Octets(most)], b"a")
    longest = in_base64(b"\xff" * most)
    assert signature.adapter.validate_python(longest) == b"\xff" * most
    assert signature.longest == len(json.dumps(longest))
    with pytest.raises(ValidationError):
        signature.adapter.validate_python(in_base64(b"\xff" * (most + 1)))
