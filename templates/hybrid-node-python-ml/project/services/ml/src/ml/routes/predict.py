"""Predictions."""

from fastapi import APIRouter, Depends, Request

from ml.auth import authenticate
from ml.problems import documented
from ml.routes.dependencies import Timeout, deadline_of, runtime_of
from ml.schemas import ModelDescription, PredictRequest, PredictResponse
from ml.serving import answer, encode

router = APIRouter(prefix="/v1", tags=["predictions"], dependencies=[Depends(authenticate)])


@router.get("/model", operation_id="getModel", responses=documented(401, 503))
async def describe(request: Request) -> ModelDescription:
    """The model in service: its version, metrics and labels."""
    return ModelDescription.model_validate(runtime_of(request).model.card, from_attributes=True)


@router.post(
    "/predict",
    operation_id="predict",
    responses=documented(400, 401, 413, 422, 500, 503, 504),
)
async def predict(
    body: PredictRequest, request: Request, timeout_ms: Timeout = None
) -> PredictResponse:
    """Predict for each instance."""
    batch = encode(body.instances)
    deadline = deadline_of(request, timeout_ms)
    outputs, model = await runtime_of(request).predict(batch, deadline, request.is_disconnected)
    return answer(outputs, model.card)
