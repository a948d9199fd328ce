"""Results travel: a store's results as one tidy table, packed into a file, and merged into another store."""

import contextlib
import lzma
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from kdutils._files import atomic, open_regular, sha256
from kdutils.errors import UserError
from kdutils.runs.identities import digest
from kdutils.runs.specs import WHERE, RunSpec
from kdutils.runs.store import CHECKPOINT, MADE, RESULT, WEIGHTS, Store

MEASURED = ("test_loss", "test_accuracy", "ece", "ace", "agreement", "teacher_kl")
"""What a table shows of a result; the last four are empty in results from before they were measured."""
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError)  # the last: encrypted
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
    """All students' trainings in a store, one row each: the fields of RunSpec, those of RunResult in MEASURED, `key`.

    `teacher_weights` holds the SHA-256 of the file that the teacher came from.
    """
    columns = [name for name in RunSpec.model_fields if name not in WHERE]
    rows = []
    for key, content in store.results():
        if "result" in content:  # a ranking has rows instead
            defaults = {name: RunSpec.model_fields[name].get_default() for name in columns}
            result = {name: content["result"].get(name) for name in MEASURED}
            rows.append({**defaults, **content["spec"], **result, "key": key})
    return pd.DataFrame(rows, columns=[*columns, *MEASURED, "key"])


def asked(content: dict, data_dir: str = "", teacher_weights: str = "") -> RunSpec:
    """The specification that a training in a store answers, with the folder and the file that its identity leaves out.

    `{teacher}` in `teacher_weights` stands for the teacher's name.
    """
    values = {name: value for name, value in content["spec"].items() if name in RunSpec.model_fields}
    if "teacher_weights" in values:
        values["teacher_weights"] = teacher_weights.replace("{teacher}", values["teacher"])
    return RunSpec(**{**values, "data_dir": data_dir})


def lacking(store: Store) -> Iterator[tuple[str, dict]]:
    """All (key, content) of trainings whose weights are kept, and of which a version before this one measured less."""
    for key, content in store.results():
        expected = set(MEASURED) if content["spec"].get("teacher") else set(MEASURED) - {"agreement", "teacher_kl"}
        if "result" in content and not expected <= _measured(content) and store.read(key, weights=True):
            yield key, content


def origin(store: Store, keys: Iterable[str]) -> dict[str, str]:
    """When, where and with what these results were made (`_provenance.made`); several answers with semicolons."""
    known = [(store.read(key) or {}).get(MADE, {}) for key in keys]
    names = ("date", "machine", "versions", "commit")
    return {name: "; ".join(sorted({each.get(name, "not recorded") for each in known})) for name in names}


def merge(source: str | Path, store: Store) -> Merged:
    """Copy the results, with their weights if there, from another store's folder or packed file into `store`.

    So are the checkpoints of runs that got further there than here. A result that `store` holds is never overwritten;
    what cannot be trusted is left out with a warning, and stays as it is.
    """
    source = Path(source)
    if os.path.isdir(source):  # Path.is_dir raises where a path is too long or not ours to see
        return _merge(Store(source, ours=False), store)
    with tempfile.TemporaryDirectory() as folder:
        _unpack(source, Path(folder))
        return _merge(Store(folder, ours=False), store)


def pack(store: Store, path: Path, weights: bool = False) -> int:
    """Write all results of `store` to a zip file; returns how many.

    With `weights` also the networks' weights and the checkpoints of what is not finished: all that a sweep on another
    machine needs to go on.
    """
    keys = [key for key, _ in store.results()]
    members = [store.path(key, name) for key in keys for name in ((RESULT, WEIGHTS) if weights else (RESULT,))]
    if weights:
        members += [store.path(key, CHECKPOINT) for key in store.keys(CHECKPOINT)]
    with atomic(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            with contextlib.suppress(FileNotFoundError):  # weights that never came, or a run that ends just now
                archive.write(member, f"{member.parent.name}/{member.name}")
    return len(keys)


def is_packed(path: Path) -> bool:
    """True for a zip file that holds what `pack` writes, and nothing else."""
    try:
        with open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
            return all(MEMBER.fullmatch(name) for name in archive.namelist())
    except (OSError, *BROKEN):
        return False


def _unpack(path: Path, folder: Path) -> None:
    """The results in a packed file; whatever else it holds is no result, and stays where it is."""
    try:
        with open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
            for name in archive.namelist():
                if MEMBER.fullmatch(name):
                    archive.extract(name, folder)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except BROKEN as error:
        raise UserError(f"{path} is no packed store ({error}): make it with `kdutils results export`") from error


def _merge(source: Store, store: Store) -> Merged:
    done = Merged()
    for key, content in source.results():
        with store.lock(key):
            own = store.read(key)
            if own is not None and not _agree(own, content):
                done.differing.append(key)
                continue
            (done.added if own is None else done.same).append(key)
            _copy_weights(source.path(key, WEIGHTS), store.path(key, WEIGHTS), content)
            if own is None or _measured(content) > _measured(own):
                store.write(key, content)
    done.begun = [key for key in source.keys(CHECKPOINT) if _take_checkpoint(key, source, store)]
    return done


def _agree(own: dict, content: dict) -> bool:
    """Whether two results answer alike as far as both measured: not where they were made, as two machines may agree."""
    both = _measured(own) & _measured(content)
    return _answer(own, both) == _answer(content, both)


def _measured(content: dict) -> set[str]:
    """What was measured, of the fields that older results lack."""
    result = content.get("result", {})
    return {name for name in MEASURED if result.get(name) is not None}


def _answer(content: dict, measured: set[str]) -> str:
    """The digest of a result without where it was made, and without what is not in `measured` of MEASURED."""
    plain = {name: value for name, value in content.items() if name != MADE}
    if "result" in plain:
        left_out = set(MEASURED) - measured
        plain["result"] = {name: value for name, value in plain["result"].items() if name not in left_out}
    return digest(plain)


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
