"""The part of a proof that needs servers: they start, are ready, do their work, and end when they are told to."""

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.client import HTTPException
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

from stackgen import endings
from stackgen.project import Project
from stackgen.steps import Proof, Request, Server
from stackgen.verify import SERVER_STEPS, MissingError, ProblemError, Result, Scene, State, applies, end

READY_SECONDS = 300
STOP_SECONDS = 120
ANSWER_SECONDS = 120
CLIENTS = 8
HOST = "127.0.0.1"


@dataclass(slots=True)
class _Running:
    server: Server
    port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def base(self) -> str:
        return f"http://localhost:{self.port}"

    def require_alive(self) -> None:
        if self.process.poll() is not None:
            raise ProblemError(f"{self.server.name} exited {self.process.returncode}, which nobody had asked for")


@dataclass(slots=True)
class _Run:
    """All servers of one run, in the order in which they were started; requests go to the last."""

    project: Project
    scene: Scene
    proof: Proof
    running: list[_Running] = field(default_factory=list)

    def boot(self) -> None:
        for server in self.proof.servers:
            port = _free_port()
            self.scene.values.update({"port": str(port), f"{server.name}_port": str(port)})
            log = self.scene.folder / f"{server.name}.log"
            wanted = {name for value in server.environment.values() for name in re.findall(r"\{(\w+_port)\}", value)}
            self.scene.values.update({name: str(_free_port()) for name in wanted - self.scene.values.keys()})
            process = self.scene.start(server.run, server.environment, log, server.folder)
            self.running.append(_Running(server, port, process, log))
            _wait(self.running[-1], "opened its port", partial(_answers, port))

    def ready(self) -> None:
        for each in self.running:
            _wait(each, f"answered {each.server.ready} with 200", partial(_is_ready, each))

    def request(self) -> None:
        asked = [request for request in self.proof.requests if applies(request.when, self.project.answers)]
        request_all(asked, self.scene, self.running[-1].server, self.running[-1].base)

    def stop(self) -> None:
        main = self.running[-1]
        with _Load(f"{main.base}{main.server.ready}"):
            time.sleep(0.5)
            _terminate(main)
        for each in reversed(self.running[:-1]):
            _terminate(each)

    def gone(self) -> None:
        left = [each for each in self.running if end(each.process)]
        if left:
            raise ProblemError(f"{left[0].server.name} has ended, and a process that it had started has not")
        for each in self.running:
            if _answers(each.port):
                raise ProblemError(f"port {each.port} of {each.server.name} is still open")

    def end(self) -> None:
        with endings.undisturbed():
            for each in self.running:
                end(each.process)


def prove(project: Project, scene: Scene, proof: Proof) -> Iterator[Result]:
    """Run the steps that need servers, and give the result of each; nothing of them is left afterwards."""
    run = _Run(project, scene, proof)
    lost = ""
    with ExitStack() as stack:
        stack.callback(run.end)
        for name in SERVER_STEPS:
            if lost:
                yield Result(name, State.LEFT, detail=f"it stands on {lost}")
                continue
            result = _one(name, getattr(run, name), scene, proof)
            lost = name if result.state is not State.PASSED and name != "request" else lost
            yield result


def _one(name: str, act: Callable[[], None], scene: Scene, proof: Proof) -> Result:
    start = time.monotonic()
    main = proof.servers[-1]
    state, detail = State.PASSED, ""
    try:
        act()
    except ProblemError as problem:
        state, detail = State.FAILED, str(problem)
    except MissingError as missing:
        state, detail = State.SKIPPED, f"needs {missing}"
    log = scene.folder / ("request.log" if name == "request" else f"{main.name}.log")
    by_hand = scene.by_hand(main.run, main.environment)
    return Result(name, state, time.monotonic() - start, detail, by_hand, log if log.exists() else None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=5):
        return True
    return False


def _is_ready(each: _Running) -> bool:
    with suppress(OSError, HTTPException):
        return _ask(urllib.request.build_opener(), f"{each.base}{each.server.ready}")[0] == HTTPStatus.OK
    return False


