"""What routes ask for: by plain functions, since each dependency costs as much as a small model."""

from typing import Annotated

from fastapi import Header, Request
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from ml.runtime import Runtime

Milliseconds = Annotated[int, Field(ge=1, le=600_000)]
Timeout = Annotated[
    Milliseconds | SkipJsonSchema[None],
    Header(alias="x-timeout-ms", description="How long the caller will wait, in milliseconds"),
]


def runtime_of(request: Request) -> Runtime:
    """The runtime of this app."""
    runtime: Runtime = request.app.state.runtime
    return runtime


def deadline_of(request: Request, timeout_ms: int | None) -> float:
    """When the caller gives up: relative, so that no two clocks need to agree."""
    milliseconds = timeout_ms or request.app.state.settings.default_timeout_ms
    arrived: float = request.state.arrived
    return arrived + milliseconds / 1000
