"""What lives as long as the service: the served model, its batcher and its drift monitor."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus

import numpy as np
import structlog

from ml.batch import Batch
from ml.batching import Batcher, Observer
from ml.metrics import Metrics
from ml.model import Array, Model, load
from ml.problems import ServiceError
from ml.registry import Registry, RegistryError
from ml.serving import Served, rehearse, require_finite
from ml.settings import Settings

log = structlog.get_logger()

# What the names of threads that run a model's own code begin with.
MODEL_THREADS = "model-"


class Runtime:
    """Serves one alias of the registry and follows it to a new version without a pause."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._registry = Registry(settings.registry_dir)
        self._executor = ThreadPoolExecutor(1, f"{MODEL_THREADS}runs")
        self._loader = ThreadPoolExecutor(1, f"{MODEL_THREADS}loads")
        self._served: Served | None = None
        self._refused: tuple[str, tuple[int, ...]] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.batcher: Batcher[Model] = Batcher(
            self._infer,
            self._executor,
            max_batch=settings.max_batch,
            max_tokens=settings.max_batch_tokens,
            max_queue=settings.max_queue,
            observer=Observer(metrics.batch, metrics.waited, metrics.refused),
        )
        metrics.watch(lambda: self.batcher.queued_rows, self._drift)

    @property
    def model(self) -> Model:
        """The model in service."""
        if self._served is None:
            detail = "No model is loaded yet"
            raise ServiceError(HTTPStatus.SERVICE_UNAVAILABLE, "no_model", detail, retry_after=1)
        return self._served.model

    @property
    def ready(self) -> bool:
        """Whether predictions can be answered now."""
        return self._served is not None and self.batcher.alive

    async def start(self) -> None:
        """Load and warm up the model, then begin to answer."""
        await self._serve(self._registry.resolve(self._settings.alias))
        self.batcher.start()
        if self._settings.reload_seconds > 0:
            self._watcher = asyncio.create_task(self._watch(), name="registry-watcher")

    async def stop(self) -> None:
        """Stop answering; called once every connection has been drained."""
        if self._watcher is not None:
            self._watcher.cancel()
            with suppress(asyncio.CancelledError):
                await self._watcher
        await self.batcher.stop()
        # Without waiting: native code that hangs cannot be ended.
        for executor in (self._executor, self._loader):
            executor.shutdown(wait=False, cancel_futures=True)

    async def predict(
        self, batch: Batch, deadline: float, abandoned: Callable[[], Awaitable[bool]]
    ) -> tuple[Array, Model]:
        """The outputs for these instances, and the model that gave them."""
        if self._served is None:
            return np.empty((0, 0), np.float32), self.model
        outputs, model = await self.batcher.submit(batch, deadline, abandoned)
        require_finite(outputs)
        return outputs, model

    def _infer(self, batch: Batch) -> tuple[Array, Model]:
        served = self._served
        assert served is not None  # noqa: S101
        return served.infer(batch), served.model

    def _drift(self) -> dict[str, float]:
        drift = self._served.drift if self._served else None
        return drift.indices() if drift else {}

    async def _serve(self, version: str) -> None:
        started = time.monotonic()
        loop = asyncio.get_running_loop()
        model, costs = await loop.run_in_executor(self._loader, self._loaded, version)
        self._keep_width(model)
        for rows, seconds in costs:
            self.batcher.costs.observe(rows, seconds)
        self._served = Served.watching(model, self._settings.drift_window)
        self._metrics.serving(model.card.name, version)
        log.info("model_loaded", version=version, seconds=round(time.monotonic() - started, 3))

    def _loaded(self, version: str) -> tuple[Model, list[tuple[int, float]]]:
        """A version that has answered its example, and what batches of it take."""
        settings = self._settings
        model = load(self._registry, version, settings.intra_op_threads, settings.providers)
        try:
            costs = list(model.warm_up(settings.max_batch))
        except Exception as error:
            raise RegistryError(f"version {version} cannot run batches: {error}") from error
        rehearse(model)
        return model, costs

    def _keep_width(self, model: Model) -> None:
        """Refuse another width of outputs that no labels name: callers may keep them."""
        if self._served is None or model.card.labels:
            return
        width, now = model.card.outputs, self._served.model.card.outputs
        if width != now:
            raise RegistryError(
                f"version {model.card.version} has {width} outputs, the one in service {now}: "
                "renew what callers have stored of them and start the service anew"
            )

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._settings.reload_seconds)
            try:
                await self.follow_alias()
            except Exception as error:
                # Whatever it was: without the watcher no version would ever be followed again.
                self._metrics.reload_failed()
                log.error("model_reload_failed", reason=str(error))

    async def follow_alias(self) -> None:
        """Switch to the version the alias names now; one that was refused has to change first."""
        version = self._registry.resolve(self._settings.alias)
        found = (version, self._registry.written(version))
        if version == self.model.card.version or found == self._refused:
            return
        try:
            await self._serve(version)
        except Exception:
            self._refused = found
            raise
        self._refused = None
