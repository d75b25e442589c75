"""Embeddings in the form of OpenAI's API, where that is what the task makes of texts."""

import base64
from http import HTTPStatus
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from ml import task
from ml.auth import authenticate
from ml.problems import ServiceError, documented
from ml.registry import ModelCard
from ml.routes.dependencies import Timeout, deadline_of, runtime_of
from ml.schemas import MAX_INSTANCES, Asked
from ml.serving import encode
from ml.signature import SIGNATURE, Instance
from ml.task import Prediction

router = APIRouter(prefix="/v1", tags=["predictions"], dependencies=[Depends(authenticate)])

OFFERED = SIGNATURE.takes_text and "embedding" in Prediction.model_fields


class EmbeddingsRequest(Asked):
    """One or more texts."""

    input: Instance | Annotated[list[Instance], Field(min_length=1, max_length=MAX_INSTANCES)]
    model: str = Field(
        min_length=1,
        max_length=100,
        description="The name of the model, or a version: embeddings of two do not go together",
    )
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | SkipJsonSchema[None] = Field(
        None, description="The model's own width: no other can be had"
    )
    user: str = Field("", max_length=1000, description="Not used")


class Embedding(BaseModel):
    """The embedding of one text."""

    object: Literal["embedding"] = "embedding"
    index: int = Field(ge=0, description="Of the text, from 0")
    embedding: list[float] | str = Field(description="Or base64 of little-endian float32")


class Usage(BaseModel):
    """How many tokens were read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(BaseModel):
    """One embedding per text, in the same order."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


@router.post(
    "/embeddings",
    operation_id="createEmbeddings",
    responses={
        200: {"headers": {"x-model-version": {"schema": {"type": "string"}}}},
        **documented(400, 401, 404, 413, 422, 500, 503, 504),
    },
)
async def create_embeddings(
    body: EmbeddingsRequest,
    request: Request,
    answer: Response,
    timeout_ms: Timeout = None,
) -> EmbeddingsResponse:
    """Embed each text."""
    runtime = runtime_of(request)
    _require_the_model(body, runtime.model.card)
    texts: Any = [body.input] if isinstance(body.input, str) else body.input
    batch = encode(texts)
    deadline = deadline_of(request, timeout_ms)
    outputs, model = await runtime.predict(batch, deadline, request.is_disconnected)
    # A new version may have taken over meanwhile.
    _require_the_model(body, model.card)
    answer.headers["x-model-version"] = model.card.version
    rows = [one.model_dump()["embedding"] for one in task.decode(outputs, model.card)]
    encoded = rows if body.encoding_format == "float" else [_base64(row) for row in rows]
    data = [Embedding(index=index, embedding=row) for index, row in enumerate(encoded)]
    usage = Usage(prompt_tokens=batch.tokens(), total_tokens=batch.tokens())
    return EmbeddingsResponse(data=data, model=model.card.name, usage=usage)


def _require_the_model(body: EmbeddingsRequest, card: ModelCard) -> None:
    if body.model not in {card.name, card.version}:
        detail = f"The model in service is {card.name}, version {card.version}"
        raise ServiceError(HTTPStatus.NOT_FOUND, "no_such_model", detail)
    if body.dimensions not in {None, card.outputs}:
        detail = f"The model's embeddings have {card.outputs} dimensions"
        raise ServiceError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", detail)


def _base64(row: list[float]) -> str:
    return base64.b64encode(np.asarray(row, dtype="<f4").tobytes()).decode()
