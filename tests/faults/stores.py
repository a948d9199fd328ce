"""Packed and damaged stores, and what `results` is asked."""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch

from kdutils.runs.identities import digest
from tests.faults.case import Case, rows
from tests.runs.contents import CONTENT, KEY, answer, changed, question
from tests.runs.test_transfer import set_everywhere, spoiled_archive

PLACE = f"{KEY}/result.json"
OUTSIDE = Path("/tmp/kdutils-tests-outside")  # which nobody has
ELSEWHERE = ["../x", str(OUTSIDE), f"{KEY}/../../x", "a/b/c", f"{KEY}/x.sh", "C:\\x", f"{KEY}\\result.json"]
NO_FILES = {
    "folder": None,
    "pipe": lambda path: os.mkfifo(path),
    "zero": lambda path: path.symlink_to("/dev/zero"),
    "loop": lambda path: path.symlink_to(path.name),
    "nowhere": lambda path: path.symlink_to("gone"),
}
NO_ARCHIVES = {
    **NO_FILES,
    "empty": b"",
    "text": b"no archive",
    "cut": b"PK\3\4" + bytes(40),
    "gzip": b"\x1f\x8b" + bytes(30),
    "torn": lambda path: spoiled_archive(path, lambda c, at: c.__setitem__(slice(at, at + 8), b"\xff" * 8)),
    "encrypted": lambda path: spoiled_archive(path, lambda c, at: set_everywhere(c, b"PK\3\4", 6, 1)),
    "unknown": lambda path: spoiled_archive(path, lambda c, at: set_everywhere(c, b"PK\3\4", 8, 99)),
    "lzma": lambda path: spoiled_archive(path, lambda c, at: set_everywhere(c, b"PK\3\4", 8, 14)),
    "short": lambda path: spoiled_archive(path, lambda c, at: c.__delitem__(slice(at + 4, None))),
}
LOSSES = ("0.3", True, float("nan"), -1.0, None, [], float("inf"))
FORMS = {
    "of another seed": answer(1),
    "another's spec": changed(spec_seed=1),
    **{f"result {value!r}": changed(result=value) for value in (None, "x", [], 3, {})},
    **{f"loss {value!r}": changed(result_test_loss=value) for value in LOSSES},
    **{f"accuracy {value!r}": changed(result_test_accuracy=value) for value in (400.0, -1.0, "x", None)},
    **{f"spec {value!r}": changed(spec=value) for value in (None, [], "x", {})},
    "no spec": {"result": CONTENT["result"]},
    "a terminal's": changed(spec_student="\x1b]0;x\x07"),
    "other fields": changed(spec_nope=1),
    "losses": changed(result_train_losses=["x", 1.0]),
    "made": changed(made=3),
    "rows": {"spec": CONTENT["spec"], "rows": []},
    "renamed": changed(result={"loss": 0.3}),
}
TEXTS = {"none": "", "list": "[]", "null": "null", "torn": '{"spec"', "deep": "[" * 100_000, "bytes": b"\xff\xfe\0"}
ASKED = rows("""
    list --store nope | list --store notes.txt | list --store '' | list --store ~no-such-user | list x | nope | import |
    export a.zip --store nope | record a --store nope | record A --store theirs | record ../a --store theirs |
    record '' --store theirs | record a --store theirs --where seed | record a --store theirs --where nope=1 |
    record a --store theirs --where seed=9 | record a --store theirs --where =
""")
TAKEN = "mine.zip", "notes.txt", ".", "/dev/full", "/dev/null", "/proc/x.zip", "notes.txt/x.zip", "x" * 300, ""
UNREADABLE = ("nope",), ("",), ("mine.csv",), (".", "nope"), ("x" * 300,), ("x/" * 3000,), ("/dev/null",)


def cases() -> Iterator[Case]:
    """All of these kinds."""
    yield from imports()
    yield from listings()
    yield from exports()
    yield from (Case("results", ("results", *words)) for words in ASKED)


def imports() -> Iterator[Case]:
    """What is no archive, and archives and folders in which something is wrong: nothing of these comes in."""
    spoiled = {name: {"x": content} for name, content in NO_ARCHIVES.items()}
    yield from (_import(name, files, name == "folder") for name, files in spoiled.items())
    for name, content in FORMS.items():
        yield _import(f"{name}, packed", {"x": archive({PLACE: signed(content)})}, True)
        yield _import(name, {f"x/{PLACE}": signed(content)}, True)
    yield from (_import(f"text {name}", {f"x/{PLACE}": text}, True) for name, text in TEXTS.items())
    yield from (_import(place, {"x": archive({place: signed(CONTENT)})}, True) for place in ELSEWHERE)
    other = {"losses": [1.0], "key": "f" * 16}
    for name, content in {"text": b"x", "zip": b"PK", "list": pickled([1]), "other": pickled(other)}.items():
        yield _import(f"checkpoint {name}", {f"x/{KEY}/checkpoint.pt": content}, True)
    yield from (Case("results import", ("results", "import", *words)) for words in UNREADABLE)
    come = lambda out, here: ": 3 new, 0 known" in out  # noqa: E731
    yield from (Case("results import", ("results", "import", place), right=come) for place in ("packed.zip", "theirs"))


def _import(name: str, files: dict, read: bool) -> Case:
    return Case("results import", ("results", "import", "x"), files=files, right=nothing if read else None, where=name)


def listings() -> Iterator[Case]:
    """A store in which one of three results is not what it should be, or where something else lies beside them."""
    words = ("results", "list", "--store", "theirs")
    two = lambda out, here: question(1).key() in out and question(2).key() in out and KEY not in out  # noqa: E731
    three = lambda out, here: out.count("tiny") == 3  # noqa: E731
    for name, content in [*((name, signed(form)) for name, form in FORMS.items()), *TEXTS.items()]:
        yield Case("damaged stores", words, files={f"theirs/{PLACE}": content}, right=two, where=name)
    for name, spoil in NO_FILES.items():
        if name != "zero":  # which a listing would read
            beside = {f"theirs/{'c' * 16}/result.json": spoil}
            yield Case("damaged stores", words, files=beside, right=three, where=f"{name} beside")


def exports() -> Iterator[Case]:
    """Where no file can be written, or another's lies; and stores with damaged results, of which the rest is packed."""
    words = ("results", "export", "new.zip", "--store", "theirs")
    for place in TAKEN:
        yield Case("results export", ("results", "export", place, "--store", "theirs"))
    yield Case("results export", words, right=lambda out, here: out.startswith("3 results in new.zip"))
    for name in ("loss '0.3'", "result None", "renamed", "no spec", "of another seed"):
        files, two = {f"theirs/{PLACE}": signed(FORMS[name])}, lambda out, here: out.startswith("2 results")
        yield Case("results export", words, files=files, right=two, where=name)


def nothing(out: str, here: Path) -> bool:
    """No result came into the store, and nothing outside it."""
    names = ("x.sh", "result.json", "checkpoint.pt")
    found = [path for path in (here / "store").rglob("*") if path.name in names]
    return ": 0 new" in out and not found and not OUTSIDE.exists()


def signed(content: dict) -> str:
    """A result as another version, or somebody by hand, would write it: with the right digest."""
    return json.dumps({**content, "digest": digest(content)})


def archive(members: dict[str, str]) -> bytes:
    """A zip file of these members."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        for name, text in members.items():
            packed.writestr(zipfile.ZipInfo(name), text)
    return content.getvalue()


def pickled(content: object) -> bytes:
    """What torch.save writes of it."""
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()
