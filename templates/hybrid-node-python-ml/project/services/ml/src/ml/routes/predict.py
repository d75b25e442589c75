"""Predictions."""

from fastapi import APIRouter, Depends, Request

from ml.auth import authenticate
from ml.problems import documented
from ml.routes.dependencies import Deadline, RuntimeDependency
from ml.schemas import ModelDescription, PredictRequest, PredictResponse
from ml.serving import answer, encode

router = APIRouter(prefix="/v1", tags=["predictions"], dependencies=[Depends(authenticate)])


@router.get("/model", operation_id="getModel", responses=documented(401, 503))
async def describe(runtime: RuntimeDependency) -> ModelDescription:
    """The model in service: its version, metrics and labels."""
    return ModelDescription.model_validate(runtime.model.card, from_attributes=True)


@router.post(
    "/predict",
    operation_id="predict",
    responses=documented(400, 401, 413, 422, 500, 503, 504),
)
async def predict(
    body: PredictRequest, request: Request, runtime: RuntimeDependency, deadline: Deadline
) -> PredictResponse:
    """Predict for each instance."""
    batch = encode(body.instances)
    outputs, model = await runtime.predict(batch, deadline, request.is_disconnected)
    return answer(outputs, model.card)
