"""What a submission can reach: its own room, and nothing of the course."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kdutils.book.course import sandbox
from kdutils.errors import UserError

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
REACH = """
import pathlib, socket, sys
port, path, clone, netrc = int(sys.argv[1]), *sys.argv[2:]
def can(work, *words):
    try:
        work(*words)
    except OSError:
        return False
    return True
print(can(socket.create_connection, ("127.0.0.1", port), 5),
      can(socket.socket(socket.AF_UNIX).connect, path),
      can(pathlib.Path(netrc).read_text),
      can(pathlib.Path(clone).read_text))
"""
USE = """
import multiprocessing, os, socket, subprocess
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname(), 5)
os.openpty()
subprocess.run(["sh", "-c", "ls > /dev/null"], check=True)
with multiprocessing.Pool(2) as pool:
    print(pool.map(abs, [-1, -2]))
"""


def run_in(kind: sandbox.Sandbox, code: str, *words: object) -> list[str]:
    """What Python code prints in a room, in words."""
    with sandbox.room(kind) as place:
        command = [*kind.command(place), sys.executable, "-c", code, *map(str, words)]
        return subprocess.check_output(command, cwd=place, env=sandbox.environment(place), text=True).split()


def skip_where_impossible(kind: sandbox.Sandbox) -> None:
    """Skip the test; not where Linux allows namespaces, but ours do not work."""
    mount = [*sandbox.UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/tmp"]
    if kind.kind == "nobody":
        possible = os.geteuid() == 0 and sandbox._works(kind)
    else:
        possible = shutil.which("unshare") and subprocess.run(mount, capture_output=True).returncode == 0
    if not possible:
        pytest.skip(f"{kind.kind}: not possible on this machine")


@pytest.fixture
def namespaces() -> sandbox.Sandbox:
    made = sandbox.Sandbox("namespaces")
    skip_where_impossible(made)
    return made


def test_neither_the_network_nor_the_home_nor_a_socket_of_another_program_can_be_reached(
    namespaces: sandbox.Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a clone that is needed lies in the home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "clone"), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / "code.py").write_text("x = 1")
    (tmp_path / ".netrc").write_text("password")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as agent:
        agent.bind("agent")
        agent.listen()
        places = [tmp_path / name for name in ("agent", "clone/code.py", ".netrc")]
        words = [server.getsockname()[1], *places]
        assert run_in(sandbox.Sandbox(""), REACH, *words) == ["True", "True", "True", "True"]
        assert run_in(namespaces, REACH, *words) == ["False", "False", "False", "True"]


def test_localhost_pools_and_terminals_of_its_own_work(namespaces: sandbox.Sandbox) -> None:
    assert run_in(namespaces, USE) == ["[1,", "2]"]


def test_what_may_be_read_is_reached_as_before_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment whose Python is reached by links, as that of uv or Conda may be."""
    python = tmp_path / "pythons" / "3.12.1" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    (tmp_path / "pythons" / "3.12").symlink_to("3.12.1")
    (tmp_path / "environment" / "bin").mkdir(parents=True)
    (tmp_path / "environment" / "bin" / "python").symlink_to("python3")
    (tmp_path / "environment" / "bin" / "python3").symlink_to(tmp_path / "pythons" / "3.12" / "bin" / "python")
    (tmp_path / "link").symlink_to("environment")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "link"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "link" / "bin" / "python"))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    for name in sandbox.PLACES:
        monkeypatch.setenv(name, "")
    seen = [str(place.relative_to(tmp_path)) for place in sandbox.shown() if place.is_relative_to(tmp_path)]
    assert seen == ["environment", "link", "pythons/3.12", "pythons/3.12.1/bin/python"]


def test_a_folder_whose_name_is_too_long_for_sockets_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with pytest.raises(UserError, match="too long for that; name another folder in the variable TMPDIR"):
        sandbox.choose([])
    assert list(long.iterdir()) == []


@pytest.fixture(params=["namespaces", "nobody"])
def kind(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sandbox.Sandbox:
    """A sandbox over a folder `course` that holds a gradebook and lies beside code; if this machine allows it."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "course").mkdir(mode=0o700)
    (tmp_path / "course" / "gradebook.db").write_text("grades")
    made = sandbox.Sandbox(request.param, (tmp_path / "course",))
    skip_where_impossible(made)
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
        "Submissions run with your rights: they can read and change your files, the gradebook among them, and use the "
        "network."
    )
