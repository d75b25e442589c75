"""Embeddings of texts, from a service of its own: the other tests have a task of numbers."""

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from onnx import TensorProto, helper, numpy_helper

from ml.registry import Registry

from .conftest import SERVICE, serving

TOKEN = "a token of sixteen characters"
# Of what fills up a text, of unknown words, and of the words that are known.
VECTORS = np.array([[0, 0], [0.5, 0.5], [1, 0], [0, 2], [3, 4]], dtype=np.float32)


def model(*words: str) -> bytes:
    """The sum of the vectors of a text's words."""
    places = helper.make_node(
        "LabelEncoder",
        ["words"],
        ["ids"],
        domain="ai.onnx.ml",
        keys_strings=["", *words],
        values_int64s=[0, 2, 3, 4],
        default_int64=1,
    )
    nodes = [
        places,
        helper.make_node("Gather", ["table", "ids"], ["vectors"]),
        helper.make_node("ReduceSum", ["vectors", "axes"], ["sum"], keepdims=0),
    ]
    axes = np.array([1], dtype=np.int64)
    graph = helper.make_graph(
        nodes,
        "sums",
        [helper.make_tensor_value_info("words", TensorProto.STRING, ["texts", "words"])],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["texts", 2])],
        [numpy_helper.from_array(VECTORS, "table"), numpy_helper.from_array(axes, "axes")],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    content: bytes = made.SerializeToString(deterministic=True)
    return content


def ml(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.of_text", *arguments]
    environment = {**os.environ, "ML_REGISTRY_DIR": str(folder / "models")}
    return subprocess.run(
        command, cwd=SERVICE, env=environment, capture_output=True, text=True, check=False
    )


def add(folder: Path, *words: str) -> str:
    """Register and promote a model that knows these words; give its version."""
    (folder / "sums.onnx").write_bytes(model(*words))
    added = ml(folder, "add", str(folder / "sums.onnx"))
    assert added.returncode == 0, added.stderr
    return added.stdout.split()[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    add(folder, "red", "green", "blue")
    return folder


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[httpx2.Client]:
    environment = {"ML_REGISTRY_DIR": str(folder / "models"), "ML_SERVICE_TOKEN": TOKEN}
    headers = {"authorization": f"Bearer {TOKEN}"}
    with (
        serving(("-m", "tests.of_text"), ML_RELOAD_SECONDS="0.05", **environment) as server,
        httpx2.Client(base_url=server.url, headers=headers, timeout=60) as client,
    ):
        yield client


def embed(service: httpx2.Client, texts: object, **more: object) -> httpx2.Response:
    return service.post("/v1/embeddings", json={"input": texts, "model": "sums"} | more)


def embeddings(answer: httpx2.Response) -> list[Any]:
    assert answer.status_code == 200, answer.text
    return [one["embedding"] for one in answer.json()["data"]]


def test_a_text_and_several_are_answered_in_the_form_of_openai(service: httpx2.Client) -> None:
    answer = embed(service, "red green")
    assert answer.json() == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [1, 2]}],
        "model": "sums",
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }
    several = embed(service, ["blue", "red green never-seen", "green"]).json()
    assert [one["index"] for one in several["data"]] == [0, 1, 2]
    # What fills up the shorter ones changes nothing.
    assert [one["embedding"] for one in several["data"]] == [[3, 4], [1.5, 2.5], [0, 2]]
    assert several["usage"] == {"prompt_tokens": 5, "total_tokens": 5}


def test_a_flood_of_unknown_fields_is_one_error(service: httpx2.Client) -> None:
    answer = embed(service, "red", **{f"field-{number}": 0 for number in range(30)})
    assert answer.status_code == 422
    assert [error["path"] for error in answer.json()["errors"]] == ["body"]


def test_predictions_say_the_same(service: httpx2.Client) -> None:
    answer = service.post("/v1/predict", json={"instances": ["red green", "blue"]})
    assert [one["embedding"] for one in answer.json()["predictions"]] == [[1, 2], [3, 4]]


