"""Results travel: a store's results as one tidy table, packed into a file, and merged into another store."""

import contextlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from kdutils.errors import UserError
from kdutils.files import atomic, sha256
from kdutils.specs import RunSpec
from kdutils.store import CHECKPOINT, MADE, RESULT, WEIGHTS, Store, digest

MEMBER = re.compile(rf"[0-9a-f]{{16}}/({re.escape(RESULT)}|{re.escape(WEIGHTS)}|{re.escape(CHECKPOINT)})")


@dataclass
class Merged:
    """Keys of results that were new, that both stores had alike, and that differ; of those the own one is kept.

    `begun`: of unfinished runs that can now go on from a later epoch than before.
    """

    added: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)


def table(store: Store) -> pd.DataFrame:
    """All students' trainings in a store, a row each: the fields of RunSpec, `test_loss`, `test_accuracy`, `key`.

    `teacher_weights` holds the SHA-256 of the file that the teacher came from.
    """
    columns = [name for name in RunSpec.model_fields if name != "data_dir"]
    rows = []
    for key, content in store.results():
        if "result" in content:  # a ranking has rows instead
            defaults = {name: RunSpec.model_fields[name].get_default() for name in columns}
            result = {name: content["result"][name] for name in ("test_loss", "test_accuracy")}
            rows.append({**defaults, **content["spec"], **result, "key": key})
    return pd.DataFrame(rows, columns=[*columns, "test_loss", "test_accuracy", "key"])


def origin(store: Store, keys: Iterable[str]) -> dict[str, str]:
    """When, where and with what these results were made (`machine.made`); several answers with semicolons."""
    known = [(store.read(key) or {}).get(MADE, {}) for key in keys]
    names = ("date", "machine", "versions")
    return {name: "; ".join(sorted({each.get(name, "not recorded") for each in known})) for name in names}


def merge(source: str | Path, store: Store) -> Merged:
    """Copy the results, with their weights if there, from another store's folder or packed file into `store`.

    So are the checkpoints of runs that got further there than here. A result that `store` holds is never overwritten;
    damaged ones are left out with a warning, as in any store.
    """
    source = Path(source)
    if source.is_dir():
        return _merge(Store(source), store)
    with tempfile.TemporaryDirectory() as folder:
        _unpack(source, Path(folder))
        return _merge(Store(folder), store)


def pack(store: Store, path: Path, weights: bool = False) -> int:
    """Write all results of `store` to a zip file; returns how many.

    With `weights` also the networks' weights and the checkpoints of what is not finished: all that a sweep on another
    machine needs to go on.
    """
    keys = [key for key, _ in store.results()]
    members = [store.path(key, name) for key in keys for name in ((RESULT, WEIGHTS) if weights else (RESULT,))]
    if weights:
        members += sorted(store.folder.glob(f"*/{CHECKPOINT}"))
    with atomic(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            with contextlib.suppress(FileNotFoundError):  # weights that never came, or a run that ends just now
                archive.write(member, f"{member.parent.name}/{member.name}")
    return len(keys)


def _unpack(path: Path, folder: Path) -> None:
    """The results in a packed file; whatever else it holds is no result, and stays where it is."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if MEMBER.fullmatch(name):
                    archive.extract(name, folder)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except zipfile.BadZipFile as error:
        raise UserError(f"{path} is no packed store ({error}): make it with `kdutils results export`") from error


def _merge(source: Store, store: Store) -> Merged:
    done = Merged()
    for key, content in source.results():
        with store.lock(key):
            own = store.read(key)
            if own is not None and _answer(own) != _answer(content):
                done.differing.append(key)
                continue
            (done.added if own is None else done.same).append(key)
            _copy_weights(source.path(key, WEIGHTS), store.path(key, WEIGHTS), content)
            if own is None:
                store.write(key, content)
    for path in sorted(source.folder.glob(f"*/{CHECKPOINT}")):
        if _take_checkpoint(path.parent.name, source, store):
            done.begun.append(path.parent.name)
    return done


def _answer(content: dict) -> str:
    """The digest of a result without where it was made: two machines may well agree."""
    return digest({name: value for name, value in content.items() if name != MADE})


def _take_checkpoint(key: str, source: Store, store: Store) -> bool:
    """Copy the checkpoint of an unfinished run if it is further than ours."""
    if store.read(key) is not None:
        return False
    with store.lock(key):
        further = source.epochs(key) > store.epochs(key) and store.read(key) is None
        if further:
            with atomic(store.path(key, CHECKPOINT)) as partial:
                shutil.copyfile(source.path(key, CHECKPOINT), partial)
    return further


def _copy_weights(source: Path, target: Path, content: dict) -> None:
    """Copy weights that are the ones the result names, where there are none yet."""
    if target.exists() or not source.is_file():
        return
    if sha256(source) == content.get("result", {}).get("weights_sha256"):
        with atomic(target) as partial:
            shutil.copyfile(source, partial)
