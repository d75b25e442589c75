"""How a project proves that it works: the steps of `stackgen verify`, as data of the stack's record."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from stackgen.shapes import FaultError, items, mapping, text, texts


@dataclass(frozen=True, slots=True)
class Step:
    """Commands that must succeed, one after the other; `needed` ones are what all later steps stand on.

    `when` names answers of the project, and the values with which the step is there. `environment` is added to that of
    the run; in it, as in commands, `{folder}` is a folder that lives as long as the run.
    """

    name: str
    run: tuple[str, ...]
    needed: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the last of the servers, or where `run` says so a command, of which `keep` keeps a part.

    `keep` gives names to parts of a JSON answer (`items.0.id`), or to all that the command printed (``); later ones,
    and those of `send`, `body`, `form` and `headers`, write them as `{name}`.
    """

    send: str = ""
    run: str = ""
    expect: int = 200
    body: object = None
    form: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    keep: Mapping[str, str] = field(default_factory=dict)
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Server:
    """A process that listens on `{port}` (for the others: `{name_port}`), and is ready when `ready` answers 200.

    `folder` is the one of the project that it starts in. Any other `{…_port}` is a free port.
    """

    name: str
    run: str
    ready: str
    folder: str = "."
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proof:
    """All that `stackgen verify` does in a project of this stack, in its order."""

    steps: tuple[Step, ...] = ()
    servers: tuple[Server, ...] = ()
    requests: tuple[Request, ...] = ()
    after: tuple[Step, ...] = ()
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


NO_PROOF = Proof()


def proof(data: object) -> Proof:
    """Read the part `verify` of a record; raises `FaultError`."""
    content = mapping(data, "verify", {"steps", "servers", "requests", "after", "servers_when"})
    return Proof(
        steps=tuple(map(_step, items(content.get("steps", []), "verify: steps"))),
        servers=tuple(map(_server, items(content.get("servers", []), "verify: servers"))),
        requests=tuple(map(_request, items(content.get("requests", []), "verify: requests"))),
        after=tuple(map(_step, items(content.get("after", []), "verify: after"))),
        when=_when(content.get("servers_when", {})),
    )


def _step(data: object) -> Step:
    content = mapping(data, "a step of verify", {"name", "run", "needed", "environment", "when"})
    return Step(
        name=text(content.get("name"), "a step's name"),
        run=tuple(map(_command, texts(content.get("run"), "a step's commands"))),
        needed=content.get("needed") is True,
        environment=_texts_by_name(content.get("environment", {}), "a step's environment"),
        when=_when(content.get("when", {})),
    )


def _server(data: object) -> Server:
    content = mapping(data, "a server of verify", {"name", "run", "ready", "environment", "folder"})
    return Server(
        name=text(content.get("name"), "a server's name"),
        run=_command(text(content.get("run"), "a server's command")),
        ready=text(content.get("ready"), "what tells that a server is ready"),
        folder=text(content.get("folder", "."), "a server's folder"),
        environment=_texts_by_name(content.get("environment", {}), "a server's environment"),
    )


def _request(data: object) -> Request:
    content = mapping(data, "a request of verify", {*Request.__dataclass_fields__})
    expect = content.get("expect", 200)
    if ("send" in content) == ("run" in content) or not isinstance(expect, int):
        raise FaultError("a request of verify has either send or run, and expects a status")
    return Request(
        send=text(content.get("send", "-"), "send").removeprefix("-"),
        run=_command(text(content.get("run", "-"), "run")).removeprefix("-"),
        expect=expect,
        body=content.get("body"),
        form=_texts_by_name(content.get("form", {}), "form"),
        file=text(content.get("file", "-"), "file").removeprefix("-"),
        headers=_texts_by_name(content.get("headers", {}), "headers"),
        keep=_texts_by_name(content.get("keep", {}), "keep"),
        when=_when(content.get("when", {})),
    )


def _command(line: str) -> str:
    try:
        if shlex.split(line):
            return line
    except ValueError:
        pass
    raise FaultError(f"{line[:40]!r} is no command")


def _when(data: object) -> dict[str, tuple[str, ...]]:
    return {key: texts(values, f"when: {key}") for key, values in mapping(data, "when").items()}


def _texts_by_name(data: object, what: str) -> dict[str, str]:
    content = mapping(data, what)
    for name, value in content.items():
        if not isinstance(value, str):
            raise FaultError(f"{what}: {name} is not a text")
    return {name: str(value) for name, value in content.items()}
