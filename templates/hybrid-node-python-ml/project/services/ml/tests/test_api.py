import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from ml.app import create_app
from ml.batch import Batch
from ml.model import Array, Model
from ml.registry import ModelCard
from ml.schemas import MAX_BODY_BYTES, MAX_INSTANCES, ROWS_PATTERN
from ml.settings import Settings
from ml.signature import Signature

from . import task
from .conftest import instances

CURRENT, PREVIOUS = "current-token-0123456789", "previous-token-012345678"


def problem(response: Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, body["status"], body["code"]) == (status, status, code)
    return body


def test_predicts_every_instance_in_order(client: TestClient, card: ModelCard) -> None:
    together = client.post("/v1/predict", json={"instances": instances(5)}).json()
    assert together["model"] == {"name": card.name, "version": card.version}
    assert len(together["predictions"]) == 5
    for row, prediction in zip(instances(5), together["predictions"], strict=True):
        alone = client.post("/v1/predict", json={"instances": [row]}).json()["predictions"][0]
        assert alone.keys() == prediction.keys()
        for name, value in alone.items():
            expected = value if isinstance(value, str) else pytest.approx(value, rel=1e-5, abs=1e-5)
            assert prediction[name] == expected


def test_octets_give_the_same_outputs_as_json(client: TestClient, card: ModelCard) -> None:
    rows = np.asarray(instances(3), dtype="<f4")
    answer = client.post(
        "/v1/predict:tensor", content=rows.tobytes(), headers={"x-shape": f"3,{task.FEATURES}"}
    )
    assert answer.status_code == 200
    assert answer.headers["x-shape"] == f"3,{card.outputs}"
    assert answer.headers["x-model-version"] == card.version
    outputs = np.frombuffer(answer.content, dtype="<f4").reshape(3, card.outputs)
    decoded = [prediction.model_dump() for prediction in task.decode(outputs, card)]
    expected = client.post("/v1/predict", json={"instances": rows.tolist()}).json()["predictions"]
    assert decoded == expected


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        (f"2,{task.FEATURES}", 4),
        (f"1,{task.FEATURES + 1}", 4 * task.FEATURES + 4),
        ("9999,1", 4),
        ("x", 4),
        ("0,0", 0),
    ],
)
def test_refuses_octets_that_do_not_fit_their_shape(
    client: TestClient, shape: str, size: int
) -> None:
    answer = client.post("/v1/predict:tensor", content=b"\0" * size, headers={"x-shape": shape})
    problem(answer, 422, "invalid_request")


def test_refuses_octets_that_are_not_numbers(client: TestClient) -> None:
    content = np.full(task.FEATURES, np.nan, dtype="<f4").tobytes()
    headers = {"x-shape": f"1,{task.FEATURES}"}
    answer = client.post("/v1/predict:tensor", content=content, headers=headers)
    problem(answer, 422, "invalid_request")


@pytest.mark.parametrize(
    "value",
    [
        "null",
        '"1"',
        "true",
        "1" + "0" * 400,
        "1e39",
        "-1e39",
        "1e400",
        "NaN",
        "Infinity",
        "[]",
        "{}",
    ],
)
def test_refuses_what_is_not_a_float32(client: TestClient, value: str) -> None:
    row = ", ".join([value] + ["0"] * (task.FEATURES - 1))
    answer = client.post(
        "/v1/predict",
        content=f'{{"instances": [[{row}]]}}',
        headers={"content-type": "application/json"},
    )
    assert problem(answer, 422, "invalid_request")["errors"][0]["path"] == "body.instances.0.0"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"instances": []},
        {"instances": [[]]},
        {"instances": [[0.0] * (task.FEATURES + 1)]},
        {"rows": []},
        [],
        "x",
    ],
)
def test_refuses_a_body_that_does_not_fit_the_contract(client: TestClient, body: object) -> None:
    assert problem(client.post("/v1/predict", json=body), 422, "invalid_request")["errors"]


def test_refuses_more_instances_than_one_request_may_hold(client: TestClient) -> None:
    problem(client.post("/v1/predict", json={"instances": instances(257)}), 422, "invalid_request")


def test_takes_the_longest_request_and_reads_no_longer_one(client: TestClient) -> None:
    row = [-3.4028234663852886e38] * task.FEATURES
    longest = client.post("/v1/predict", json={"instances": [row] * MAX_INSTANCES})
    assert longest.status_code in {200, 422}
    assert longest.json().get("code") in {None, "no_finite_answer"}
    assert MAX_BODY_BYTES is not None
    problem(client.post("/v1/predict", content=b"x" * (MAX_BODY_BYTES + 1)), 413, "body_too_large")


def test_a_flood_of_unknown_fields_is_one_error(client: TestClient) -> None:
    body = {f"field-{number}": 0 for number in range(30)}
    errors = problem(client.post("/v1/predict", json=body), 422, "invalid_request")["errors"]
    assert [error["path"] for error in errors] == ["body"]


