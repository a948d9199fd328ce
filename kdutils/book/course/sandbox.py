"""Where a submission runs: a room of its own, with the gradebook, other submissions and model answers out of reach.

On Linux, in namespaces (`unshare`, of util-linux): all files are read-only but those of the room, some folders are
empty, and no other process can be seen. Where that is not allowed, as in most containers, root runs it as `nobody`.
"""

import contextlib
import os
import pwd
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

# $1: the room; then the folders to be empty; then --; then the command.
ISOLATE = r"""
set -e
room=$1; shift
mount --rbind "$room" "$room"
cut -d" " -f2 /proc/self/mounts | while IFS= read -r point; do
    mount -o remount,bind,ro "$(printf %b "$point")" 2>/dev/null || :
done
mount -o remount,bind,rw "$room"
cd "$room"
mount -t tmpfs -o size=256m tmpfs /dev/shm
while [ "$1" != -- ]; do mount -t tmpfs -o ro,size=4k tmpfs "$1"; shift; done
shift
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"
"""
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
PROCESSES = 256  # of a submission, threads included
FILE_BYTES = 10**9
TRIAL = "import sys, ipykernel; sys.base_prefix == sys.argv[1] and open('works', 'xb').close()"
KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONPATH", "LD_LIBRARY_PATH")
KEPT += ("KDUTILS_DATA", "KDUTILS_DEVICE", "CUDA_VISIBLE_DEVICES")


@dataclass(frozen=True)
class Sandbox:
    """How a submission is kept apart: "namespaces", "nobody" or "" (not at all); `hidden`: folders it may not read."""

    kind: str
    hidden: tuple[Path, ...] = ()

    def command(self, room: Path) -> list[str]:
        """What to put before a command so that it runs in `room`."""
        if self.kind == "namespaces":
            return [*UNSHARE, "--", "sh", "-c", ISOLATE, "sh", str(room), *map(str, self.hidden), "--"]
        if self.kind == "nobody":
            user = pwd.getpwnam("nobody")
            return [
                "setpriv",
                f"--reuid={user.pw_uid}",
                f"--regid={user.pw_gid}",
                "--clear-groups",
                "--no-new-privs",
                "--",
            ]
        return []

    @property
    def words(self) -> str:
        """What is (not) out of its reach, in a line."""
        how = {
            "namespaces": "in namespaces of their own: they cannot change files, nor read those of the course",
            "nobody": "as the user `nobody`: they can read what everybody may, and change none of it",
            "": "with your rights: they can read and change your files, the gradebook among them",
        }
        return f"Submissions run {how[self.kind]}."

    def limit_processes(self) -> None:
        """Limit what the calling process, which becomes a submission's, and its children may use."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
        mine = 0 if self.kind == "namespaces" else _threads(pwd.getpwnam("nobody").pw_uid if self.kind else os.getuid())
        resource.setrlimit(resource.RLIMIT_NPROC, (mine + PROCESSES, mine + PROCESSES))

    def hand_over(self, *places: Path) -> None:
        """Make the user whom submissions run as the owner of these files, and of those in them."""
        if self.kind == "nobody":
            user = pwd.getpwnam("nobody")
            for place in places:
                for path in [place, *place.rglob("*")]:
                    os.chown(path, user.pw_uid, user.pw_gid)


def _threads(user: int) -> int:
    """How many threads a user has now."""
    found = psutil.process_iter(["uids", "num_threads"])
    return sum(each.info["num_threads"] or 0 for each in found if each.info["uids"] and each.info["uids"].real == user)


def choose(hidden: Sequence[Path]) -> Sandbox:
    """The best way that works here; of `hidden`, what holds this environment itself cannot be hidden."""
    ours = [Path(place).resolve() for place in (sys.prefix, sys.base_prefix, __file__)]
    folders = [path.resolve() for path in hidden if path.is_dir()]
    folders = [folder for folder in folders if not any(place.is_relative_to(folder) for place in ours)]
    for kind in ("namespaces", "nobody") if os.geteuid() == 0 else ("namespaces",):
        sandbox = Sandbox(kind, tuple(folders))
        if _works(sandbox):
            return sandbox
    return Sandbox("")


def _works(sandbox: Sandbox) -> bool:
    """Whether a kernel can start in it and write into its room."""
    with room(sandbox) as place:
        command = [*sandbox.command(place), sys.executable, "-c", TRIAL, sys.base_prefix]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(command, cwd=place, env=environment(place), capture_output=True, timeout=60, check=True)
        return (place / "works").is_file()


@contextlib.contextmanager
def room(sandbox: Sandbox) -> Iterator[Path]:
    """An empty folder that a submission may write to, for as long as the block lasts."""
    place = Path(tempfile.mkdtemp(prefix="submission-")).resolve()
    for name in ("home", "ipython", "runtime", "tmp"):
        (place / name).mkdir()
    sandbox.hand_over(place)
    try:
        yield place
    finally:  # Python's own rmtree ends where folders are nested too deeply, or closed
        subprocess.run(["chmod", "-R", "u+rwX", place], capture_output=True, check=False)
        subprocess.run(["rm", "-rf", place], capture_output=True, check=False)


def environment(place: Path) -> dict[str, str]:
    """The variables of a submission's processes: of the teacher's, only what it takes to find programs and data."""
    ours = {name: os.environ[name] for name in KEPT if name in os.environ}
    return ours | {
        "HOME": str(place / "home"),
        "IPYTHONDIR": str(place / "ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_RUNTIME_DIR": str(place / "runtime"),
        "KDUTILS_STORE": str(place / "store"),
        "OMP_NUM_THREADS": "1",
        "TMPDIR": str(place / "tmp"),
    }
