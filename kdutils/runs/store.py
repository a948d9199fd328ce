"""A folder of results, named by the hash of what was asked for; whole or not there, locked while written."""

import errno
import json
import os
import re
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path

import platformdirs
import torch
from filelock import FileLock, Timeout

from kdutils._files import at_home, atomic, open_regular, sha256, write_text
from kdutils.errors import UserError
from kdutils.runs import schema
from kdutils.runs.identities import digest

RESULT, CHECKPOINT, WEIGHTS = "result.json", "checkpoint.pt", "weights.safetensors"
TRACEBACK = "error.txt"
MADE = "made"  # in a result: when and where it was made, which is no part of the answer
KEY = re.compile("[0-9a-f]{16}")
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # Lustre, FUSE and NFS, as some are mounted
FORMAT = 1  # of checkpoints; those from before it was written have neither format nor key


class Busy(UserError):
    """Another process is working on the same run."""


class Untrusted(ValueError):
    """A file in a store is not what it should be; says why."""


def default_store() -> Path:
    """The variable KDUTILS_STORE, else a folder in the user's cache."""
    return at_home(os.environ.get("KDUTILS_STORE") or platformdirs.user_cache_path("kdutils") / "store")


class Store:
    """Results by key under one folder. A file that cannot be trusted is reported, set aside and made again.

    `ours=False`: of somebody else's store nothing is set aside; what cannot be trusted is reported and left out.
    """

    def __init__(self, folder: str | Path | None = None, ours: bool = True) -> None:
        self.folder, self.ours = at_home(folder) if folder else default_store(), ours

    def path(self, key: str, name: str) -> Path:
        """Where the file `name` of the result `key` lies."""
        return self.folder / key / name

    def read(self, key: str, weights: bool = False) -> dict | None:
        """The result `key` as it was written, or None if there is none (yet).

        With `weights`, None also where the weights that the run ended in are not beside it: results may travel without.
        """
        path = self.path(key, RESULT)
        try:
            content = _read_result(path)
            schema.check(key, content)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:
            self.distrust(key, RESULT, str(error))
            return None
        return None if weights and not self._has_weights(key, content) else content

    def _has_weights(self, key: str, content: dict) -> bool:
        path = self.path(key, WEIGHTS)
        return path.is_file() and sha256(path) == content["result"]["weights_sha256"]

    def write(self, key: str, content: dict) -> None:
        """Write a result with its digest, and drop the checkpoint that led to it and the traceback of a failed try."""
        write_text(self.path(key, RESULT), json.dumps({**content, "digest": digest(content)}, indent=1) + "\n")
        for name in (CHECKPOINT, TRACEBACK):
            self.path(key, name).unlink(missing_ok=True)

    def read_checkpoint(self, key: str) -> dict | None:
        """The last checkpoint of `key`, or None."""
        path = self.path(key, CHECKPOINT)
        try:
            return _read_checkpoint(path, key)
        except FileNotFoundError:
            return None
        except Exception as error:  # torch raises many kinds for a torn file; each means: start from the beginning
            self.distrust(key, CHECKPOINT, str(error) if isinstance(error, Untrusted) else type(error).__name__)
            return None

    def epochs(self, key: str) -> int:
        """How far the last checkpoint of `key` is; 0 if there is none."""
        return len((self.read_checkpoint(key) or {"losses": []})["losses"])

    def write_checkpoint(self, key: str, state: dict) -> None:
        """Replace the checkpoint of `key`."""
        with atomic(self.path(key, CHECKPOINT)) as partial:
            save({"format": FORMAT, "key": key, **state}, partial)

    def keys(self, name: str) -> list[str]:
        """The keys under which there is a file `name`, sorted; UserError for a folder that one may not look into."""
        try:
            found = [key for key in os.listdir(self.folder) if KEY.fullmatch(key)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UserError(f"cannot read the store {self.folder}: {error.strerror}") from error
        return sorted(key for key in found if os.path.exists(self.path(key, name)))

    def results(self) -> Iterator[tuple[str, dict]]:
        """All (key, content) in the store, by key."""
        for key in self.keys(RESULT):
            try:
                content = self.read(key)
            except UserError as error:  # one that cannot be read does not hide the others
                warnings.warn(f"left out: {error}", stacklevel=2)
                continue
            if content is not None:
                yield key, content

    @contextmanager
    def lock(self, key: str, timeout: float = -1) -> Iterator[None]:
        """Hold the run `key`; wait for another process that does (at most `timeout` seconds, then Busy).

        The operating system keeps the lock, so it ends with its holder, however that ends.
        """
        lock = FileLock(self.path(key, "lock"), fallback_to_soft=False)  # a lock file left behind is no lock
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
        if error.errno in NO_LOCKS:
            return UserError(
                f"the disk of the store {self.folder} cannot lock files ({error.strerror}), which a store needs. "
                "Name a folder on another disk with KDUTILS_STORE; `kdutils results import` copies the results there"
            )
        return UserError(f"cannot write to the store {self.folder}: {error.strerror}. Name another with KDUTILS_STORE")

    def distrust(self, key: str, name: str, why: str) -> None:
        """Move a file that cannot be trusted out of the way, with a warning, so that it is made again."""
        path = self.path(key, name)
        if not self.ours:
            warnings.warn(f"{path} cannot be used ({why}) and is left out", stacklevel=3)
            return
        aside = path.with_name(f"{path.name}.damaged")
        try:
            os.replace(path, aside)
        except FileNotFoundError:  # another process has just done so
            return
        except OSError as error:
            raise UserError(f"{path} cannot be used ({why}), and not set aside either: {error.strerror}") from error
        warnings.warn(f"{path} cannot be used ({why}); set aside as {aside.name} and made again", stacklevel=3)


def _read_result(path: Path) -> dict:
    """What a result file holds, if its digest is that of its content; Untrusted if not."""
    with open_regular(path) as stream:
        written = stream.read()
    try:
        content = json.loads(written)
        said = content.pop("digest")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Untrusted(f"no result: {type(error).__name__}: {error}") from error
    if said != digest(content):
        raise Untrusted("its content does not match its own digest")
    return content


def _read_checkpoint(path: Path, key: str) -> dict:
    """A checkpoint whose parts are there, and which says that it is of this run and form if it says so at all."""
    with open_regular(path) as stream:
        if zipfile.ZipFile(stream).testzip():  # torch does not look at the checksums that it writes
            raise Untrusted("its content does not match its own checksums")
        stream.seek(0)
        state = torch.load(stream, map_location="cpu", weights_only=True)
    found = state.pop("format", FORMAT) if isinstance(state, dict) else None
    if not isinstance(found, int) or found != FORMAT:
        raise Untrusted("another version of kdutils wrote it")
    if state.pop("key", key) != key:
        raise Untrusted("it is of another run")
    losses = state.get("losses")
    if not isinstance(losses, list) or not all(isinstance(loss, float) and isfinite(loss) for loss in losses):
        raise Untrusted("it does not say how far the run was")
    return state


def save(state: dict, path: Path) -> None:
    """torch.save, with its error for a full disk turned into the OSError that it is."""
    try:
        torch.save(state, path)
    except RuntimeError as error:
        raise OSError(None, f"writing failed, is the disk full? ({str(error).splitlines()[0]})") from error
