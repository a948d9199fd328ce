"""Errors that are written for the person at the keyboard, not for a traceback."""

import difflib
from collections.abc import Iterable

MOST = 100  # choices that a message lists


class UserError(ValueError):
    """Something the user gave cannot be used; the message says what, what was expected and what to do."""


def choose(kind: str, name: str, choices: Iterable[str]) -> str:
    """Return `name` if it is one of `choices`; else a UserError that names the value, the nearest, and all if few."""
    choices = list(choices)
    if name in choices:
        return name
    near = difflib.get_close_matches(str(name), choices, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    offer = f"Choose one of: {', '.join(choices)}" if len(choices) <= MOST else f"It has {len(choices):,} others"
    raise UserError(f"unknown {kind} {name!r}.{hint} {offer}")