def _ask(opener: urllib.request.OpenerDirector, asked: urllib.request.Request | str) -> tuple[int, bytes]:
    """Give the status and the body of an answer, whichever status that is; raises `OSError` where there is none."""
    try:
        with opener.open(asked, timeout=ANSWER_SECONDS) as answer:
            return int(answer.status), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def _wait(each: _Running, what: str, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not done():
        each.require_alive()
        if time.monotonic() > deadline:
            raise ProblemError(f"{each.server.name} has not {what} within {READY_SECONDS // 60} minutes")
        time.sleep(0.1)


def _terminate(each: _Running) -> None:
    each.require_alive()
    os.kill(each.process.pid, signal.SIGTERM)
    try:
        code = each.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        raise ProblemError(f"{each.server.name} was still running {STOP_SECONDS} s after SIGTERM") from None
    if code:
        raise ProblemError(f"{each.server.name} exited {code} after SIGTERM instead of 0")


class _Load:
    """Clients that ask one address without a pause, and take whatever comes of it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self._clients = [threading.Thread(target=self._ask, daemon=True) for _ in range(CLIENTS)]

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                _ask(urllib.request.build_opener(), self._url)
            except (OSError, HTTPException):  # it has ended, or is about to
                self._over.wait(0.01)

    def __enter__(self) -> None:
        for client in self._clients:
            client.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for client in self._clients:
            client.join(30)


def request_all(requests: Iterable[Request], scene: Scene, server: Server, base: str) -> None:
    """Send the requests to a server one after the other; raises `ProblemError` for the first that goes wrong."""
    talk = _Talk(scene, server, base)
    for request in requests:
        talk.hold(request)


class _Talk:
    """Requests one after the other, with cookies, as a browser sends them."""

    def __init__(self, scene: Scene, server: Server, base: str) -> None:
        self._scene, self._base, self._log = scene, base, scene.folder / "request.log"
        self._environment = server.environment
        jar = CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def hold(self, request: Request) -> None:
        """Send a request, or run its command; keep what later ones need."""
        told = self._command(request) if request.run else self._send(request)
        for name, path in request.keep.items():
            self._scene.values[name] = _part(told, path)

    def _command(self, request: Request) -> object:
        output = self._scene.folder / f"command-{secrets.token_hex(4)}.log"
        self._scene.run(request.run, self._environment, output)
        lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return _json(lines[-1] if lines else "")

    def _send(self, request: Request) -> object:
        method, path = self._scene.fill(request.send).split(" ", maxsplit=1)
        kind, body = _body(request, self._scene)
        headers = {"Origin": self._base, **({"Content-Type": kind} if kind else {})}
        headers |= {name: self._scene.fill(value) for name, value in request.headers.items()}
        url = self._base + path
        sent = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - a server that we have started
        try:
            status, content = _ask(self._opener, sent)
        except (OSError, HTTPException) as error:
            raise ProblemError(f"{method} {path}: {error}") from error
        shown = content.decode(errors="replace")
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"{method} {path} -> {status}\n{shown[:2000]}\n\n")
        if status != request.expect:
            raise ProblemError(f"{method} {path} answered {status} instead of {request.expect}")
        return _json(shown)


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _part(told: object, path: str) -> str:
    for key in path.split(".") if path else ():
        if isinstance(told, list) and key.isdigit() and int(key) < len(told):
            told = told[int(key)]
        elif isinstance(told, dict) and key in told:
            told = told[key]
        else:
            raise ProblemError(f"the answer has no {path}")
    return str(told)


def _body(request: Request, scene: Scene) -> tuple[str, bytes | None]:
    if request.form or request.file:
        mark = secrets.token_hex(16)
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{scene.fill(value)}\r\n'
            for name, value in request.form.items()
        ]
        if request.file:
            head = 'Content-Disposition: form-data; name="file"; filename="verify.csv"\r\nContent-Type: text/csv'
            parts.append(f"--{mark}\r\n{head}\r\n\r\n{request.file}\r\n")
        return f"multipart/form-data; boundary={mark}", "".join([*parts, f"--{mark}--\r\n"]).encode()
    if request.body is None:
        return "", None
    return "application/json", json.dumps(_filled(request.body, scene)).encode()


def _filled(body: object, scene: Scene) -> object:
    if isinstance(body, str):
        return scene.fill(body)
    if isinstance(body, dict):
        return {key: _filled(value, scene) for key, value in body.items()}
    return [_filled(item, scene) for item in body] if isinstance(body, list) else body