def test_the_pattern_of_shapes_is_the_rows_that_are_taken() -> None:
    taken = [n for n in range(1100) if re.fullmatch(ROWS_PATTERN, str(n))]
    assert taken == list(range(1, MAX_INSTANCES + 1))


def test_pages_for_development_are_not_there_once_there_is_a_token(settings: Settings) -> None:
    pages = ("/docs", "/redoc", "/openapi.json")
    guarded = Settings(registry_dir=settings.registry_dir, reload_seconds=0, service_token=CURRENT)
    for used, status in ((settings, 200), (guarded, 404)):
        with TestClient(create_app(used)) as client:
            assert {client.get(page).status_code for page in pages} == {status}


def test_refuses_broken_json(client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    problem(client.post("/v1/predict", content="{", headers=headers), 422, "invalid_request")


def test_says_so_when_the_model_has_no_finite_answer(
    client: TestClient, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflow(_: Model, rows: Batch) -> Array:
        return np.full((len(rows), card.outputs), np.inf, dtype=np.float32)

    monkeypatch.setattr(Model, "run", overflow)
    answer = client.post("/v1/predict", json={"instances": instances(1)})
    problem(answer, 422, "no_finite_answer")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/v1/predict", 405, "method_not_allowed"),
    ],
)
def test_routing_errors_are_problems(
    client: TestClient, method: str, path: str, status: int, code: str
) -> None:
    problem(client.request(method, path), status, code)


def test_refuses_a_body_that_is_too_large(settings: Settings) -> None:
    small = settings.model_copy(update={"max_body_bytes": 1024})
    with TestClient(create_app(small)) as client:
        declared = client.post("/v1/predict", content=b"x" * 2000)
        problem(declared, 413, "body_too_large")

        def chunks() -> Iterator[bytes]:
            yield b"x" * 600
            yield b"x" * 600

        assert client.post("/v1/predict", content=chunks()).status_code == 413


def test_what_the_tasks_own_encoding_refuses_is_the_callers_to_know(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("this is no image")

    monkeypatch.setattr(Signature, "encode", refuse)
    answer = client.post("/v1/predict", json={"instances": instances(1)})
    assert problem(answer, 422, "invalid_request")["detail"] == "this is no image"


def test_a_bug_is_a_problem_too(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret details")

    monkeypatch.setattr(task, "decode", broken)
    answer = client.post("/v1/predict", json={"instances": instances(1)})
    assert "secret" not in json.dumps(problem(answer, 500, "internal_error"))


@pytest.mark.parametrize("value", ["0", "-1", "x", "600001"])
def test_refuses_a_deadline_that_makes_no_sense(client: TestClient, value: str) -> None:
    headers = {"x-timeout-ms": value}
    answer = client.post("/v1/predict", json={"instances": instances(1)}, headers=headers)
    problem(answer, 422, "invalid_request")


def test_two_tokens_are_accepted_while_one_is_rotated(settings: Settings) -> None:
    rotating = Settings(
        registry_dir=settings.registry_dir,
        reload_seconds=0,
        service_token=CURRENT,
        service_token_previous=PREVIOUS,
    )
    with TestClient(create_app(rotating)) as client:
        for token in (CURRENT, PREVIOUS):
            headers = {"authorization": f"Bearer {token}"}
            assert client.get("/v1/model", headers=headers).status_code == 200
        for wrong in ({}, {"authorization": "Bearer nonsense"}, {"authorization": "Basic eDp5"}):
            answer = client.post("/v1/predict", json={"instances": instances(1)}, headers=wrong)
            problem(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert client.get("/livez").status_code == client.get("/readyz").status_code == 200


def test_is_not_alive_once_batches_are_no_longer_worked_on(client: TestClient) -> None:
    assert client.get("/livez").status_code == 200
    batcher = client.app.state.runtime.batcher  # type: ignore[attr-defined]
    assert client.portal
    client.portal.call(batcher.stop)
    problem(client.get("/livez"), 503, "not_alive")
    problem(client.get("/readyz"), 503, "not_ready")
    answer = client.post("/v1/predict", json={"instances": instances(1)})
    problem(answer, 503, "stopping")


def test_describes_the_model_in_service(client: TestClient, card: ModelCard) -> None:
    described = client.get("/v1/model").json()
    assert described["sha256"] == card.sha256
    assert described["metrics"] == card.metrics


def test_counts_requests_and_batches(client: TestClient) -> None:
    client.post("/v1/predict", json={"instances": instances(3)})
    metrics = client.get("/metrics").text
    assert 'route="/v1/predict",status="200"' in metrics
    assert "ml_batch_rows_sum 3.0" in metrics
    assert "ml_queue_rows 0.0" in metrics
    assert "ml_model_info{" in metrics


def test_keeps_the_callers_request_id(client: TestClient) -> None:
    assert client.get("/livez", headers={"x-request-id": "abc"}).headers["x-request-id"] == "abc"
    bad = client.get("/livez", headers={"x-request-id": "a b\tc"}).headers["x-request-id"]
    assert bad.isalnum()
