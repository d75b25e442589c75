import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnx
import pytest

from ml import cli
from ml.model import load
from ml.registry import ModelCard, Registry
from ml.signature import SIGNATURE

from . import tiny
from .conftest import instances

CPU = ("CPUExecutionProvider",)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Where it is fetched to."""
    monkeypatch.setenv("ML_REGISTRY_DIR", str(tmp_path / "here" / "models"))
    return Registry(tmp_path / "here" / "models")


@pytest.fixture
def there(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "there")


def packed(registry: Registry, version: str, mode: str = "w") -> bytes:
    """What `tar --create --directory MODELS VERSION` makes."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode=mode) as tar:  # type: ignore[call-overload]
        tar.add(registry.root / version, arcname=version)
    return archive.getvalue()


def made_of(files: Mapping[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


def saved(content: bytes, tmp_path: Path) -> str:
    path = tmp_path / "version.tar"
    path.write_bytes(content)
    return path.as_uri()


def nothing_is_there(registry: Registry) -> bool:
    """No version, no alias, and nothing left of what was fetched."""
    return not registry.root.exists() or list(registry.root.iterdir()) == []


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_version_is_fetched_and_served(
    registry: Registry, there: Registry, tmp_path: Path, mode: str
) -> None:
    card = tiny.register(there)
    cli.main(["fetch", saved(packed(there, card.version, mode), tmp_path)])
    assert registry.card(registry.resolve("production")) == card
    rows = np.asarray(instances(3), dtype=np.float32)
    outputs = load(registry, card.version, 1, CPU).run(SIGNATURE.encode(rows.tolist()))
    np.testing.assert_allclose(outputs, tiny.predict(tiny.weights(), rows), atol=1e-5)
    # Once more, without serving it.
    registry.promote(tiny.register(registry, "other").version, "production")
    cli.main(["fetch", "--no-promote", saved(packed(there, card.version), tmp_path)])
    assert registry.resolve("production") == "other"


def test_weights_beside_the_model_come_along(
    registry: Registry, there: Registry, tmp_path: Path
) -> None:
    model = onnx.load_model_from_string(tiny.onnx_of(tiny.weights()))
    onnx.save_model(
        model, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    content = (tmp_path / "m.onnx").read_bytes()
    digests = {"w.bin": hashlib.sha256((tmp_path / "w.bin").read_bytes()).hexdigest()}
    sha256 = hashlib.sha256(content).hexdigest()
    card = tiny.card_of(tiny.onnx_of(tiny.weights()), "large", sha256=sha256, files=digests)
    there.add(card, content, tmp_path)
    cli.main(["fetch", saved(packed(there, "large"), tmp_path)])
    (tmp_path / "w.bin").unlink()
    load(registry, "large", 1, CPU).run(SIGNATURE.golden)


def changed(card: ModelCard, **changes: object) -> Callable[[dict[str, bytes]], None]:
    text = card.model_copy(update=changes).model_dump_json().encode()

    def change(files: dict[str, bytes]) -> None:
        files["v/model.json"] = text

    return change


def renamed(new: str) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        files[new] = files.pop("v/model.onnx")

    return change


CARD = tiny.card_of(tiny.onnx_of(tiny.weights()), "v")
HOSTILE: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "a byte of the model": (
        lambda files: files.update({"v/model.onnx": files["v/model.onnx"] + b"\0"}),
        "is damaged",
    ),
    "a file beside it": (changed(CARD, files={"w.bin": "0" * 64}), "w.bin is missing or damaged"),
    "a file that is a path": (
        changed(CARD, files={"../v/model.onnx": CARD.sha256}),
        "'../v/model.onnx' is no file beside the model",
    ),
    "no card": (lambda files: files.pop("v/model.json"), "no model.json"),
    "no model": (lambda files: files.pop("v/model.onnx"), "cannot be read"),
    "a card that is none": (lambda files: files.update({"v/model.json": b"{}"}), "is not valid"),
    "another contract": (changed(CARD, features=99), "is tests on 99 features"),
    "labels that do not fit": (changed(CARD, labels=["a"]), "its labels: 1 where"),
    "another version than its folder": (changed(CARD, version="w"), "its version 'w'"),
    "a version that is a path": (changed(CARD, version="../v"), "../v"),
    "a file outside": (renamed("../model.onnx"), "'../model.onnx' is in it"),
    "a file of the root": (renamed("/v/model.onnx"), "'/v/model.onnx' is in it"),
    "a file further down": (renamed("v/w/model.onnx"), "'v/w/model.onnx' is in it"),
    "a hidden file": (renamed("v/.model.onnx"), "'v/.model.onnx' is in it"),
    "two versions": (
        lambda files: files.update({"w/model.onnx": b"x"}),
        "several versions in it: w and v",
    ),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_is_not_one_whole_version_leaves_nothing_behind(
    registry: Registry, tmp_path: Path, hostile: str
) -> None:
    change, reason = HOSTILE[hostile]
    content = tiny.onnx_of(tiny.weights())
    files = {"v/model.json": CARD.model_dump_json().encode(), "v/model.onnx": content}
    change(files)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit, match=r"^not registered: ") as refused:
        cli.main(["fetch", saved(made_of(files), tmp_path)])
    assert reason in str(refused.value)
    assert nothing_is_there(registry)
    left = set(tmp_path.rglob("*")) - {*before, tmp_path / "version.tar"}
    assert left <= {registry.root.parent, registry.root}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_pipes_are_refused(registry: Registry, tmp_path: Path, kind: bytes) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("v/model.onnx")
        member.type, member.linkname = kind, "/etc/hostname"
        tar.addfile(member)
    with pytest.raises(SystemExit, match=r"'v/model\.onnx' is in it"):
        cli.main(["fetch", saved(archive.getvalue(), tmp_path)])
    assert nothing_is_there(registry)


@pytest.mark.parametrize("size", [0, 100, 2000])
def test_half_an_archive_is_refused(
    registry: Registry, there: Registry, tmp_path: Path, size: int
) -> None:
    whole = packed(there, tiny.register(there).version)
    with pytest.raises(SystemExit, match="not registered: "):
        cli.main(["fetch", saved(whole[:size], tmp_path)])
    assert nothing_is_there(registry)


def test_a_version_that_is_there_is_not_replaced_by_another_model(
    registry: Registry, there: Registry, tmp_path: Path
) -> None:
    tiny.register(registry, "same")
    other = tiny.onnx_of(tiny.weights(seed=1))
    there.add(tiny.card_of(other, "same"), other)
    with pytest.raises(SystemExit, match="same is there, and is another model"):
        cli.main(["fetch", saved(packed(there, "same"), tmp_path)])
    assert registry.weights(registry.card("same")) == tiny.onnx_of(tiny.weights())


@dataclass
class Storage:
    """A server that has one object, for those who know the signature."""

    content: bytes = b""
    to: str | None = None
    asked: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def storage() -> Iterator[Storage]:
    state = Storage()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            if state.to is not None:
                self.send_response(302)
                self.send_header("location", state.to)
                self.end_headers()
                return
            allowed = self.path.endswith("?X-Amz-Signature=secret")
            self.send_response(200 if allowed else 403)
            self.end_headers()
            self.wfile.write(state.content if allowed else b"<Error/>")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/bucket/v.tar"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_presigned_address_is_asked_and_its_secret_is_kept(
    registry: Registry,
    there: Registry,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = tiny.register(there).version
    storage.content = packed(there, version)
    proven = ["--sha256", hashlib.sha256(storage.content).hexdigest()]
    with pytest.raises(SystemExit) as refused:
        cli.main(["fetch", f"{storage.url}?X-Amz-Signature=wrong", *proven])
    assert str(refused.value) == (
        "not registered: http://127.0.0.1/bucket/v.tar answers 403 Forbidden"
    )
    assert nothing_is_there(registry)
    # From standard input, so that no list of processes shows it.
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{storage.url}?X-Amz-Signature=secret\n"))
    cli.main(["fetch", "-", *proven])
    assert registry.resolve("production") == version


def test_the_archive_is_held_to_its_hash(
    registry: Registry, there: Registry, storage: Storage
) -> None:
    content = packed(there, tiny.register(there).version)
    right = hashlib.sha256(content).hexdigest()
    # Behind an archive's end may stand what nobody unpacks.
    storage.content = content + b"\0"
    with pytest.raises(SystemExit, match=f"the archive's SHA-256 is .*, not {right}"):
        cli.main(["fetch", f"{storage.url}?X-Amz-Signature=secret", "--sha256", right])
    assert nothing_is_there(registry)


def test_what_anybody_may_have_changed_is_not_even_asked_for(
    registry: Registry, storage: Storage
) -> None:
    with pytest.raises(SystemExit, match="over http needs --sha256"):
        cli.main(["fetch", storage.url])
    for url in ("ftp://127.0.0.1/v.tar", "v.tar", "data:,x"):
        with pytest.raises(SystemExit, match="a URL of https, file or http is needed"):
            cli.main(["fetch", url])
    assert (storage.asked, nothing_is_there(registry)) == ([], True)


def test_a_server_does_not_send_it_to_the_files_of_this_machine(
    registry: Registry, there: Registry, storage: Storage, tmp_path: Path
) -> None:
    content = packed(there, tiny.register(there).version)
    storage.to = saved(content, tmp_path)
    with pytest.raises(SystemExit, match="not registered: "):
        cli.main(["fetch", storage.url, "--sha256", hashlib.sha256(content).hexdigest()])
    assert nothing_is_there(registry)


def test_nobody_who_does_not_answer_is_a_traceback(registry: Registry, storage: Storage) -> None:
    for url in ("https://127.0.0.1:1/v.tar", "file:///no/such/version.tar"):
        with pytest.raises(SystemExit, match=r"not registered: .* cannot be read"):
            cli.main(["fetch", url])
    assert json.dumps(storage.asked) == "[]"
    assert nothing_is_there(registry)
