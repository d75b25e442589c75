"""The three workloads that all stacks are compared by."""

import time

from django.http import HttpRequest
from ninja import Router, Schema

router = Router(auth=None)


class Item(Schema):
    id: int
    name: str
    tags: list[str]
    price: float


class Listed(Schema):
    items: list[Item]


class Value(Schema):
    value: int


LISTED = Listed(items=[Item(id=i, name=f"item {i}", tags=["a", "b"], price=i * 1.25) for i in range(20)])


@router.get("/json", response=Listed)
def as_json(request: HttpRequest) -> Listed:
    return LISTED


@router.get("/io", response=Value)
def waiting(request: HttpRequest) -> Value:
    time.sleep(0.05)
    return Value(value=0)


@router.get("/cpu", response=Value)
def computing(request: HttpRequest) -> Value:
    return Value(value=primes(200_000))


def primes(limit: int) -> int:
    composite = bytearray(limit + 1)
    count = 0
    for i in range(2, limit + 1):
        if composite[i]:
            continue
        count += 1
        for j in range(i * i, limit + 1, i):
            composite[j] = 1
    return count
