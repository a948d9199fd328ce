"""What students hand in: one folder per student, or files whose names hold the student's name and the assignment's.

`folder/<student>/<assignment>.ipynb` is what the page on teaching asks for. What browsers, JupyterLab and learning
platforms make of such a name is taken for what it is, as long as only one thing can be meant.
"""

import hashlib
import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote

from kdutils.book.course import platforms
from kdutils.errors import UserError

LONGEST = 255  # bytes of a folder's name
NOTEBOOK = re.compile(r"(.+)\.ipynb(?:\.txt|\.json)?", re.IGNORECASE)  # mail programs add the second ending
COPY = re.compile(r"( ?\(\d+\)|[ _-]*copy[ _-]*\d*)+$", re.IGNORECASE)  # of browsers, JupyterLab and Windows


@dataclass(frozen=True)
class Submission:
    """A file that a student has handed in for an assignment, and what is wrong with its name.

    `folder` is the student's name in the gradebook and on disk: short, and without what nbgrader takes for a pattern.
    """

    student: str
    folder: str
    assignment: str
    path: Path
    trouble: tuple[str, ...] = ()
    gradable: bool = True

    @property
    def plain_folder(self) -> str:
        """The student's name as it was handed in, where a folder can bear it without being another student's."""
        return self.student if unquote(self.folder) == self.student else self.folder


def find(folder: Path, names: Collection[str]) -> tuple[list[Submission], list[Submission]]:
    """What can be graded in `folder`, and everything else there: its `trouble` says why it cannot."""
    handed_in = [_meant(student, path, names) for student, path in _files(folder)] if folder.is_dir() else []
    if not handed_in:
        raise UserError(f"no submission in {folder}; expected {folder}/STUDENT/ASSIGNMENT.ipynb")
    strange = [submission for submission in handed_in if not submission.gradable]
    groups: dict[tuple[str, str], list[Submission]] = {}
    for submission in handed_in:
        if submission.gradable:
            groups.setdefault((submission.folder, submission.assignment), []).append(submission)
    found = []
    for group in groups.values():
        chosen = _choose(group)
        found += [chosen] if chosen else []
        strange += [_refused(each, group, chosen) for each in group if each != chosen]
    return found, strange


def _files(folder: Path) -> Iterable[tuple[str, Path]]:
    """Each file with its student's name, which is empty for one that lies in `folder` itself."""
    for path in _visible(folder):
        if not path.is_dir():
            yield "", path
            continue
        try:
            yield from [(path.name, file) for file in _visible(path)]
        except OSError:
            yield path.name, path


def _visible(folder: Path) -> list[Path]:
    """What lies in a folder, without hidden files and what macOS adds when it packs."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX")))


def _meant(student: str, path: Path, names: Collection[str]) -> Submission:
    """The submission that this file is meant to be; not `gradable` if none can be meant."""
    student = platforms.of_folder(student)
    notebook = NOTEBOOK.fullmatch(path.name)
    stem = notebook[1] if notebook and not path.is_dir() else ""
    inside = [name for name in names if _place(name, stem)]
    inside = [name for name in inside if not any(name != other and name in other for other in inside)]
    if len(inside) == 1 and not student:
        place = _place(inside[0], stem)
        student = platforms.of_file(COPY.sub("", stem[: place.start()] + stem[place.end() :]).strip("_- "))
    student = student or platforms.of_any_file(path.stem)
    if not student:
        why = f"{path.name} names no student; expected STUDENT/ASSIGNMENT.ipynb"
    elif not stem:
        why = f"{path.name} is not a notebook's name; expected ASSIGNMENT.ipynb"
    elif len(inside) != 1:
        why = f"no assignment is named {stem}; put one of {', '.join(names)} into the file's name"
    else:
        why = "" if path.name == f"{inside[0]}.ipynb" else f"handed in as {path.name}"
        return Submission(shown(student), safe(student), inside[0], path, (shown(why),) if why else ())
    student = student or "(nobody)"
    return Submission(shown(student), safe(student), shown(stem or path.stem), path, (shown(why),), gradable=False)


def _place(name: str, stem: str) -> re.Match[str] | None:
    """Where the assignment's name stands in a file's, as whole words."""
    return re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", stem, re.IGNORECASE)


def _choose(group: list[Submission]) -> Submission | None:
    """The one that counts: the only one, or the only one of the right name."""
    right = [each for each in group if not each.trouble]
    candidates = right or group
    return candidates[0] if len(candidates) == 1 else None


def _refused(submission: Submission, group: list[Submission], chosen: Submission | None) -> Submission:
    others = ", ".join(shown(each.path.name) for each in group if each != submission)
    why = f"{chosen.path.name} is there too" if chosen else f"it may as well be {others}: keep one of them"
    return replace(submission, trouble=(f"{shown(submission.path.name)} is not graded: {why}",))


def shown(name: str) -> str:
    """A file's name for tables and terminals: bytes that are not UTF-8 and control characters are replaced."""
    text = os.fsencode(name).decode(errors="replace")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def safe(student: str) -> str:
    """A folder's name for the student, another one for each."""
    text = os.fsencode(student).decode(errors="replace")
    safe = re.sub(r"[*?\[\]%+\x00-\x1f]|^\s|\s$", lambda found: quote(found[0]), text)
    if len(safe.encode()) <= LONGEST and os.fsencode(student) == text.encode():
        return safe
    digest = hashlib.sha256(os.fsencode(student)).hexdigest()[:16]
    return f"{safe.encode()[: LONGEST - 17].decode(errors='ignore')}-{digest}"
