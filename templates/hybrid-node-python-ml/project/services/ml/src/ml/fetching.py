"""Fetch a version that lies elsewhere: the folder of a registry, as tar has packed it."""

import hashlib
import re
import shutil
import tarfile
import tempfile
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from ml.model import load
from ml.registry import CARD_FILE, ModelCard, Registry, RegistryError
from ml.serving import rehearse
from ml.settings import Settings

# Without a word for so long, whoever has it is taken for gone.
SILENCE_SECONDS = 60
CHUNK_BYTES = 1024 * 1024
NAME = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.-]{0,199}")


def fetch(url: str, settings: Settings, sha256: str | None = None) -> ModelCard:
    """Register the version that is packed at the URL, unless it could not be served."""
    registry = Registry(settings.registry_dir)
    registry.root.mkdir(parents=True, exist_ok=True)
    # On the same disk, and not where versions are looked for.
    with tempfile.TemporaryDirectory(dir=registry.root, prefix=".fetched-") as folder:
        _unpack(url, Path(folder), sha256)
        fetched = Registry(Path(folder))
        (version,) = fetched.versions() or [""]
        if not version:
            raise RegistryError(f"there is no {CARD_FILE} in it")
        card = fetched.card(version)
        if card.version != version:
            raise RegistryError(f"its folder is {version!r}, its version {card.version!r}")
        for name in card.files:
            if not NAME.fullmatch(name):
                raise RegistryError(f"{name!r} is no file beside the model")
        rehearse(load(fetched, version, settings.intra_op_threads, settings.providers))
        if version in registry.versions() and _content(registry.card(version)) != _content(card):
            raise RegistryError(f"version {version} is there, and is another model")
        registry.add(card, fetched.weights(card), fetched.root / version)
    return card


def _content(card: ModelCard) -> tuple[str, dict[str, str]]:
    return card.sha256, card.files


def _unpack(url: str, folder: Path, sha256: str | None) -> None:
    """The files of the archive, which is read once, from its beginning to its end."""
    try:
        with _open(url, is_proven=sha256 is not None) as source:
            digest = hashlib.sha256()
            hashed = _Hashed(source.read, digest.update)
            # Read from its beginning to its end, it needs a file that can do nothing else.
            with tarfile.open(fileobj=hashed, mode="r|*") as archive:  # type: ignore[call-overload]
                for member in archive:
                    _extract(archive, member, folder)
            # What stands behind the archive's end is part of the file, too.
            while hashed.read(CHUNK_BYTES):
                pass
    except HTTPError as error:
        raise RegistryError(f"{_shown(url)} answers {error.code} {error.reason}") from error
    except URLError as error:
        raise RegistryError(f"{_shown(url)} cannot be read: {error.reason}") from error
    except (tarfile.TarError, HTTPException, EOFError, OSError) as error:
        raise RegistryError(f"{_shown(url)} is no whole archive: {error}") from error
    if sha256 is not None and digest.hexdigest() != sha256.lower():
        raise RegistryError(f"the archive's SHA-256 is {digest.hexdigest()}, not {sha256}")


def _open(url: str, *, is_proven: bool) -> IO[bytes]:
    """Nobody on the way can have changed what comes over TLS; else its hash has to be known."""
    schemes = {"https", "file", "http"} if is_proven else {"https", "file"}
    _require_scheme(url, schemes)
    response: IO[bytes] = urllib.request.urlopen(url, timeout=SILENCE_SECONDS)  # noqa: S310
    # It may have been sent on.
    _require_scheme(response.url, schemes)  # type: ignore[attr-defined]
    return response


def _require_scheme(url: str, schemes: set[str]) -> None:
    scheme = urlsplit(url).scheme
    if scheme == "http" and scheme not in schemes:
        raise RegistryError("what comes over http needs --sha256: anybody may have changed it")
    if scheme not in schemes:
        raise RegistryError(f"{_shown(url)}: a URL of https, file or http is needed")


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """One file of one version: FOLDER/NAME, and nothing else."""
    if member.isdir():
        return
    parts = [part for part in PurePosixPath(member.name).parts if part != "."]
    is_plain = len(parts) == 2 and all(NAME.fullmatch(part) for part in parts)
    content = archive.extractfile(member) if member.isreg() and is_plain else None
    if content is None:
        raise RegistryError(f"{member.name!r} is in it: only files in the folder of a version may")
    version, name = parts
    others = [path.name for path in folder.iterdir() if path.name != version]
    if others:
        raise RegistryError(f"there are several versions in it: {version} and {others[0]}")
    (folder / version).mkdir(exist_ok=True)
    with (folder / version / name).open("wb") as file:
        shutil.copyfileobj(content, file, CHUNK_BYTES)


def _shown(url: str) -> str:
    """Without what lets others fetch it: presigned addresses carry that in their query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


class _Hashed:
    """A file that is read and hashed at once."""

    def __init__(self, read: Callable[[int], bytes], update: Callable[[bytes], object]) -> None:
        self._read = read
        self._update = update

    def read(self, size: int) -> bytes:
        """So many bytes."""
        content = self._read(size)
        self._update(content)
        return content
