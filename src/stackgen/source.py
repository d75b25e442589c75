"""Where templates come from: a source that was asked for, a checkout, or the wheel's own bundle."""

import atexit
import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from stackgen import endings, git, workshop
from stackgen.errors import SourceError

BUNDLE = "templates.bundle"
LOCK = "templates.lock"
DATA_DIR = "~/.local/share/stackgen"
HEAD = "HEAD"
UPGRADE = "upgrade stackgen, for example with `uv tool upgrade stackgen` or `pip install --upgrade stackgen`"
_PACKAGE = Path(__file__).parent
_CHECKOUT = _PACKAGE.parents[1]
_ALIASES = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}
_GIT_PREFIXES = ("git@", "git://", "git+", "https://github.com/", "https://gitlab.com/")
_ELSEWHERE = re.compile(r"[^/\\]{2,}:")  # git takes host:path for another machine's, a letter alone for a disk
_CHECK = "check the address and your access to it"
_LOCK_SECONDS = 60.0  # to write takes milliseconds


@dataclass(frozen=True, slots=True)
class Source:
    """A template: what a project records as its source, the version to render, and its questions.

    `questions` is the folder that holds copier.yml and every file which that includes.
    """

    url: str
    version: str | None
    questions: Path


def find(explicit: str | None, environment: Mapping[str, str], version: str | None = None) -> Source:
    """Give the template to generate from: the one asked for, the checkout, or the bundle."""
    asked = explicit or environment.get("STACKGEN_TEMPLATE")
    if asked:
        return _from_anywhere(_for_copier(asked), version)
    if is_checkout():
        return Source(str(_CHECKOUT), version or HEAD, _CHECKOUT)
    return _from_bundle(environment, version)


def is_checkout() -> bool:
    """Tell whether stackgen runs from its own repository (an editable install)."""
    return not (_PACKAGE / BUNDLE).exists() and (_CHECKOUT / "copier.yml").exists()


