"""What routes ask for."""

from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from ml.runtime import Runtime

Milliseconds = Annotated[int, Field(ge=1, le=600_000)]


def get_runtime(request: Request) -> Runtime:
    """The runtime of this app."""
    runtime: Runtime = request.app.state.runtime
    return runtime


def get_deadline(
    request: Request,
    x_timeout_ms: Annotated[
        Milliseconds | SkipJsonSchema[None],
        Header(description="How long the caller will wait, in milliseconds"),
    ] = None,
) -> float:
    """When the caller gives up: relative, so that no two clocks need to agree."""
    milliseconds = x_timeout_ms or request.app.state.settings.default_timeout_ms
    arrived: float = request.state.arrived
    return arrived + milliseconds / 1000


RuntimeDependency = Annotated[Runtime, Depends(get_runtime)]
Deadline = Annotated[float, Depends(get_deadline)]
