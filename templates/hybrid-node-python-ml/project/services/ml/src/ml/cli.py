"""The command line: `ml serve`, `ml train`, `ml add`, `ml fetch`, `ml predict` and more."""

import argparse
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from pydantic import ValidationError

from ml.registry import Registry, RegistryError
from ml.settings import Settings


def serve(settings: Settings, options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT, then drain and exit with 0."""
    import uvicorn

    from ml.app import create_app
    from ml.arrival import TimedProtocol
    from ml.observability import configure_logs

    registry = Registry(settings.registry_dir)
    registry.weights(registry.card(registry.resolve(settings.alias)))
    configure_logs(settings.log_level)
    common: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "http": TimedProtocol,
        "log_config": None,
        "access_log": False,
        # Longer than the caller keeps idle connections, or it would reuse a closing one.
        "timeout_keep_alive": 75,
        "timeout_graceful_shutdown": settings.shutdown_seconds,
    }
    # uvicorn raises the signal again once it has drained; that is the end, not an error.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    if options.reload:
        source = [str(Path(__file__).parent)]
        app = "ml.app:create_reloading_app"
        uvicorn.run(app, factory=True, reload=True, reload_dirs=source, **common)
        return

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if not self.started:
                # Nobody is answered yet, and a model may load for ever.
                os._exit(0)
            super().handle_exit(sig, frame)

    server = Server(uvicorn.Config(create_app(settings), **common))
    try:
        server.run()
    finally:
        if server.should_exit:
            _leave_what_hangs()
    if not server.started:
        sys.exit(1)


def _leave_what_hangs() -> None:
    """End even if a model hangs in native code: Python would wait for its thread for ever."""
    from ml.runtime import MODEL_THREADS

    running = [thread for thread in threading.enumerate() if thread.name.startswith(MODEL_THREADS)]
    for thread in running:
        thread.join(1)
    if any(thread.is_alive() for thread in running):
        sys.stdout.flush()
        os._exit(0)


def train(settings: Settings, options: argparse.Namespace) -> None:
    """Train, evaluate, export and register; promote if every gate is passed."""
    if options.if_none and (version := _servable(settings)):
        print(f"{settings.alias} -> {version}")
        return
    try:
        from ml.training.pipeline import GateError, run
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error.name} is missing: run `npm run setup:ml`") from error
    try:
        card = run(options.params, Registry(settings.registry_dir))
    except (GateError, RegistryError, ValidationError, OSError, ValueError) as error:
        raise SystemExit(f"not registered: {error}") from error
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in card.metrics.items())
    print(f"{card.version}  {metrics}")
    if not options.no_promote:
        Registry(settings.registry_dir).promote(card.version, settings.alias)
        print(f"{settings.alias} -> {card.version}")


def _servable(settings: Settings) -> str | None:
    """The version that the alias names, if the service would start with it."""
    from ml.model import load
    from ml.serving import rehearse

    registry = Registry(settings.registry_dir)
    try:
        version = registry.resolve(settings.alias)
        rehearse(load(registry, version, settings.intra_op_threads, settings.providers))
    except RegistryError:
        return None
    return version


def add(settings: Settings, options: argparse.Namespace) -> None:
    """Register an ONNX file that was made elsewhere, and promote it."""
    try:
        from ml.adding import add as register
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error.name} is missing: run `npm run setup:ml`") from error
    from ml.rows import RowError

    name = options.name or re.sub(r"[^a-z0-9]+", "-", options.file.stem.lower()).strip("-")
    about = {"output": options.output, "labels": options.labels, "rows": options.rows}
    try:
        card = register(options.file, settings, name=name, **about)
    except (RegistryError, RowError, ValueError, OSError) as error:
        raise SystemExit(f"not registered: {error}") from error
    print(f"{card.version}  {card.outputs} outputs")
    if not options.no_promote:
        Registry(settings.registry_dir).promote(card.version, settings.alias)
        print(f"{settings.alias} -> {card.version}")


def fetch(settings: Settings, options: argparse.Namespace) -> None:
    """Register a version that lies elsewhere, packed by tar, and promote it."""
    from ml.fetching import fetch as register

    url = sys.stdin.readline().strip() if options.url == "-" else options.url
    try:
        card = register(url, settings, options.sha256)
    except RegistryError as error:
        raise SystemExit(f"not registered: {error}") from error
    print(card.version)
    if not options.no_promote:
        Registry(settings.registry_dir).promote(card.version, settings.alias)
        print(f"{settings.alias} -> {card.version}")


def predict(settings: Settings, options: argparse.Namespace) -> None:
    """Print a prediction, as JSON on a line, for each row of a file."""
    from ml.model import load
    from ml.problems import ServiceError
    from ml.rows import RowError, read
    from ml.serving import answer, require_finite
    from ml.signature import SIGNATURE

    registry = Registry(settings.registry_dir)
    version = registry.resolve(settings.alias)
    model = load(registry, version, settings.intra_op_threads, settings.providers)
    try:
        for instances in read(options.file, settings.max_batch):
            outputs = model.run(SIGNATURE.encode(instances))
            require_finite(outputs)
            for prediction in answer(outputs, model.card).predictions:
                print(prediction.model_dump_json())
    except (RowError, ServiceError, ValueError, OSError) as error:
        raise SystemExit(f"ml: {error}") from error


def promote(settings: Settings, options: argparse.Namespace) -> None:
    """Serve another version, an older one included."""
    Registry(settings.registry_dir).promote(options.version, settings.alias)
    print(f"{settings.alias} -> {options.version}")


def models(settings: Settings, _: argparse.Namespace) -> None:
    """List the registered versions."""
    registry = Registry(settings.registry_dir)
    aliases = registry.aliases()
    for version in registry.versions():
        names = " ".join(sorted(alias for alias, to in aliases.items() if to == version))
        metrics = registry.card(version).metrics
        print(version, json.dumps(metrics, sort_keys=True), names)


def bench(settings: Settings, options: argparse.Namespace) -> None:
    """Measure the model by batch size and threads, and say whether batching pays."""
    from ml.bench import measure, report

    measurement = measure(settings, options.threads, options.seconds)
    print(json.dumps(measurement.as_json(), indent=2) if options.json else report(measurement))


def openapi(_: Settings, __: argparse.Namespace) -> None:
    """Print the contract."""
    from ml.app import create_app

    print(json.dumps(create_app().openapi(), indent=2, sort_keys=True))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ml", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (serve, train, add, fetch, predict, promote, models, bench, openapi):
        sub = commands.add_parser(command.__name__, help=command.__doc__)
        sub.set_defaults(run=command)
        if command is serve:
            sub.add_argument("--reload", action="store_true", help="restart when code changes")
        elif command is train:
            sub.add_argument("--params", type=Path, default=Path("params.toml"))
            sub.add_argument("--no-promote", action="store_true", help="register only")
            sub.add_argument("--if-none", action="store_true", help="only if none can be served")
        elif command is add:
            sub.add_argument("file", type=Path)
            sub.add_argument("--name", help="of the model; the file's by default")
            sub.add_argument("--output", help="which one, if the file has several")
            sub.add_argument("--labels", nargs="+", default=[], help="of the outputs, in order")
            sub.add_argument("--rows", type=Path, help="training rows, to tell drift from")
            sub.add_argument("--no-promote", action="store_true", help="register only")
        elif command is fetch:
            sub.add_argument("url", help="of https or file; - reads it from standard input")
            sub.add_argument("--sha256", help="of the archive")
            sub.add_argument("--no-promote", action="store_true", help="register only")
        elif command is predict:
            source = "CSV or JSON lines; - reads JSON lines from standard input"
            sub.add_argument("file", type=Path, help=source)
        elif command is promote:
            sub.add_argument("version")
        elif command is bench:
            sub.add_argument("--json", action="store_true")
            sub.add_argument("--threads", type=int, nargs="+", default=[1, 2])
            sub.add_argument("--seconds", type=float, default=0.2, help="per measurement")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; an expected failure is one line and exit code 1."""
    options = _parser().parse_args(arguments)
    try:
        options.run(Settings(), options)
    except RegistryError as error:
        raise SystemExit(f"ml: {error}") from error
    except ValidationError as error:
        raise SystemExit("ml: " + _readable(error)) from error


def _readable(error: ValidationError) -> str:
    problems = []
    for found in error.errors():
        name = "_".join(str(part) for part in found["loc"]).upper()
        where = f"{name if name.startswith('ML_') or not name else 'ML_' + name}: " if name else ""
        problems.append(f"{where}{found['msg']}")
    return "; ".join(problems)
