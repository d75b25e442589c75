"""Types that several schemas share."""

from typing import Annotated

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from ninja import Field, Schema
from ninja.pagination import LimitOffsetPagination
from pydantic import AfterValidator, StringConstraints, WithJsonSchema

# PostgreSQL stores no NUL in a text, so it is refused at the door instead of failing there.
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


def _email(value: str) -> str:
    try:
        validate_email(value)
    except ValidationError as error:
        raise ValueError(error.message) from None
    return value.lower()


Email = Annotated[str, AfterValidator(_email), WithJsonSchema({"type": "string", "format": "email", "maxLength": 254})]


class Pagination(LimitOffsetPagination):
    """Pages of at most 100 items; `count` is how many there are in all."""

    class Input(Schema):
        """Which part of the list to give."""

        limit: int = Field(50, ge=1, le=100)
        offset: int = Field(0, ge=0, le=10_000_000)
