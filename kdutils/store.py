"""The store: one folder a result, named by the hash of what was asked for; whole or not there, locked while written."""

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs
import torch
from filelock import FileLock, Timeout

from kdutils.errors import UserError
from kdutils.files import atomic, write_text

RESULT, CHECKPOINT, WEIGHTS = "result.json", "checkpoint.pt", "weights.safetensors"
MADE = "made"  # in a result: when and where it was made, which is no part of the answer


class Busy(UserError):
    """Another process is working on the same run."""


def canonical(content: Any) -> str:
    """JSON with sorted keys and no spaces: equal content gives equal text."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=True)


def digest(content: Any) -> str:
    """The SHA-256 of the canonical JSON of `content`."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def default_store() -> Path:
    """The variable KDUTILS_STORE, else a folder in the user's cache."""
    return Path(os.environ.get("KDUTILS_STORE") or platformdirs.user_cache_path("kdutils") / "store")


class Store:
    """Results by key under one folder. A file that cannot be trusted is reported, set aside and made anew."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder else default_store()

    def path(self, key: str, name: str) -> Path:
        """Where the file `name` of the result `key` lies."""
        return self.folder / key / name

    def read(self, key: str) -> dict | None:
        """The result `key` as it was written, or None where there is none (yet)."""
        path = self.path(key, RESULT)
        try:
            content = json.loads(path.read_text())
            if content.pop("digest") != digest(content):
                raise ValueError("its content does not match its own digest")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            set_aside(path, str(error))
            return None
        return content

    def write(self, key: str, content: dict) -> None:
        """Write a result with its digest, and drop the checkpoint that led to it."""
        write_text(self.path(key, RESULT), json.dumps({**content, "digest": digest(content)}, indent=1) + "\n")
        self.path(key, CHECKPOINT).unlink(missing_ok=True)

    def read_checkpoint(self, key: str) -> dict | None:
        """The last checkpoint of `key`, or None."""
        path = self.path(key, CHECKPOINT)
        if not path.exists():
            return None
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a torn file; each means: start anew
            set_aside(path, f"{type(error).__name__}")
            return None

    def epochs(self, key: str) -> int:
        """How far the last checkpoint of `key` is; 0 where there is none."""
        return len((self.read_checkpoint(key) or {"losses": []})["losses"])

    def write_checkpoint(self, key: str, state: dict) -> None:
        """Replace the checkpoint of `key`."""
        with atomic(self.path(key, CHECKPOINT)) as partial:
            save(state, partial)

    def results(self) -> Iterator[tuple[str, dict]]:
        """All (key, content) in the store, by key."""
        for path in sorted(self.folder.glob(f"*/{RESULT}")):
            content = self.read(path.parent.name)
            if content is not None:
                yield path.parent.name, content

    @contextmanager
    def lock(self, key: str, timeout: float = -1) -> Iterator[None]:
        """Hold the run `key`; wait for another process that does (at most `timeout` seconds, then Busy).

        The operating system keeps the lock, so it ends with its holder, however that ends.
        """
        lock = FileLock(self.path(key, "lock"))
        try:
            (self.folder / key).mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout)
        except Timeout as error:
            raise Busy(f"another process is working on {key} in {self.folder}") from error
        except OSError as error:
            raise self._unusable(error) from error
        for leftover in (self.folder / key).glob(".*"):  # a killed process leaves its temporary files behind
            leftover.unlink(missing_ok=True)
        try:
            yield
        finally:
            lock.release()

    def check(self) -> None:
        """Refuse a folder that cannot be written to."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> UserError:
        return UserError(f"cannot write to the store {self.folder}: {error.strerror}. Name another with KDUTILS_STORE")


def save(state: dict, path: Path) -> None:
    """torch.save, with its error for a full disk turned into the OSError that it is."""
    try:
        torch.save(state, path)
    except RuntimeError as error:
        raise OSError(None, f"writing failed, is the disk full? ({str(error).splitlines()[0]})") from error


def set_aside(path: Path, why: str) -> None:
    """Move a file that cannot be trusted out of the way, with a warning, so that it is made anew."""
    aside = path.with_name(f"{path.name}.damaged")
    try:
        os.replace(path, aside)
    except FileNotFoundError:  # another process has just done so
        return
    except OSError as error:
        raise UserError(f"{path} cannot be used ({why}), and not set aside either: {error.strerror}") from error
    warnings.warn(f"{path} cannot be used ({why}); set aside as {aside.name} and made anew", stacklevel=3)