def test_the_python_client_of_openai_asks_for_base64(service: httpx2.Client) -> None:
    (text,) = embeddings(embed(service, "red green", encoding_format="base64", user="ada"))
    assert np.frombuffer(base64.b64decode(text), dtype="<f4").tolist() == [1, 2]
    assert embeddings(embed(service, "blue", dimensions=2)) == [[3, 4]]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "body.input"),
        ({"input": "red"}, "body.model"),
        ({"input": "", "model": "sums"}, "at least 1 character"),
        ({"input": [], "model": "sums"}, "at least 1 item"),
        ({"input": ["red"] * 257, "model": "sums"}, "at most 256 items"),
        ({"input": "r" * 101, "model": "sums"}, "at most 100 characters"),
        ({"input": [1, 2], "model": "sums"}, "valid string"),
        ({"input": [[1, 2]], "model": "sums"}, "valid string"),
        ({"input": None, "model": "sums"}, "valid string"),
        ({"input": "red", "model": "sums", "encoding_format": "hex"}, "'float' or 'base64'"),
        ({"input": "red", "model": "sums", "dimensions": 1}, "have 2 dimensions"),
        ({"input": "red", "model": "sums", "dimensions": "2"}, "valid integer"),
        ({"input": "red", "model": "sums", "more": 1}, "body.more"),
        ({"input": ["red", "a b c d e f"], "model": "sums"}, "has 6 words: 5 is the most"),
        ({"input": " ", "model": "sums"}, "has 0 words"),
    ],
)
def test_what_cannot_be_embedded_is_refused(
    service: httpx2.Client, body: dict[str, object], told: str
) -> None:
    answer = service.post("/v1/embeddings", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.headers["content-type"] == "application/problem+json"
    assert told in answer.text


def test_it_stands_behind_the_token_and_keeps_to_deadlines(service: httpx2.Client) -> None:
    body = {"input": "red", "model": "sums"}
    for wrong in ("", "Bearer nonsense"):
        headers = {"authorization": wrong}
        assert service.post("/v1/embeddings", json=body, headers=headers).status_code == 401
    refused = service.post("/v1/embeddings", json=body, headers={"x-timeout-ms": "0"})
    assert refused.status_code == 422
    embeddings(embed(service, "red"))
    metrics = service.get("/metrics").text
    assert 'route="/v1/embeddings",status="200"' in metrics
    assert 'route="/v1/embeddings",status="401"' in metrics


def test_a_caller_may_insist_on_a_version_and_words_belong_to_it(
    service: httpx2.Client, folder: Path
) -> None:
    missing = embed(service, "red", model="ada")
    assert (missing.status_code, missing.json()["code"]) == (404, "no_such_model")
    version = embed(service, "red").headers["x-model-version"]
    assert embeddings(embed(service, "red", model=version)) == [[1, 0]]
    # The same vectors, for other words.
    other = add(folder, "blue", "green", "red")
    assert other != version
    deadline = time.monotonic() + 120
    while (answer := embed(service, "red")).headers["x-model-version"] != other:
        assert embeddings(answer) == [[1, 0]]
        assert time.monotonic() < deadline
    assert embeddings(answer) == [[3, 4]]
    assert embed(service, "red", model=version).status_code == 404
    assert ml(folder, "promote", version).returncode == 0


def test_texts_of_a_file_are_json_lines(folder: Path, tmp_path: Path) -> None:
    lines = tmp_path / "texts.jsonl"
    lines.write_text('"red"\n"green"\n')
    predicted = ml(folder, "predict", str(lines)).stdout
    assert predicted == '{"embedding":[1.0,0.0]}\n{"embedding":[0.0,2.0]}\n'
    lines.write_text('"a b c d e f"\n')
    assert ml(folder, "predict", str(lines)).stderr == "ml: A text has 6 words: 5 is the most\n"
    (tmp_path / "texts.csv").write_text("red\n")
    assert "JSON lines" in ml(folder, "predict", str(tmp_path / "texts.csv")).stderr


def test_a_model_of_texts_has_a_baseline_of_what_it_says(folder: Path, tmp_path: Path) -> None:
    lines = tmp_path / "texts.jsonl"
    lines.write_text('"red"\n' * 20)
    file = str(folder / "sums.onnx")
    added = ml(folder, "add", file, "--rows", str(lines), "--no-promote", "--name", "watched")
    assert added.returncode == 0, added.stderr
    baseline = Registry(folder / "models").card(added.stdout.split()[0]).baseline
    assert baseline is not None
    assert baseline.features == []


def test_there_are_none_where_the_task_is_of_numbers(client: TestClient) -> None:
    answer = client.post("/v1/embeddings", json={"input": "red", "model": "tiny"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
