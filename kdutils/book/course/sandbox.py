"""Where a submission runs: a room of its own, with the gradebook, other submissions and model answers out of reach.

On Linux, in namespaces (`unshare`, of util-linux): it sees no files but those of its room, and to read, those of the
system and of Python; it has no network but its own localhost, and sees no other process. Where that is not allowed, as
in most containers, root runs it as `nobody`.
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

from kdutils import _files
from kdutils.errors import UserError

# $1: Python; $2: the room; then what to show; then --; then the folders to be empty; then --; then the command.
# A new root is made in the room, and the old one taken away: what is not shown in the new one does not exist.
ISOLATE = r"""
set -e
PATH=$PATH:/usr/sbin:/sbin
python=$1; room=$2; root=$room/tmp; shift 2
mount -t tmpfs -o size=1m,mode=755 tmpfs "$root"
while [ "$1" != -- ]; do
    mkdir -p "$root${1%/*}"
    if [ -L "$1" ]; then cp -P "$1" "$root$1"
    elif [ -d "$1" ]; then mkdir -p "$root$1"; mount --rbind "$1" "$root$1"
    else : > "$root$1"; mount --bind "$1" "$root$1"
    fi
    shift
done
shift
mkdir -p "$root/old" "$root/dev/shm" "$root/dev/pts" "$root$room"
ln -s /proc/self/fd "$root/dev/fd"
ln -s pts/ptmx "$root/dev/ptmx"
mount --bind "$room" "$root$room"
pivot_root "$root" "$root/old"
cd "$room"
umount -l /old
rmdir /old
cut -d" " -f2 /proc/self/mounts | while IFS= read -r point; do
    mount -o remount,bind,ro "$(printf %b "$point")" 2>/dev/null || :
done
mount -o remount,bind,rw "$room"
mount -t tmpfs -o size=256m tmpfs /dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts
while [ "$1" != -- ]; do mount -t tmpfs -o ro,size=4k tmpfs "$1"; shift; done
shift
"$python" -ISc 'import fcntl, socket, sys  # SIOCSIFFLAGS, IFF_UP: localhost, of this network alone
fcntl.ioctl(socket.socket(), 0x8914, b"lo".ljust(16, b"\0") + (1).to_bytes(2, sys.byteorder) + bytes(22))'
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"
"""
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
UNSHARE += ["--net", "--ipc"]
# What programs need of a system. Of /etc and /dev only this: root may read passwords in the one, disks in the other.
SYSTEM = ["/bin", "/lib", "/lib32", "/lib64", "/opt", "/proc", "/sbin", "/sys", "/usr"]
SYSTEM += [f"/etc/{name}" for name in ("alternatives", "fonts", "group", "hosts", "ld.so.cache", "localtime")]
SYSTEM += [f"/etc/{name}" for name in ("nsswitch.conf", "passwd")]
SYSTEM += [f"/dev/{name}" for name in ("full", "null", "random", "urandom", "zero")]
PROCESSES = 256  # of a submission, threads included
FILE_BYTES = 10**9
SOCKET_BYTES = 103  # of a path to a socket, on macOS; Linux has four more
TRIAL = "import sys, ipykernel, kdutils; sys.base_prefix == sys.argv[1] and open('works', 'xb').close()"
PLACES = ("PYTHONPATH", "LD_LIBRARY_PATH", "KDUTILS_DATA")
KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", *PLACES, "KDUTILS_DEVICE", "CUDA_VISIBLE_DEVICES")


@dataclass(frozen=True)
class Sandbox:
    """How a submission is kept apart: "namespaces", "nobody" or "" (not at all); `hidden`: folders it may not read."""

    kind: str
    hidden: tuple[Path, ...] = ()

    def command(self, room: Path) -> list[str]:
        """What to put before a command so that it runs in `room`."""
        if self.kind == "namespaces":
            seen = shown()
            hidden = [folder for folder in self.hidden if any(folder.is_relative_to(place) for place in seen)]
            words = [sys.executable, room, *seen, "--", *hidden, "--"]
            return [*UNSHARE, "--", "sh", "-c", ISOLATE, "sh", *map(str, words)]
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
            "namespaces": "in namespaces of their own, without network: of your files they see only this environment",
            "nobody": "as the user `nobody`: they can read what everybody may, change none of it, and use the network",
            "": "with your rights: they can read and change your files, the gradebook among them, and use the network",
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


def shown() -> list[Path]:
    """What a submission in namespaces may read beside its room, parents first: the system, Python, this package, data.

    None lies in another one. Links are those by which the environment is reached; they lead nowhere else.
    """
    package = [Path(__file__).parents[2], _files.ROOT / "book", _files.ROOT / "_toc.yml"]
    named = [Path(part) for name in PLACES for part in os.environ.get(name, "").split(os.pathsep)]
    devices = Path("/dev").glob("nvidia*")
    wanted = [*SYSTEM, *devices, sys.prefix, sys.base_prefix, sys.executable, *package, *named]
    steps = {step for place in map(Path, wanted) if place.is_absolute() and place.exists() for step in _way(place)}
    seen: list[Path] = []
    for step in sorted(steps):
        if not any(step.is_relative_to(other) for other in seen if not other.is_symlink()):
            seen.append(step)
    return seen


def _way(place: Path) -> Iterator[Path]:
    """The links that are passed on the way to a place, and what it is without them."""
    for part in [*reversed(place.parents), place]:
        if part.is_symlink():
            yield part
            yield from _way(Path(os.path.normpath(part.parent / part.readlink() / place.relative_to(part))))
            return
    yield place


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
    if len(os.fsencode(sockets(place))) + 2 > SOCKET_BYTES:
        place.rmdir()
        raise UserError(
            f"a submission has sockets in the folder for temporary files, and the name of {place.parent} is too long "
            "for that; name another folder in the variable TMPDIR, such as /tmp"
        )
    for name in ("home", "ipython", "runtime", "tmp"):
        (place / name).mkdir()
    sandbox.hand_over(place)
    try:
        yield place
    finally:  # Python's own rmtree ends where folders are nested too deeply, or closed
        subprocess.run(["chmod", "-R", "u+rwX", place], capture_output=True, check=False)
        subprocess.run(["rm", "-rf", place], capture_output=True, check=False)


def sockets(place: Path) -> str:
    """What the paths of the sockets of a room's kernel begin with; a hyphen and a digit follow."""
    return str(place / "kernel")


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
