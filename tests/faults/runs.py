"""Flags of `train`, `rank` and `sweep`, and sweep files."""

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.case import Case, rows

TRAIN = ("train", "--student", "tiny", "--method", "ce", "--epochs", "1", "--images-per-class", "2")
SMALL = ("--schemes", "identity", "--batch-size", "2", "--k", "4", "--steps", "3")
RANK = ("rank", "--teacher", "tiny", "--weights", "tiny.safetensors", *SMALL)
SWEEP = ("sweep", "--student", "tiny", "--method", "ce", "--dry-run")

TEXTS = ["x", "1.5.1", "nan", "²", "1e3", "true", "0-2", "[1]", "9" * 400]  # for a whole number
NUMBERS = ["x", "nan", "inf", "-1", "0", "1e400", "true", "1,5", "²"]  # for a number above 0
NAMES = ["nope", "Tiny", "tiny,vgg8", "x" * 300, "../tiny", "\x1b]0;x\x07", "{teacher}", "None"]

BAD_TRAIN = {
    "--epochs": [*TEXTS, "0", "-1", ""],
    "--images-per-class": [*TEXTS, "-1", "101", ""],
    "--batch-size": [*TEXTS, "1", "0", "-2"],
    "--seed": TEXTS,
    "--lr": NUMBERS,
    "--tau": NUMBERS,
    "--alpha": ["x", "nan", "1.1", "-0.1", "inf"],
    "--student": [*NAMES, "", "resnet18"],
    "--teacher": NAMES,
    "--method": [*NAMES, "", "kd", "crd"],
    "--scheme": [*NAMES, "", "cutmix+", "+", "cutmixpick_t", "none+flip"],
    "--dataset": [*NAMES, "", "cifar100", "imagenet", "folder"],
    "--standard": [*NAMES, ""],
    "--precision": [*NAMES, "", "float16"],
    "--student-precision": [*NAMES, "", "float16"],
    "--granularity": [*NAMES, ""],
    "--x-prime": [*NAMES, ""],
    "--pick-ratio": ["0", "-1", "2", "nan", "x"],
    "--image-size": ["-1", "x", "7", "99999"],
    "--mean": ["x", "0.5", "1 2", "0.5,0.5,0.5", "nan nan nan"],
    "--std": ["0 0 0", "x", "-1 -1 -1"],
    "--teacher-classes": ["x", "0 1", "-1"],
    "--store": ["", "~no-such-user", "notes.txt", "/proc/x", "/dev/null", "notes.txt/x", "x" * 300, "x/" * 3000],
    "--nope": ["1"],
}
BAD_RANK = {
    "--k": [*TEXTS, "0", "-4", "5", "2", "400"],
    "--steps": [*TEXTS, "-1", "1", "2"],
    "--batch-size": [*TEXTS, "1", "0", "3", "5000"],
    "--schemes": [*NAMES, "", ",", "none", "identity,identity", "all,nope", "identity+"],
    "--temperature": ["0", "-1", "nan", "inf", "1e-300", "1e300", "x"],
    "--teacher": ["", "resnet8", "vgg8", *NAMES],
    "--weights": ["nope.pth", "notes.txt", ".", "/dev/null", "/dev/zero", "x" * 300, "x/" * 3000, "tiny", "crd", "~"],
    "--student": ["tiny", "nope"],
    "--student-weights": ["tiny.safetensors"],
    "--out": ["mine.csv", "mine.json", "x.txt", "notes.txt", ".", "", "/dev/full", "/proc/x.csv", "notes.txt/x.csv"],
    "--plot": ["mine.csv", "x.bmp", "notes.txt", ".", "", "/proc/x.png", "/dev/full", "notes.txt/x.svg", "taken.png"],
    "--record": ["Mine", "../x", "a b", "x" * 5 + "-1", "."],
    "--images-per-class": ["-1", "x", "101"],
    "--precision": ["float16", "nope"],
    "--dataset": ["nope", "folder", "cifar100"],
}
BAD_SWEEP = {
    "--seed": ["", ",", "x", "0-2", "1,,x", "true", "0,nan"],
    "--scheme": ["nope", "none,nope", ",", "all,x"],
    "--method": ["", "nope", "kd"],
    "--teacher": ["nope"],
    "--pair": ["tiny", "tiny/", "/", "nope/tiny", "tiny/tiny/tiny", ","],
    "--epochs": ["0", "-1", "1,0", "x", "1e2"],
    "--lr": ["0", "nan", "0.1,inf"],
    "--budget": ["x", "1", "-1s", "h", "1h1h", "²s", "9" * 400 + "h", "1 h", "1.5h"],
    "--record": ["A", "../x", "a-b"],
    "--out": ["x.txt", "mine.csv", ".", "/proc/x.csv", "/dev/null"],
    "--file": ["nope.toml", ".", "notes.txt", "/dev/null", "/dev/zero", "x" * 300, "x/" * 3000],
    "--store": ["", "notes.txt", "/dev/null"],
    "--workers": ["x", "1.5", "-1"],
}
DEEP = "[" * 5000 + "]" * 5000
BAD_TOML = [
    *("", "pair = 5", "pair = true", "pair = []", "pair = 'tiny'", "epochs = true", "epochs = -1", "epochs = 1.5"),
    *("seed = [true, false]", "seed = []", "seed = nan", "seed = 1e400", "seed = 1979-05-27", "seed = '0-2'"),
    *("seed = [{a = 1}]", f"seed = {DEEP}", f"seed = {'9' * 5000}", "lr = true", "tau = 'x'", "nope = 1", "a = "),
    *("student = 5", "student = ''", "student = {tiny = 1}", "scheme = 3", "scheme = [[]]", "data_dir = 3", "[[["),
    *("grid = 3", "grid = []", "grid = [1]", "grid = [{nope = 1}]", "grid = {seed = 1}", "images_per_class = -1"),
    *("teacher = 5\nteacher_weights = 'w.pth'", "teacher_weights = 5", "\x00", b"\xff\xfe", b"seed = '\xff'"),
    f"seed = {list(range(5000))}\nbatch_size = {list(range(2, 99999))}",
]
BAD_YAML = [
    *("", "3", "- seed", "epochs: yes", "epochs: 1_000x", "seed: !!binary QUI=", "seed: !!set {1, 2}", "a: b: c"),
    *("x: &a [*a]", "seed: &a [*a]", f"seed: {DEEP}", "seed: 2024-13-01", "seed: 2024-12-01", "seed: .nan", "%TAG"),
    *("seed: {1: 2}", "seed: [1", "seed: 0x", "seed: [~]", "seed: !!omap [a: 1]", "seed: !nope 1", "? [a]\n: 1"),
    *("1: 2", "null: 1", "student: ~", "pair: [a]", "grid: [[]]", "---\n---", "\t", b"\xff\xfe\x00"),
    "seed: !!python/object/apply:os.system ['touch ran']",
    "seed: !!python/name:os.system",
]
RIGHT_FILES = [
    ("g.toml", "student = 'tiny'\nseed = [0, 1]", 2),
    ("g.toml", "[[grid]]\nstudent = 'tiny'\n[[grid]]\nstudent = 'vgg8'\nseed = [1, 2]", 3),
    ("g.yaml", "student: tiny\nseed: [0, 1, 2]", 3),
    ("g.yml", "student: [tiny]", 1),
    ("g.toml", "student = 'tiny'\nlr = 1", 1),
]
RIGHT_TRAIN = rows("""
    --seed -1 | --seed 999999999999999999 | --seed ' 1' | --tau 1e200 | --epochs +1 | --teacher '' | --weights '' |
    --mean '0.5 0.5 0.5' | --store 'own {seed} ü'
""")
RIGHT_RANK = rows("--plot a.png | --temperature 3.5 | --out 'new/a b.csv' | --schemes ' identity ,flip,' | --note =x")
RIGHT_SWEEP = {"--seed 0,1,2": 3, "--seed 1,1": 2, "--scheme flip,cutmix": 2, "--seed -3": 1, "--budget 1h30m": 1}


