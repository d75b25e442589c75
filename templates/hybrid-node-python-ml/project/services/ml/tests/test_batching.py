import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from ml.batch import Batch
from ml.batching import Batcher, Observer
from ml.costs import CostModel
from ml.problems import ServiceError
from ml.tensors import Array

from .conftest import present, until


class Recorder:
    """An inference that waits to be released, and everything the batcher reported."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.batches: list[int] = []
        self.refusals: list[str] = []

    def infer(self, batch: Batch) -> tuple[Array, str]:
        self.batches.append(len(batch))
        self.released.wait(60)
        return batch.tensors["x"] * 2, "tag"


def run(
    scenario: Callable[[Batcher[str], Recorder], Coroutine[Any, Any, None]],
    max_batch: int = 4,
    max_tokens: int = 1000,
    max_queue: int = 100,
) -> None:
    async def main() -> None:
        recorder = Recorder()
        observer = Observer(lambda *_: None, lambda _: None, recorder.refusals.append)
        with ThreadPoolExecutor(1) as executor:
            batcher: Batcher[str] = Batcher(
                recorder.infer,
                executor,
                max_batch=max_batch,
                max_tokens=max_tokens,
                max_queue=max_queue,
                observer=observer,
            )
            batcher.start()
            try:
                # Whoever waits for an answer that never comes has failed.
                await asyncio.wait_for(scenario(batcher, recorder), 120)
            finally:
                recorder.released.set()
                await batcher.stop()

    asyncio.run(main())


def rows(count: int, value: float = 1, width: int = 2) -> Batch:
    return Batch({"x": np.full((count, width), value, dtype=np.float32)})


def submit(
    batcher: Batcher[str],
    count: int = 1,
    value: float = 1,
    seconds: float = 60,
    abandoned: Callable[[], Awaitable[bool]] = present,
) -> "asyncio.Task[tuple[Array, str]]":
    deadline = time.monotonic() + seconds
    return asyncio.create_task(batcher.submit(rows(count, value), deadline, abandoned))


async def refusal(task: "asyncio.Task[tuple[Array, str]]") -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await asyncio.wait_for(task, 60)
    return caught.value


def test_a_lonely_request_runs_at_once_and_the_rest_together() -> None:
    async def scenario(batcher: Batcher[str], recorder: Recorder) -> None:
        first = submit(batcher)
        await until(lambda: recorder.batches == [1])
        others = [submit(batcher, value=value) for value in range(6)]
        await until(lambda: batcher.queued_rows == 6)
        recorder.released.set()
        await first
        answers = await asyncio.gather(*others)
        assert recorder.batches == [1, 4, 2]
        assert [answer[0].tolist() for answer in answers] == [[[2 * v] * 2] for v in range(6)]

    run(scenario)


def test_a_request_larger_than_a_batch_runs_by_itself() -> None:
    async def scenario(batcher: Batcher[str], recorder: Recorder) -> None:
        recorder.released.set()
        outputs, _ = await submit(batcher, count=9)
        assert len(outputs) == 9
        assert recorder.batches == [9]

    run(scenario)


def tokens(count: int, width: int) -> Batch:
    return Batch({"x": np.ones((count, width), dtype=np.int64)}, frozenset({"x"}))


def test_rows_of_any_length_are_batched_by_tokens_with_what_fills_them_up() -> None:
    async def scenario(batcher: Batcher[str], recorder: Recorder) -> None:
        first = submit(batcher)
        await until(lambda: recorder.batches == [1])
        deadline = time.monotonic() + 60
        # Six short ones are 12 tokens; with a long one beside, each would take ten.
        short, long = tokens(1, 2), tokens(1, 10)
        sent = [*[short] * 6, long, long, short, tokens(7, 10)]
        others = [asyncio.create_task(batcher.submit(one, deadline, present)) for one in sent]
        await until(lambda: batcher.queued_rows == 16)
        recorder.released.set()
        await first
        answers = await asyncio.gather(*others)
        assert recorder.batches == [1, 6, 2, 1, 7]
        assert [answer[0].shape[1] for answer in answers] == [2] * 6 + [10, 10, 2, 10]

    run(scenario, max_batch=1, max_tokens=24)


def test_what_waits_is_weighed_by_its_tokens() -> None:
    async def scenario(batcher: Batcher[str], recorder: Recorder) -> None:
        batcher.costs.observe(16, 100)
        running = submit(batcher)
        await until(lambda: recorder.batches == [1])
        deadline, full = time.monotonic() + 5000, tokens(2, 8)
        waiting = [asyncio.create_task(batcher.submit(full, deadline, present)) for _ in range(2)]
        await until(lambda: batcher.queued_rows == 4)
        # Four batches of sixteen tokens, the first of which runs.
        assert batcher.estimated_wait(full) > 340
        recorder.released.set()
        await asyncio.gather(running, *waiting)
        assert batcher.estimated_wait(full) <= 100

    run(scenario, max_batch=100, max_tokens=16)


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    async def scenario(batcher: Batcher[str], recorder: Recorder) -> None:
        batcher.costs.observe(1, 3.0)
        tasks = [submit(batcher)]
        await until(lambda: recorder.batches == [1])
        tasks.append(submit(batcher, count=2))
        await until(lambda: batcher.queued_rows == 2)
        error = await refusal(submit(batcher))
        assert (error.status, error.code) == (503, "queue_full")
        assert int(error.headers["Retry-After"]) >= 3
        recorder.released.set()
        await asyncio.gather(*tasks)

    run(scenario, max_queue=2)


def test_a_deadline_that_cannot_be_met_is_refused_at_once() -> None:
    async def scenario(batcher: Batcher[str], recorder: Recorder) -> None:
        batcher.costs.observe(1, 1000)
        running = submit(batcher, seconds=5000)
        await until(lambda: recorder.batches == [1])
        error = await refusal(submit(batcher, seconds=500))
        assert (error.status, error.code) == (503, "deadline_unmeetable")
        assert not running.done()
        patient = submit(batcher, seconds=5000)
        recorder.released.set()
        await asyncio.gather(running, patient)
        assert recorder.refusals == ["deadline_unmeetable"]

    run(scenario)


def test_a_request_whose_deadline_passed_in_the_queue_is_not_worked_on() -> None:
    async def scenario(batcher: Batcher[str], recorder: Recorder) -> None:
        running = submit(batcher)
        await until(lambda: recorder.batches == [1])
        late = submit(batcher)
        await until(lambda: batcher.queued_rows == 1)
        batcher._queue[0].deadline = time.monotonic()
        recorder.released.set()
        error = await refusal(late)
        assert (error.status, error.code) == (504, "deadline_exceeded")
        await running
        assert recorder.batches == [1]

    run(scenario)


def test_a_caller_that_hung_up_is_not_worked_for() -> None:
    async def gone() -> bool:
        return True

    async def scenario(batcher: Batcher[str], recorder: Recorder) -> None:
        running = submit(batcher)
        await until(lambda: recorder.batches == [1])
        abandoned = submit(batcher, abandoned=gone)
        await until(lambda: batcher.queued_rows == 1)
        recorder.released.set()
        await running
        assert (await refusal(abandoned)).code == "abandoned"
        assert recorder.batches == [1]

    run(scenario)


def test_a_wrong_estimate_cannot_lock_an_idle_service() -> None:
    async def scenario(batcher: Batcher[str], recorder: Recorder) -> None:
        recorder.released.set()
        batcher.costs.observe(1, 3600)
        for _ in range(3):
            await submit(batcher)
        assert recorder.batches == [1, 1, 1]

    run(scenario)


def test_a_failing_batch_fails_its_callers_and_no_others() -> None:
    async def scenario(batcher: Batcher[str], recorder: Recorder) -> None:
        recorder.released.set()

        def broken(_: Batch) -> tuple[Array, str]:
            raise RuntimeError("no memory")

        working, batcher._infer = batcher._infer, broken
        with pytest.raises(RuntimeError, match="no memory"):
            await submit(batcher)
        batcher._infer = working
        await submit(batcher)

    run(scenario)


def test_rows_of_unlike_widths_fail_their_callers_and_the_batcher_goes_on() -> None:
    async def scenario(batcher: Batcher[str], recorder: Recorder) -> None:
        first = submit(batcher)
        await until(lambda: recorder.batches == [1])
        deadline = time.monotonic() + 60
        shapes = [rows(1, width=width) for width in (5, 5, 7)]
        unlike = [asyncio.create_task(batcher.submit(s, deadline, present)) for s in shapes]
        await until(lambda: batcher.queued_rows == 3)
        recorder.released.set()
        await first
        for task in unlike:
            with pytest.raises(ValueError, match="dimension"):
                await asyncio.wait_for(task, 60)
        assert batcher.alive
        await asyncio.wait_for(submit(batcher), 60)

    run(scenario)


def test_a_caller_that_cannot_be_asked_fails_alone() -> None:
    async def broken() -> bool:
        raise RuntimeError("connection lost")

    async def scenario(batcher: Batcher[str], recorder: Recorder) -> None:
        first = submit(batcher)
        await until(lambda: recorder.batches == [1])
        unasked, other = submit(batcher, abandoned=broken), submit(batcher)
        await until(lambda: batcher.queued_rows == 2)
        recorder.released.set()
        with pytest.raises(RuntimeError, match="connection lost"):
            await asyncio.wait_for(unasked, 60)
        await asyncio.wait_for(asyncio.gather(first, other), 60)
        assert batcher.alive

    run(scenario)


def test_too_few_outputs_fail_their_callers() -> None:
    async def scenario(batcher: Batcher[str], recorder: Recorder) -> None:
        recorder.released.set()
        batcher._infer = lambda batch: (batch.tensors["x"][:1], "tag")
        with pytest.raises(ValueError, match="1 rows of outputs for 2 rows"):
            await submit(batcher, count=2)

    run(scenario)


def test_a_batcher_that_has_ended_takes_nothing() -> None:
    async def scenario(batcher: Batcher[str], _: Recorder) -> None:
        await batcher.stop()
        assert not batcher.alive
        assert (await refusal(submit(batcher))).code == "stopping"

    run(scenario)


def test_stopping_fails_whoever_still_waits() -> None:
    async def scenario(batcher: Batcher[str], recorder: Recorder) -> None:
        submit(batcher)
        await until(lambda: recorder.batches == [1])
        waiting = submit(batcher)
        await until(lambda: batcher.queued_rows == 1)
        recorder.released.set()
        await batcher.stop()
        assert (await refusal(waiting)).code == "stopping"

    run(scenario)


def test_costs_of_unseen_sizes_come_from_the_nearest_seen() -> None:
    costs = CostModel()
    assert costs.seconds(8) == 0
    costs.observe(1, 0.1)
    assert costs.seconds(1) == pytest.approx(0.1)
    assert costs.seconds(4) == pytest.approx(0.4)
    costs.observe(8, 0.2)
    assert costs.seconds(4) == pytest.approx(0.2)
    costs.observe(8, 0.7)
    assert costs.seconds(8) == pytest.approx(0.3)
