"""What a submission can reach: its own room, and nothing of the course."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kdutils.book.course import sandbox

TRY = """
import glob, os, pathlib, sys
room, secret, outside = map(pathlib.Path, sys.argv[1:])
def can(work):
    try:
        work()
    except OSError:
        return False
    return True
print(can(lambda: (room / "mine").write_text("x")),
      can(lambda: (secret / "gradebook.db").read_bytes()),
      can(lambda: (secret / "gradebook.db").write_text("x")),
      can(lambda: (outside / "x").write_text("x")),
      can(lambda: os.kill(int(os.environ["GRADER"]), 0)))
"""


@pytest.fixture(params=["namespaces", "nobody"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> sandbox.Sandbox:
    """A sandbox over a folder `course` that holds a gradebook, if this machine allows it."""
    (tmp_path / "course").mkdir(mode=0o700)
    (tmp_path / "course" / "gradebook.db").write_text("grades")
    made = sandbox.Sandbox(request.param, (tmp_path / "course",))
    if (request.param == "nobody" and os.geteuid() != 0) or not sandbox._works(made):
        pytest.skip(f"{request.param}: not possible on this machine")
    return made


def test_the_course_is_out_of_reach_and_only_the_room_can_be_written(kind: sandbox.Sandbox, tmp_path: Path) -> None:
    with sandbox.room(kind) as place:
        words = [str(place), str(tmp_path / "course"), str(tmp_path)]
        done = subprocess.run(
            [*kind.command(place), sys.executable, "-S", "-c", TRY, *words],
            env=sandbox.environment(place) | {"GRADER": str(os.getpid())},
            cwd=place,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == ["True", "False", "False", "False", "False"]
        assert (place / "mine").read_text() == "x"
    assert not place.exists()
    assert (tmp_path / "course" / "gradebook.db").read_text() == "grades"


def test_a_room_is_emptied_whatever_is_left_in_it(tmp_path: Path) -> None:
    with sandbox.room(sandbox.Sandbox("")) as place:
        deep = place
        for _ in range(1500):
            deep = deep / "d"
            os.mkdir("d") if deep != place / "d" else deep.mkdir()
            os.chdir(deep if deep == place / "d" else "d")
        os.chdir(tmp_path)
        (place / "closed").mkdir()
        (place / "closed" / "file").touch()
        (place / "closed").chmod(0)
    assert not place.exists()


def test_only_what_programs_need_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    made = sandbox.environment(tmp_path)
    assert "SECRET_TOKEN" not in made
    assert made["PATH"] == os.environ["PATH"]
    outside = {name: value for name, value in made.items() if str(tmp_path) in value}
    assert outside.keys() == {"HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "KDUTILS_STORE", "TMPDIR"}


def test_what_holds_python_itself_is_not_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sandbox, "_works", lambda made: True)
    (tmp_path / "environment").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    other = tmp_path.parent / "other"
    other.mkdir(exist_ok=True)
    assert sandbox.choose([tmp_path, other, tmp_path / "missing"]) == sandbox.Sandbox("namespaces", (other.resolve(),))


def test_where_nothing_works_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "UNSHARE", ["no-such-program"])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert sandbox.choose([]).words == (
        "Submissions run with your rights: they can read and change your files, the gradebook among them."
    )