def cases() -> Iterator[Case]:
    """All of these kinds."""
    for kind, words, bad in (
        ("train flags", TRAIN, BAD_TRAIN),
        ("rank flags", RANK, BAD_RANK),
        ("sweep flags", SWEEP, BAD_SWEEP),
    ):
        yield from (Case(kind, (*words, flag, value)) for flag, values in bad.items() for value in values)
    yield from (Case("train flags", (*TRAIN, *more), right=trained) for more in RIGHT_TRAIN)
    yield from (Case("rank flags", (*RANK, *more), right=ranked) for more in RIGHT_RANK)
    yield from (Case("sweep flags", (*SWEEP, *line.split()), right=planned(n)) for line, n in RIGHT_SWEEP.items())
    commands = lambda out, here: out.startswith("kdutils train --student tiny")  # noqa: E731
    yield Case("sweep flags", (*SWEEP[:-1], "--print-commands"), right=commands)
    bad = [("g.toml", text, 0) for text in BAD_TOML] + [("g.yaml", text, 0) for text in BAD_YAML]
    for name, text, count in bad + RIGHT_FILES:
        words, right = ("sweep", "--file", name, "--method", "ce", "--dry-run"), planned(count) if count else None
        yield Case("sweep files", words, files={name: text}, right=right, where=f"{name} {text[:40]!r}")


def trained(out: str, here: Path) -> bool:
    """A loss above 0 and an accuracy in per cent."""
    found = re.search(r"test loss +(\S+) nats\ntest accuracy +(\S+) %", out)
    return found is not None and 0 < float(found[1]) < math.inf and 0 <= float(found[2]) <= 100


def ranked(out: str, here: Path) -> bool:
    """A T. stddev above 0 under Identity, of which the file, if there is one, says the same."""
    found = re.search(r"^ *identity +(\S+) ±", out, re.MULTILINE)
    return found is not None and 0 < float(found[1]) < math.inf


def planned(count: int) -> Callable[[str, Path], bool]:
    """So many runs are asked for."""
    return lambda out, here: out.startswith(f"{count} runs asked for")
