"""Build the book: execute the notebooks that changed, stage the sources, let Jupyter Book make the pages.

Everything lands in `_build/`: `executed/` (a notebook each, with the fingerprint of all that it depends on),
`source/` (what Jupyter Book reads), `html/` (the book), `store/` (the notebooks' runs). What is finished stays when
a later step fails: executed notebooks are not executed again, and the old pages stay until the new ones are whole.
"""

import hashlib
import multiprocessing
import multiprocessing.connection
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import nbformat
from filelock import FileLock, Timeout

from kdutils import _files
from kdutils.book import page_files, sources
from kdutils.book.notebooks import ROOT, chapters, execute
from kdutils.errors import UserError
from kdutils.sweep.local import default_workers

PACKAGE = Path(__file__).parents[1]


def build(root: Path = ROOT, workers: int = 2) -> Path:
    """Build the book of `root` into `_build/html` and return its `index.html`.

    Executes only the notebooks whose fingerprint changed, `workers` at a time with one thread each, and runs Jupyter
    Book only if a page's source changed. A UserError names the notebook and cell, or the page, that stopped it.
    """
    with _alone(root):
        return _build(root, workers)


def other_format(root: Path, builder: str) -> Path:
    """Execute what changed and run another of Jupyter Book's builders; return the folder of what it made."""
    with _alone(root):
        sources.stage(root, execute_changed(root))
        return pages(root, builder)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One build at a time in a folder."""
    _files.repository(root)
    try:
        (root / "_build").mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot build into {root / '_build'}: {error.strerror}") from error
    try:
        with FileLock(root / "_build" / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise UserError("the book is being built in this folder already; wait until that has finished") from error


def _build(root: Path, workers: int) -> Path:
    source = sources.stage(root, execute_changed(root, workers))
    index = root / "_build" / "html" / "index.html"
    stamp = index.with_name(".fingerprint")
    fingerprint = digest(source, [*_tree(source), root / "requirements.lock"])
    if stamp.is_file() and index.is_file() and stamp.read_text(encoding="utf-8") == fingerprint:
        print("no page changed")
        return index
    new = pages(root, "html")
    page_files.write(new)
    (new / stamp.name).write_text(fingerprint, encoding="utf-8")
    _swap(new, index.parent)
    return index


def digest(base: Path, paths: Iterable[Path]) -> str:
    """SHA-256 over the names (relative to `base` if inside it) and contents of files, in the order given."""
    total = hashlib.sha256()
    for path in paths:
        name = path.relative_to(base) if path.is_relative_to(base) else path.name
        total.update(f"{name}\0{_files.sha256(path)}\n".encode())
    return total.hexdigest()


def _tree(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def fingerprint(notebook: Path, root: Path) -> str:
    """One hash of what a notebook's outputs depend on: its source, the package, the recorded numbers, the lock."""
    return digest(
        root,
        [
            notebook,
            *(path for path in _tree(PACKAGE) if path.suffix in (".py", ".js")),
            *_tree(root / "book" / "paper"),
            *_tree(root / "book" / "results"),
            root / "requirements.lock",
        ],
    )


def execute_changed(root: Path, workers: int = 2) -> list[Path]:
    """Execute the notebooks of `_toc.yml` that `_build/executed` does not hold as they are now; return them all."""
    notebooks = chapters(root)
    targets = {notebook: root / "_build" / "executed" / notebook.name for notebook in notebooks}
    keys = {notebook: fingerprint(notebook, root) for notebook in notebooks}
    changed = [notebook for notebook in notebooks if recorded_fingerprint(targets[notebook]) != keys[notebook]]
    print(f"{len(notebooks)} notebooks, {len(changed)} to execute", flush=True)
    runs = _runs_at_a_time(workers)
    context = multiprocessing.get_context("spawn")  # forking a process that has loaded torch can deadlock
    with ProcessPoolExecutor(workers, context, _prepare_worker, (root, runs)) as pool:
        jobs = {pool.submit(_execute, path, targets[path], keys[path], root): path for path in changed}
        failures = []
        for done, job in enumerate(as_completed(jobs), 1):
            try:
                print(f"  {done}/{len(jobs)} {jobs[job].stem} {job.result():.0f} s", flush=True)
            except UserError as error:
                failures.append(str(error))
            except BrokenProcessPool:
                failures.append(f"{jobs[job].stem}: its process was killed, perhaps out of memory")
            if failures:
                pool.shutdown(wait=False, cancel_futures=True)
                break
    if failures:
        raise UserError("\n".join([*failures, "The book was left as it was."]))
    return list(targets.values())


def _prepare_worker(root: Path, runs: int) -> None:
    """Set what the kernels inherit: one thread each, runs kept beside the book, nothing of the user's own set-up."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["KDUTILS_WORKERS"] = str(runs)
    os.environ["KDUTILS_STORE"] = str(root / "_build" / "store")
    os.environ["IPYTHONDIR"] = str(root / "_build" / "ipython")


def _runs_at_a_time(notebooks: int) -> int:
    """`sweep`'s workers for each of the notebooks that execute side by side: their share of the cores.

    With one core each there are none: starting a worker takes as long as a quick run.
    """
    share = default_workers() // notebooks
    return share if share > 1 else 0


def _end_with_parent() -> None:
    """Wait for the end of the build, which may be a kill, and end this worker; its kernel does likewise by itself."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _execute(notebook: Path, target: Path, key: str, root: Path) -> float:
    """Execute one notebook, note its fingerprint in it, and return the seconds that it took."""
    start = time.monotonic()
    execute(notebook, target, cwd=root)
    seconds = time.monotonic() - start
    done = nbformat.read(target, as_version=4)
    done.metadata["kdutils"] = {"fingerprint": key, "seconds": round(seconds, 1)}
    _files.write_text(target, nbformat.writes(done))
    return seconds


def recorded_fingerprint(executed: Path) -> str | None:
    """The fingerprint an executed notebook was made with; None if it is missing, unreadable or holds an error."""
    try:
        metadata = nbformat.read(executed, as_version=4).metadata
    except (OSError, nbformat.reader.NotJSONError, nbformat.ValidationError):
        return None
    if metadata.get("papermill", {}).get("exception"):
        return None
    return metadata.get("kdutils", {}).get("fingerprint")


def pages(root: Path, builder: str) -> Path:
    """Run Jupyter Book on `_build/source`, a warning being an error, and return the folder of what it made."""
    output = root / "_build" / "jupyter-book"
    shutil.rmtree(output, ignore_errors=True)
    log = root / "_build" / "jupyter-book.log"
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(root / "_build" / "source")]
    command += ["--path-output", str(output), "--builder", builder, "-W", "-n", "--keep-going"]
    print("building the pages", flush=True)
    plain = os.environ | {"NO_COLOR": "1"}
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=plain)
    log.write_text(run.stdout, encoding="utf8")
    if run.returncode:
        source = f"{root / '_build' / 'source'}{os.sep}"
        lines = [line.replace(source, "") for line in run.stdout.splitlines() if re.search("WARNING|ERROR|rror:", line)]
        shown = "\n  ".join(lines[:20]) or "\n  ".join(run.stdout.splitlines()[-5:])
        raise UserError(f"Jupyter Book stopped; the old pages stay. The whole log: {log}\n  {shown}")
    return output / "_build" / builder


def _swap(new: Path, place: Path) -> None:
    """Put the folder `new` in `place`, with the old one there until the new one is."""
    old = place.with_name(f"{place.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)
