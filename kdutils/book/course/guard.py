"""Cells run as at the start of the kernel, whatever a submission has done to IPython and to Python's built-ins.

The source of this module is executed in the kernel of a submission, so it imports nothing of the package.
"""

import builtins
import sys
import threading
from collections.abc import Sequence
from types import SimpleNamespace

PARTS = ("input_transformer_manager", "compile", "events", "display_pub", "displayhook", "kernel")
LISTS = ("cleanup_transforms", "line_transforms", "token_transformers")
SETTINGS = ("ast_transformers", "input_transformers_post", "ast_node_interactivity")


class OutputLimit(Exception):
    """A cell writes too much."""


def limit_output(shell: object, most: int) -> None:
    """Let a cell fail when it has written more than `most` letters: much sooner than the grader could stop it."""
    written = [0]

    def limit(stream: object) -> None:
        write = getattr(stream.write, "plain", stream.write)

        def limited(text: str) -> int:
            written[0] += len(text)
            if written[0] > most:
                raise OutputLimit(f"this cell printed more than {most} letters")
            return write(text)

        limited.plain = write
        stream.write = limited

    def start(info: object) -> None:
        """IPython patches `write` again for every cell."""
        written[0] = 0
        limit(sys.stdout)
        limit(sys.stderr)

    shell.events.register("pre_run_cell", start)


def snapshot(shell: object) -> SimpleNamespace:
    """What decides how `shell` (IPython's InteractiveShell) runs a cell, as it is now."""
    parts = {name: getattr(shell, name, None) for name in PARTS}
    owners = [shell, *parts.values()]
    classes = {cls: dict(vars(cls)) for owner in owners for cls in type(owner).__mro__[:-1]}
    return SimpleNamespace(
        parts=parts,
        owners=owners,
        classes=classes,
        own=[set(vars(owner)) if hasattr(owner, "__dict__") else set() for owner in owners],
        settings={name: _copied(getattr(shell, name)) for name in SETTINGS},
        lists={name: list(getattr(parts["input_transformer_manager"], name)) for name in LISTS},
        callbacks={name: list(parts["events"].callbacks[name]) for name in ("pre_execute", "pre_run_cell")},
        flags=parts["compile"].flags,
        builtins={name: value for name, value in vars(builtins).items() if name != "input"},  # the kernel's, per cell
    )


def restore(shell: object, kept: SimpleNamespace, used: Sequence[str] = ()) -> list[str]:
    """Put everything in the snapshot `kept` back, and return the names of what had been changed.

    The next cell gets the built-ins in `used`, also where the notebook has called something else so, as in `sum = 0`.
    """
    _lend(shell, [name for name in used if name in kept.builtins])
    sys.settrace(None)
    sys.setprofile(None)
    threading.settrace(None)
    changed = [_set(builtins, name, value) for name, value in kept.builtins.items()]
    for cls, members in kept.classes.items():
        changed += [_set(cls, name, value) for name, value in members.items() if callable(value) or _describes(value)]
        changed += [_drop(cls, name) for name in set(vars(cls)) - set(members) if callable(vars(cls)[name])]
    for owner, own in zip(kept.owners, kept.own, strict=True):
        new = set(getattr(owner, "__dict__", ())) - own
        changed += [_drop(owner, name) for name in new if callable(getattr(type(owner), name, None))]
    changed += [_set(shell, name, value) for name, value in kept.parts.items() if value is not None]
    changed += [_equal(shell, name, value) for name, value in kept.settings.items()]
    changed += [_equal(kept.parts["input_transformer_manager"], name, value) for name, value in kept.lists.items()]
    changed += [_equal(kept.parts["compile"], "flags", kept.flags)]
    for name, value in kept.callbacks.items():
        changed += [name] if kept.parts["events"].callbacks[name] != value else []
        kept.parts["events"].callbacks[name] = list(value)
    return sorted({name for name in changed if name})


def _lend(shell: object, names: list[str]) -> None:
    """Set variables of these names aside until the next cell has run. A function stays: the task may be to write it."""
    own = shell.user_ns
    aside = {name: own.pop(name) for name in names if name in own and not callable(own[name])}

    def give_back(result: object) -> None:
        shell.events.unregister("post_run_cell", give_back)
        own.update(aside)

    if aside:
        shell.events.register("post_run_cell", give_back)


def _copied(value: object) -> object:
    return list(value) if isinstance(value, list) else value


def _describes(value: object) -> bool:
    return isinstance(value, classmethod | staticmethod | property)


def _set(owner: object, name: str, value: object) -> str:
    """Give an attribute back its value; its name if it had another one."""
    if vars(owner).get(name, getattr(owner, name, None)) is value:
        return ""
    setattr(owner, name, value)
    return name


def _equal(owner: object, name: str, value: object) -> str:
    """As `_set`, for a value that is copied."""
    if getattr(owner, name) == value:
        return ""
    setattr(owner, name, _copied(value))
    return name


def _drop(owner: object, name: str) -> str:
    delattr(owner, name)
    return name
