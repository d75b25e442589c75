"""Two routes, three times: as a plain view, with django-ninja in the project's API, and with REST framework.

The first gives a constant; the second checks an API key and gives a page of data sets, in the same queries.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from backend.accounts.models import ApiKey
from backend.api import api
from backend.datasets.models import Dataset
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from ninja import Schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.generics import ListAPIView
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

CONSTANT = {
    "id": uuid.UUID("3f0cf3c1-8b5d-4c8e-9f5e-7a9c1d6f2b10"),
    "name": "a data set",
    "size": 1024,
    "ready": True,
    "created_at": datetime(2026, 1, 1, tzinfo=UTC),
}
FIELDS = (
    "id",
    "team_id",
    "name",
    "format",
    "file_name",
    "size",
    "status",
    "problem",
    "row_count",
    "column_count",
    "created_at",
    "profiled_at",
)


# --- A plain view ---


def plain_constant(_request: HttpRequest) -> JsonResponse:
    return JsonResponse(CONSTANT)


def plain_list(request: HttpRequest) -> JsonResponse:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    key = ApiKey.used(secret) if scheme == "Bearer" else None
    if key is None:
        return JsonResponse({"detail": "Send a valid key."}, status=401)
    limit, offset = int(request.GET.get("limit", "50")), int(request.GET.get("offset", "0"))
    datasets = Dataset.objects.visible_to(key.user).order_by("-created_at", "id").values(*FIELDS)
    items = [row | {"kept_until": None} for row in datasets[offset : offset + limit]]
    return JsonResponse({"items": items, "count": datasets.count()})


# --- django-ninja: the list is the project's own, at /api/datasets ---


class Constant(Schema):
    id: uuid.UUID
    name: str
    size: int
    ready: bool
    created_at: datetime


@api.get("/ninja/constant", auth=None, response=Constant)
def ninja_constant(request: HttpRequest) -> object:  # noqa: ARG001 - ninja takes names without a leading _
    return CONSTANT


# --- Django REST framework ---


class KeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            return None
        key = ApiKey.used(secret)
        if key is None:
            raise AuthenticationFailed
        return key.user, None

    def authenticate_header(self, _request: Request) -> str:
        return "Bearer"


class ConstantSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    size = serializers.IntegerField()
    ready = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class RestConstant(APIView):
    def get(self, _request: Request) -> Response:
        return Response(ConstantSerializer(CONSTANT).data)


class DatasetSerializer(serializers.ModelSerializer[Dataset]):
    team_id = serializers.UUIDField()

    class Meta:
        model = Dataset
        fields = (*FIELDS, "kept_until")


class Pages(LimitOffsetPagination):
    default_limit = 50
    max_limit = 100

    def get_paginated_response(self, data: object) -> Response:
        return Response({"items": data, "count": self.count})


class RestList(ListAPIView[Dataset]):
    authentication_classes = (KeyAuthentication,)
    permission_classes = (IsAuthenticated,)
    serializer_class = DatasetSerializer
    pagination_class = Pages

    def get_queryset(self) -> Any:  # noqa: ANN401
        return Dataset.objects.visible_to(self.request.user).defer("profile").order_by("-created_at", "id")


# All under /api/, so that the middleware treats them alike.
urlpatterns = [
    path("api/plain/constant", plain_constant),
    path("api/plain/datasets", plain_list),
    path("api/rest/constant", RestConstant.as_view()),
    path("api/rest/datasets", RestList.as_view()),
    path("", include("backend.urls")),
]
