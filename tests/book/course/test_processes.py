"""Work in another process: its limit is one, and nothing that it starts outlives it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from kdutils.book.course import processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans can be adopted on Linux only")

DAEMON = """
import os, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""


def write(path: Path) -> None:
    path.write_text("done", encoding="utf-8")


def fail(_: Path) -> None:
    raise ValueError("of this value\nand more")


def end_itself(_: Path) -> None:
    os.kill(os.getpid(), 9)


def leave_behind(path: Path) -> None:
    """Start a process that leaves its parent, and its session, behind."""
    subprocess.run([sys.executable, "-S", "-c", DAEMON, str(path)], check=True)
    while not (path.is_file() and path.read_text()):
        time.sleep(0.01)


def wait(path: Path) -> None:
    leave_behind(path)
    time.sleep(600)


def test_work_is_done_and_what_goes_wrong_is_raised_here(tmp_path: Path) -> None:
    processes.within(60, write, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "done"
    with pytest.raises(processes.Failed, match=r"^ValueError: of this value$"):
        processes.within(60, fail, tmp_path)
    with pytest.raises(ChildProcessError, match="ended from outside"):
        processes.within(60, end_itself, tmp_path)


def test_what_has_left_its_parent_is_ended_too(tmp_path: Path) -> None:
    processes.within(60, leave_behind, tmp_path / "pid")
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_a_parent_that_ends_while_its_children_are_looked_for_hides_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = psutil._ppid_map

    def look_slowly() -> dict[int, int]:
        """Give the work's process time to end between the look and what is made of it."""
        seen = look()
        time.sleep(0.3)
        return seen

    monkeypatch.setattr(psutil, "_ppid_map", look_slowly)
    processes.within(60, leave_behind, tmp_path / "pid")
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_a_limit_ends_the_work_and_all_that_it_has_started(tmp_path: Path) -> None:
    processes.within(60, write, tmp_path / "file")  # so that loading what processes start from is not in the limit
    with pytest.raises(TimeoutError, match="longer than 4 s"):
        processes.within(4, wait, tmp_path / "pid")
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_processes_from_before_are_left_alone(tmp_path: Path) -> None:
    mine = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    try:
        processes.within(60, write, tmp_path / "file")
        assert mine.poll() is None
    finally:
        mine.kill()
        mine.wait()


def test_a_script_without_a_guarded_main_does_not_run_twice(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import pathlib\nfrom kdutils.book.course import processes\nprint('once')\n"
        "processes.within(60, pathlib.Path.touch, pathlib.Path('made'))\n",
        encoding="utf-8",
    )
    root = Path(processes.__file__).parents[3]
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "once\n"
    assert (tmp_path / "made").is_file()
