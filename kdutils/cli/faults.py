"""What a person reads when a command fails: what they can change, in a line or two; or where the report of a bug is."""

import errno
import os
import platform
import re
import shlex
import sys
import tempfile
import traceback
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import platformdirs
import typer

from kdutils.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT)
NO_MEMORY = re.compile("can't allocate memory|std::bad_alloc")  # in torch's own RuntimeErrors, of processors
NO_MORE_FILES = (errno.EMFILE, errno.ENFILE)


def tell(error: Exception) -> int:
    """Say on stderr what went wrong, and return the exit status: 1, or 2 for words that are no command."""
    status = getattr(error, "exit_code", 1)
    if hasattr(error, "format_message"):  # typer's own: an unknown flag, a missing argument
        return _usage(error)
    if isinstance(error, BrokenPipeError):  # the reader of the output has seen enough
        _drop_output()
        return status
    _say(f"kdutils: {_what(error)}")
    return status


def _usage(error: Exception) -> int:
    """A command line that cannot be read, in a line; the help if there were no words at all."""
    command = error.ctx.command_path if getattr(error, "ctx", None) else "kdutils"
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.ctx.get_help())
    else:
        said = error.format_message().removesuffix(".")
        _say(f"kdutils: {said}{'' if said.endswith('?') else '.'} See {command} --help")
    return error.exit_code


def _what(error: Exception) -> str:
    """The message: a UserError speaks for itself, and what else has a plain cause is told here."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, typer.Abort):
        return "aborted"
    if isinstance(error, OSError) and error.errno in FULL:
        if error.filename is None:
            _drop_output()
        return f"cannot write {error.filename or 'the output'}: {error.strerror}"
    if isinstance(error, OSError) and error.errno in NO_MORE_FILES:
        return "the system lets this process open no more files; raise its limit (ulimit -n)"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or NO_MEMORY.search(str(error)):
        return "there is not enough memory; take fewer images at once, fewer workers or a smaller network"
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("kdutils"):
        return f"this needs the package {error.name!r}, which is not installed: pip install {error.name}"
    return f"{_first_line(error)}\nThis is a fault of kdutils, not yours. {_report(error)}"


def _first_line(error: Exception) -> str:
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0][:200]}" if said else type(error).__name__


def _report(error: Exception) -> str:
    """Write what a developer needs into a file, and say where it is."""
    lines = [
        f"{datetime.now():%Y-%m-%d %H:%M:%S}, kdutils {version('kdutils')}, Python {platform.python_version()} on "
        f"{platform.platform()}",
        shlex.join(sys.argv),
        "",
        *traceback.format_exception(error),
    ]
    for folder in (platformdirs.user_log_path("kdutils"), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix="error-", suffix=".txt", dir=folder)
            with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write("\n".join(lines))
        except OSError:
            continue
        return f"Please report it with the file {name}"
    return "Nor could a report be written."


def _say(text: str) -> None:
    """Print on stderr, without what would steer the terminal."""
    typer.echo("".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text), err=True)


def _drop_output() -> None:
    """Let the rest of stdout go nowhere, so that Python does not fail over it again when it ends."""
    with suppress(OSError, ValueError):  # a stdout without a file, as in tests
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
