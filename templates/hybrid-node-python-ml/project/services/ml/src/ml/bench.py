"""Whether micro-batching pays, measured on the model that would be served."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.model import load
from ml.registry import Registry
from ml.settings import Settings
from ml.signature import SIGNATURE

SIZES = (1, 2, 4, 8, 16, 32, 64)
# Below this gain, a larger batch only makes each caller wait for the others.
WORTHWHILE = 1.2


@dataclass(frozen=True, slots=True)
class Measurement:
    """Microseconds per row by (threads, batch size)."""

    version: str
    # What one row is of a batch's limit, by the name of the setting.
    limit: tuple[str, int]
    per_row: dict[tuple[int, int], float]

    def recommended(self) -> tuple[int, int]:
        """The threads and batch size to configure: the smallest that come close to the best."""
        counts = sorted({threads for threads, _ in self.per_row})
        alone = {threads: self.per_row[threads, 1] for threads in counts}
        threads = next(t for t in counts if alone[t] <= min(alone.values()) * WORTHWHILE)
        best = min(self.per_row[threads, size] for size in SIZES)
        if self.per_row[threads, 1] < best * WORTHWHILE:
            return threads, 1
        return threads, next(s for s in SIZES if self.per_row[threads, s] <= best * WORTHWHILE)

    def gain(self) -> float:
        """How many times more rows a second the recommended batch gives than single rows."""
        threads, size = self.recommended()
        return self.per_row[threads, 1] / self.per_row[threads, size]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        threads, size = self.recommended()
        rows = [
            {"threads": t, "batch": s, "us_per_row": round(us, 2)}
            for (t, s), us in sorted(self.per_row.items())
        ]
        name, each = self.limit
        recommended = {"ML_INTRA_OP_THREADS": threads, name: size * each}
        return {
            "version": self.version,
            "measurements": rows,
            "recommended": recommended,
            "batching_gain": round(self.gain(), 2),
        }


def measure(settings: Settings, threads: list[int], seconds: float) -> Measurement:
    """Run every combination for about so many seconds."""
    registry = Registry(settings.registry_dir)
    version = registry.resolve(settings.alias)
    per_row: dict[tuple[int, int], float] = {}
    for count in sorted(set(threads)):
        model = load(registry, version, count, settings.providers)
        for size in SIZES:
            batch = SIGNATURE.golden.repeated(size)
            model.run(batch)
            timings: list[float] = []
            end = time.perf_counter() + seconds
            while not timings or time.perf_counter() < end:
                started = time.perf_counter()
                model.run(batch)
                timings.append(time.perf_counter() - started)
            per_row[count, size] = float(np.median(timings)) / size * 1e6
    golden = SIGNATURE.golden
    name = "ML_MAX_BATCH_TOKENS" if golden.varying else "ML_MAX_BATCH"
    return Measurement(version, (name, golden.width), per_row)


def report(measurement: Measurement) -> str:
    """For people."""
    threads = sorted({threads for threads, _ in measurement.per_row})
    lines = [f"model {measurement.version}: microseconds per row (median)", ""]
    lines.append("batch  " + "".join(f"{f'{t} thread' + 's' * (t > 1):>12}" for t in threads))
    for size in SIZES:
        cells = "".join(f"{measurement.per_row[t, size]:12.1f}" for t in threads)
        lines.append(f"{size:>5}  {cells}")
    best_threads, batch = measurement.recommended()
    verdict = (
        f"Batching pays: {measurement.gain():.1f} times the rows a second."
        if batch > 1
        else "Batching does not pay for this model."
    )
    name, each = measurement.limit
    settings = f"ML_INTRA_OP_THREADS={best_threads} {name}={batch * each}"
    return "\n".join([*lines, "", verdict, f"Recommended: {settings}"])
