"""Micro-batching: while one batch runs, callers queue; the next batch takes whatever is waiting.

A lonely request never waits for company. A request that cannot be answered before its caller
gives up is refused at once: work on it would only delay those that can.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Generic, TypeVar

from ml.batch import Batch
from ml.costs import CostModel
from ml.problems import ServiceError
from ml.tensors import Array

Tag = TypeVar("Tag")


@dataclass(slots=True, eq=False)
class _Job(Generic[Tag]):
    rows: Batch
    deadline: float
    queued_at: float
    abandoned: Callable[[], Awaitable[bool]]
    is_probe: bool
    result: asyncio.Future[tuple[Array, Tag]]


@dataclass(frozen=True, slots=True)
class Observer:
    """What the batcher reports: callbacks, so that it knows nothing of metrics."""

    batch: Callable[[int, float], object]
    waited: Callable[[float], object]
    refused: Callable[[str], object]


class Batcher(Generic[Tag]):
    """Runs `infer` on one thread, one batch at a time, for many callers."""

    def __init__(
        self,
        infer: Callable[[Batch], tuple[Array, Tag]],
        executor: Executor,
        *,
        max_batch: int,
        max_tokens: int,
        max_queue: int,
        observer: Observer,
    ) -> None:
        self._infer = infer
        self._executor = executor
        self._max_batch = max_batch
        self._max_tokens = max_tokens
        self._max_queue = max_queue
        self._observer = observer
        self._queue: deque[_Job[Tag]] = deque()
        self._queued_rows = self._queued_size = 0
        self._running: tuple[int, float] | None = None
        self._arrival = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self.costs = CostModel()

    @property
    def queued_rows(self) -> int:
        """How many rows are waiting."""
        return self._queued_rows

    @property
    def alive(self) -> bool:
        """Whether batches are being worked on."""
        return self._worker is not None and not self._worker.done()

    def start(self) -> None:
        """Begin to work on batches."""
        self._worker = asyncio.create_task(self._work(), name="batcher")

    async def stop(self) -> None:
        """Stop working and fail whoever still waits."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        for job in self._queue:
            self._refuse(job, HTTPStatus.SERVICE_UNAVAILABLE, "stopping", "The service is stopping")
        self._queue.clear()
        self._queued_rows = self._queued_size = 0

    async def submit(
        self, rows: Batch, deadline: float, abandoned: Callable[[], Awaitable[bool]]
    ) -> tuple[Array, Tag]:
        """The outputs of these rows, or a `ServiceError` if the deadline cannot be met."""
        if not self.alive:
            detail = "No batches are worked on any more"
            raise ServiceError(HTTPStatus.SERVICE_UNAVAILABLE, "stopping", detail)
        is_probe = self.admit(rows, deadline)
        now = time.monotonic()
        job: _Job[Tag] = _Job(rows, deadline, now, abandoned, is_probe, asyncio.Future())
        self._queue.append(job)
        self._count(rows, 1)
        self._arrival.set()
        return await job.result

    def _count(self, rows: Batch, times: int) -> None:
        self._queued_rows += times * len(rows)
        self._queued_size += times * rows.size

    def _limit(self, rows: Batch) -> int:
        """How much goes into one batch: rows, or tokens where rows are of any length."""
        return self._max_tokens if rows.varying else self._max_batch

    def estimated_wait(self, rows: Batch) -> float:
        """Seconds until an answer to these, too, could be ready."""
        ahead = 0.0
        if self._running is not None:
            size, started = self._running
            ahead = max(0.0, self.costs.seconds(size) - (time.monotonic() - started))
        size, limit = self._queued_size + rows.size, self._limit(rows)
        batches = math.ceil(size / limit)
        largest = min(size, max(limit, rows.size))
        return ahead + batches * self.costs.seconds(largest)

    def admit(self, rows: Batch, deadline: float) -> bool:
        """Refuse what could not be answered in time; tells whether the service is idle."""
        # An idle service takes anything, so that a wrong estimate corrects itself.
        if self._running is None and not self._queue:
            return True
        if time.monotonic() >= deadline:
            self._observer.refused("deadline_exceeded")
            detail = "The caller's deadline had passed before the request was read"
            raise ServiceError(HTTPStatus.GATEWAY_TIMEOUT, "deadline_exceeded", detail)
        wait = self.estimated_wait(rows)
        busy = HTTPStatus.SERVICE_UNAVAILABLE
        if self._queued_rows + len(rows) > self._max_queue:
            self._observer.refused("queue_full")
            raise ServiceError(busy, "queue_full", "The queue is full", retry_after=wait)
        if time.monotonic() + wait > deadline:
            self._observer.refused("deadline_unmeetable")
            detail = "The queue is too long to answer before the caller's deadline"
            raise ServiceError(busy, "deadline_unmeetable", detail, retry_after=wait)
        return False

    async def _work(self) -> None:
        while True:
            await self._arrival.wait()
            self._arrival.clear()
            while batch := await self._take():
                await self._run(batch)

    async def _take(self) -> list[_Job[Tag]]:
        batch: list[_Job[Tag]] = []
        rows, widest = 0, 1
        while self._queue:
            following = self._queue[0].rows
            # All of a batch are filled up to the longest; what is too large is one by itself.
            wide = max(widest, following.width)
            if batch and (rows + len(following)) * wide > self._limit(following):
                break
            job = self._queue.popleft()
            self._count(following, -1)
            if await self._is_wanted(job):
                batch.append(job)
                rows, widest = rows + len(following), wide
        return batch

    async def _is_wanted(self, job: _Job[Tag]) -> bool:
        try:
            return await self._is_worthwhile(job)
        except Exception as error:
            # Asking whether the caller is still there may fail: that is this caller's failure only.
            self._fail([job], error)
            return False

    async def _is_worthwhile(self, job: _Job[Tag]) -> bool:
        # Whoever found the service idle has only just asked.
        if job.result.done() or (not job.is_probe and await job.abandoned()):
            self._observer.refused("abandoned")
            busy = HTTPStatus.SERVICE_UNAVAILABLE
            self._refuse(job, busy, "abandoned", "The caller has gone")
            return False
        needed = 0.0 if job.is_probe else self.costs.seconds(job.rows.size)
        if time.monotonic() + needed >= job.deadline:
            self._observer.refused("deadline_exceeded")
            detail = "The caller's deadline came too close while the request was queued"
            self._refuse(job, HTTPStatus.GATEWAY_TIMEOUT, "deadline_exceeded", detail)
            return False
        return True

    async def _run(self, batch: list[_Job[Tag]]) -> None:
        # Whatever goes wrong with a batch is the end of that batch: this task has to go on.
        try:
            await self._infer_and_answer(batch)
        except Exception as error:
            self._fail(batch, error)
        finally:
            self._running = None

    async def _infer_and_answer(self, batch: list[_Job[Tag]]) -> None:
        started = time.monotonic()
        rows = Batch.concat([job.rows for job in batch])
        self._running = (rows.size, started)
        for job in batch:
            self._observer.waited(started - job.queued_at)
        loop = asyncio.get_running_loop()
        outputs, tag = await loop.run_in_executor(self._executor, self._infer, rows)
        if len(outputs) != len(rows):
            raise ValueError(f"{len(outputs)} rows of outputs for {len(rows)} rows")
        self._answer(batch, outputs, tag)
        seconds = time.monotonic() - started
        self.costs.observe(rows.size, seconds)
        self._observer.batch(len(rows), seconds)

    def _answer(self, batch: list[_Job[Tag]], outputs: Array, tag: Tag) -> None:
        start = 0
        for job in batch:
            end = start + len(job.rows)
            if not job.result.done():
                job.result.set_result((outputs[start:end], tag))
            start = end

    @staticmethod
    def _fail(jobs: list[_Job[Tag]], error: Exception) -> None:
        for job in jobs:
            if not job.result.done():
                job.result.set_exception(error)

    @staticmethod
    def _refuse(job: _Job[Tag], status: HTTPStatus, reason: str, detail: str) -> None:
        if not job.result.done():
            job.result.set_exception(ServiceError(status, reason, detail))