def refresh(url: str, environment: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Make a project's recorded source ready for an update; give where it is, and its releases, oldest first.

    Where the home folder cannot be written to, the bundle is in the folder that stands for it.
    """
    default = f"{DATA_DIR}/{BUNDLE}"
    where = _placement(environment)[0] if url == default and environment.get("STACKGEN_DATA_DIR") else url
    if where in {_placement(environment)[0], default} and not is_checkout():
        _place(_PACKAGE / BUNDLE, Path(where).expanduser())
    return where, _sorted(_tags(_expand(where)))


def is_release(version: str) -> bool:
    """Tell whether `version` names a release, as v1.2.3 does and a commit (4f5e6a7, or 1234567) does not."""
    try:
        return not Version(version).is_prerelease and not version.isdecimal() and "-" not in version
    except InvalidVersion:
        return False


def part(url: str, version: str, folder: str, names: str) -> Path:
    """Give a folder of one version of a template, there with all files whose names fit, as links lead to some."""
    if version == HEAD and (Path(url) / "copier.yml").exists():
        return Path(url, folder)
    clone = _cloned(_expand(url))
    commit = _commit(str(clone), version, url)
    listing = _git("-C", str(clone), "ls-tree", "-r", "-z", "--name-only", commit, about=url).split("\0")
    if wanted := [name for name in listing if re.fullmatch(names, name)]:
        _git("-C", str(clone), "checkout", "--quiet", commit, "--", *wanted, about=url)
    return clone / folder


def _from_bundle(environment: Mapping[str, str], version: str | None) -> Source:
    ours = _PACKAGE / BUNDLE
    if not ours.exists():
        message = "this installation of stackgen has no templates"
        raise SourceError(message, "install it again, or name a template with --template")
    recorded, target = _placement(environment)
    _place(ours, target)
    newest = _sorted(_bundle_tags(ours.read_bytes()))[-1]
    if version in {None, newest}:
        return Source(recorded, newest, _PACKAGE / "_template")
    return Source(recorded, version, _clone(str(target), version))


def _placement(environment: Mapping[str, str]) -> tuple[str, Path]:
    """Give the bundle's path as projects record it, and as this machine knows it."""
    override = environment.get("STACKGEN_DATA_DIR")
    if override:
        target = Path(override).expanduser().absolute() / BUNDLE
        return target.as_posix(), target
    recorded = f"{DATA_DIR}/{BUNDLE}"
    try:
        return recorded, Path(recorded).expanduser()
    except RuntimeError:
        message = "the home folder is unknown, so there is no place for the templates"
        raise SourceError(message, "set STACKGEN_DATA_DIR to a folder that you can write to") from None


def _place(ours: Path, target: Path) -> None:
    """Put the bundle where projects look for it, unless what stands there is as good."""
    content = ours.read_bytes()
    try:
        if not _is_wanted(content, target):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(content, target)
    except OSError as error:
        message = f"the templates cannot be placed at {target}: {error.strerror or error}"
        raise SourceError(message, "set STACKGEN_DATA_DIR to a folder that you can write to") from error


def _is_wanted(content: bytes, target: Path) -> bool:
    """Tell whether `content` should replace `target`: never by something older."""
    try:
        placed = target.read_bytes()
    except FileNotFoundError:
        return True
    if placed == content:
        return False
    there, here = _sorted(_bundle_tags(placed)), _sorted(_bundle_tags(content))
    if not there or not _is_whole(placed) or Version(there[-1]) < Version(here[-1]):
        return True
    if here[-1] not in there:
        message = f"{target} holds newer templates ({there[-1]}), but not this stackgen's own ({here[-1]})"
        raise SourceError(message, UPGRADE)
    return there[-1] == here[-1] and set(there) < set(here)


def _replace(content: bytes, target: Path) -> None:
    """Swap `target` for `content` in one step, one process at a time."""
    from filelock import FileLock

    beside = target.with_name(f"{target.name}.new")
    with FileLock(target.with_name(LOCK), timeout=_LOCK_SECONDS):
        # Another process may have placed a newer one while this one waited.
        if _is_wanted(content, target):
            try:
                beside.write_bytes(content)
                beside.replace(target)
            finally:
                beside.unlink(missing_ok=True)


def _bundle_tags(content: bytes) -> list[str]:
    """List the tags in a git bundle's header, which is plain text up to the first empty line."""
    header, end, _ = content.partition(b"\n\n")
    if not end or not header.startswith(b"# v"):
        return []
    return re.findall(r"^[0-9a-f]{40,64} refs/tags/(\S+)$", header.decode(errors="replace"), re.MULTILINE)


def _is_whole(content: bytes) -> bool:
    """Tell whether a bundle's pack is complete: it ends with the checksum of all before it."""
    pack = content.partition(b"\n\n")[2]
    return pack.startswith(b"PACK") and hashlib.sha1(pack[:-20], usedforsecurity=False).digest() == pack[-20:]


def _sorted(tags: list[str]) -> tuple[str, ...]:
    return tuple(sorted(filter(is_release, tags), key=Version))


def spelled(asked: str) -> str:
    """Give a template's address as a project records it: a path counts from the root."""
    path = _path(asked)
    return str(path.resolve()) if path.exists() else asked


def _path(address: str) -> Path:
    """Give the path that an address may be; raises `SourceError` for one that the machine refuses to look at."""
    try:
        path = Path(address).expanduser()
        path.exists()
    except (OSError, RuntimeError) as error:
        message = f"the template {address[:120]!r} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise SourceError(message, _CHECK) from error
    return path


def _from_anywhere(asked: str, version: str | None) -> Source:
    path, asked = _path(asked), spelled(asked)
    if path.is_dir() and not (path / ".git").exists() and not (path / "HEAD").exists():
        return Source(asked, None, _with_questions(path.resolve()))
    url = _expand(asked)
    releases = _sorted(_tags(url))
    chosen = version or (releases[-1] if releases else HEAD)
    if chosen == HEAD and (path / "copier.yml").exists():
        return Source(asked, HEAD, path.resolve())
    return Source(asked, chosen, _clone(url, chosen))


def _expand(url: str) -> str:
    """Give git's own spelling of the shorthands that copier takes."""
    for alias, address in _ALIASES.items():
        if url.startswith(alias):
            return f"{address}{url.removeprefix(alias).lstrip('/').removesuffix('.git')}.git"
    return str(_path(url)) if url.startswith("~") else url.removeprefix("git+")


def _for_copier(address: str) -> str:
    """Give an address in a spelling that copier takes for git's: it knows few hosts, and others only by .git."""
    is_url = re.match(r"[a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:", address)
    known = address.startswith(_GIT_PREFIXES) or address.endswith(".git")
    return f"git+{address}" if is_url and not known else address


def _tags(url: str) -> list[str]:
    path = _path(url)
    if path.is_file():
        return _bundle_tags(path.read_bytes())
    try:
        listing = _git("ls-remote", "--tags", "--refs", "--", url, about=url)
    except SourceError:
        if path.exists() or _ELSEWHERE.match(url):
            raise
        missing = f"the template {url[:120]!r} does not exist"
        raise SourceError(missing, "name a folder that does, or a git address") from None
    return [line.rpartition("refs/tags/")[2] for line in listing.splitlines()]


def _clone(url: str, version: str) -> Path:
    folder = _cloned(url)
    _git("-C", str(folder), "checkout", "--quiet", "--detach", _commit(str(folder), version, url), about=url)
    return _with_questions(folder)


def _cloned(url: str) -> Path:
    """Clone a template without checking anything out; the folder is gone when this process is."""
    with endings.undisturbed():
        folder = Path(tempfile.mkdtemp(prefix="stackgen-template-"))
        atexit.register(workshop.remove, folder)
    _git("clone", "--quiet", "--no-checkout", "--", url, str(folder), about=url)
    return folder


def _commit(folder: str, version: str, url: str) -> str:
    for reference in (version, f"origin/{version}"):
        with suppress(SourceError):
            return _git("-C", folder, "rev-parse", "--verify", f"{reference}^{{commit}}", about=url).strip()
    message = f"the template {url!r} has no version {version!r}"
    raise SourceError(message, "leave the version out to take the newest release")


def _with_questions(folder: Path) -> Path:
    if not (folder / "copier.yml").exists():
        message = f"{folder} is not a template: it has no copier.yml"
        raise SourceError(message, "name a git repository, a git bundle or a folder made for copier")
    return folder


def _git(*arguments: str, about: str) -> str:
    settings = [word for name, value in git.AS_IT_STANDS.items() for word in ("-c", f"{name}={value}")]
    done = git.attempt(*settings, *arguments, inherit=True)
    complaint = os.fsdecode(done.stderr)
    if done.returncode and git.is_full(complaint):
        raise endings.no_room_for_temporary_files()
    if done.returncode:
        message = f"the template {about[:120]!r} cannot be read: {git.reason(complaint)}"
        raise SourceError(message, git.hint(complaint) or _CHECK)
    return os.fsdecode(done.stdout)
