"""Files that are either whole or not there: written under a temporary name, then renamed."""

import errno
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from kdutils.errors import UserError

CLONE, WHEEL = Path(__file__).parents[1], Path(__file__).parent / "clone"
ROOT = CLONE if (CLONE / "_toc.yml").is_file() else WHEEL  # the folder that holds `book/` and `notebooks/`
SETTLED_NS = 2_000_000_000  # a file changed less than this ago may change again without a new time of change

_hashes: dict[tuple[int, ...], str] = {}  # of files by what `os.stat` says of them


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds, remove it if not.

    An OSError (full disk, read-only folder) becomes a UserError of one line; so does a device or a folder at `path`. Of
    a link, the file that it leads to is written.
    """
    path = _writable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}. Name a folder that can be written to.") from error
    partial = Path(name)
    try:
        yield partial
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}. Nothing was left half-written.") from error
    finally:
        partial.unlink(missing_ok=True)


def check_place(path: str | Path) -> None:
    """UserError, before any work, for a place where no file can be written: see `atomic`."""
    path = _writable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent):
            pass  # a name as `atomic` needs it, which may be too long
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}. Name a folder that can be written to.") from error


def _writable(path: str | Path) -> Path:
    """Where `path` leads; UserError for what is there and is no file."""
    if os.path.lexists(path) and not is_file(path):
        what = "a folder" if os.path.isdir(path) else "not a regular file"
        raise UserError(f"cannot write {path}: it is {what}. Name another.")
    return Path(os.path.realpath(path))


def is_file(path: str | Path) -> bool:
    """True for a regular file; False for all else, also if one may not look, or if no name can be that long."""
    return os.path.isfile(path)


def at_home(path: str | Path) -> Path:
    """The path with a leading ~ read as the user's home; UserError if there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"{path}: there is no such home folder. Write the path without ~") from error


def repository(root: Path = ROOT) -> Path:
    """The folder of the clone that this package lies in; UserError if it was installed without one."""
    if not (root / "_config.yml").exists():
        raise UserError(
            f"this needs the project's repository, and kdutils was not installed from a clone: no _config.yml in {root}"
        )
    return root


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic(path) as partial:
        partial.write_bytes(content)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, atomically."""
    write_bytes(path, text.encode())


def open_regular(path: str | Path) -> BinaryIO:
    """Open a file to read its bytes; OSError for anything else, such as a pipe, which would wait for a writer."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(handle, "rb")


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal; a file that did not change is read once per process."""
    if (known := _hashes.get(_state(os.stat(path)))) is not None:
        return known
    with open_regular(path) as stream:
        found = os.fstat(stream.fileno())
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > SETTLED_NS:
        _hashes[_state(found)] = digest
    return digest


def _state(found: os.stat_result) -> tuple[int, ...]:
    """What changes whenever a file does."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
