"""The wheel, in an environment that holds what it requires and no extra: a stranger's `pip install kdutils`."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
import venv
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def required(lines, found=None):
    """The distributions that these requirements ask for, and all that those do, by canonical name."""
    found = set() if found is None else found
    for needed in map(Requirement, lines):
        name = canonicalize_name(needed.name)
        if name not in found and (needed.marker is None or needed.marker.evaluate({"extra": ""})):
            found.add(name)
            required(metadata.requires(name) or (), found)
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Runs Python words in an empty folder, in an environment of the wheel and links to what it requires."""
    folder = tmp_path_factory.mktemp("plain")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,) = folder.glob("kdutils-*.whl")
    venv.create(folder / "venv", with_pip=False)
    (site,) = folder.glob("venv/lib/python*/site-packages")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)], check=True)
    for name in required(PROJECT["dependencies"]):
        for file in metadata.distribution(name).files or ():
            top, source = site / file.parts[0], Path(metadata.distribution(name).locate_file(file.parts[0]))
            if file.parts[0] not in ("..", "__pycache__") and not top.exists():
                top.symlink_to(source)
    (folder / "empty").mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "OPENBLAS_CORETYPE") if name in os.environ}

    def run(*words):
        return subprocess.run(
            [str(folder / "venv" / "bin" / "python"), "-P", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder / "empty",
            env={**kept, "OMP_NUM_THREADS": "1", "KDUTILS_STORE": str(folder / "store")},
        )

    return run


def test_it_holds_no_extra(plain):
    assert "No module named 'papermill'" in plain("-c", "import papermill").stderr


def test_it_ranks_in_an_empty_folder(plain):
    words = ["--teacher", "tiny", "--teacher-epochs", "1", "--steps", "15", "--schemes", "identity,cutmix"]
    done = plain("-m", "kdutils.cli", "rank", *words, "--out", "rank.csv")
    assert done.returncode == 0, done.stderr
    assert "cutmix" in done.stdout


def test_it_brings_the_published_tables_and_the_recorded_runs(plain):
    done = plain(
        "-c",
        "import kdutils as kd\n"
        "print(len(kd.paper.pairs()), len(kd.report.recorded('fewshot')), len(kd.report.campaigns.planned()))",
    )
    assert done.returncode == 0, done.stderr
    assert all(int(count) > 10 for count in done.stdout.split())


NEEDS = {  # command -> the extra that it needs
    "book": "book",
    "notebooks": "book",
    "run-notebook 03": "book",
    "assignments": "book,course",
    "grade x": "book,course",
    "rank --teacher timm:resnet18": "timm",
    "sweep --student tiny --method ce --scheduler tcp://localhost:1": "cluster",
}
# Each command as one that is called, but all from one process: torch takes seconds to load.
CALLED = """
import contextlib, io, json, sys
from kdutils.cli import main
ends = []
for words in json.loads(sys.argv[1]):
    sys.argv = ["kdutils", *words.split()]
    with contextlib.redirect_stderr(io.TextIOWrapper(io.BytesIO())) as said:
        try:
            code = main()
        except SystemExit as end:
            code = end.code
    said.seek(0)
    ends.append([code, said.read()])
print(json.dumps(ends))
"""


def test_a_command_names_the_extra_that_it_needs(plain):
    done = plain("-c", CALLED, json.dumps(list(NEEDS)))
    assert done.returncode == 0, done.stderr
    for (words, extra), (code, said) in zip(NEEDS.items(), json.loads(done.stdout), strict=True):
        assert code == 1, words
        assert f"kdutils[{extra}]" in said, words
        assert said.count("\n") == 1, words


def test_the_chapters_are_in_it(plain):
    words = "from kdutils._files import ROOT; print(sum(1 for _ in (ROOT / 'notebooks').glob('[0-9]*.ipynb')))"
    here = len(list((ROOT / "notebooks").glob("[0-9]*.ipynb")))
    assert int(plain("-c", words).stdout) == here > 0


EXTRAS = re.compile(r"^import (timm|kornia|albumentations)", re.MULTILINE)  # tests/book/test_own_images.py runs these


def python_of(page, *pairs):
    """The Python of a page of the book that needs no extra, with what stands in the pairs in place of what is shown."""
    text = (ROOT / "book" / page).read_text(encoding="utf-8")
    blocks = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if not EXTRAS.search(block)]
    return replaced("\n".join(blocks), *pairs)


def commands_of(page, *pairs):
    """The words of each command of a page, after `kdutils`, replaced likewise."""
    text = (ROOT / "book" / page).read_text(encoding="utf-8")
    lines = "\n".join(re.findall(r"```console\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in replaced("\n".join(lines), *pairs).splitlines() if line]


def replaced(text, *pairs):
    for shown, here in pairs:
        assert shown in text, shown
        text = text.replace(shown, here)
    return text


@pytest.fixture(scope="module")
def own(plain):
    """In the empty folder: a folder of images, some of the digits, and a teacher of random weights."""
    done = plain(
        "-c",
        "import kdutils as kd, torch, torchvision\n"
        "from pathlib import Path\n"
        "digits = kd.data.first_per_class(kd.data.load('digits'), 20)\n"
        "from kdutils.data import folder\n"
        "folder.write(digits, Path('my_images'))\n"
        "torch.save(torchvision.models.resnet18(num_classes=10).state_dict(), 'teacher.pth')\n",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return plain


SHORT = ("--steps 500", "--steps 15 --schemes identity,cutmix --image-size 32")


def test_the_commands_of_the_page_on_own_images_run(own):
    (rank,) = commands_of("own_images.md", SHORT)
    done = own("-m", "kdutils.cli", *rank)
    assert done.returncode == 0, done.stderr[-2000:]
    figure = own("-c", "print(open('rank.svg').read()[:5])").stdout
    assert figure == "<?xml\n"


def test_the_page_on_distilling_runs_to_the_weights(own):
    short = ("none,cutmix,cutmixpick_t --seed 0,1,2 --epochs 60", "cutmixpick_t --seed 0 --epochs 1 --image-size 32")
    for words in commands_of("distil_own.md", SHORT, short):
        done = own("-W", "ignore", "-m", "kdutils.cli", *words)
        assert done.returncode == 0, done.stderr[-2000:]
    code = python_of(
        "distil_own.md",
        (
            'torchvision.datasets.CIFAR10("data", download=True, ',
            "torchvision.datasets.FakeData(128, (3, 32, 32), 10, ",
        ),
        ("    epochs=60,\n", "    epochs=1,\n    image_size=32,\n"),
    )
    after = (
        "import zipfile, safetensors.torch\n"
        "assert sum(name.endswith('weights.safetensors') for name in zipfile.ZipFile('students.zip').namelist())\n"
        "torchvision.models.mobilenet_v3_small(num_classes=10).load_state_dict(\n"
        "    safetensors.torch.load_file('student.safetensors'))\n"
        "theirs, soft = v2.CutMix(num_classes=10)(x, labels)\n"
        "assert (theirs.shape, soft.shape) == (x_prime.shape, targets.shape)\n"
        "print(loss.item() > 0)"
    )
    done = own("-W", "ignore", "-c", f"{code}\n{after}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "True\n"


def test_the_python_of_the_page_on_own_images_runs(plain):
    """As printed, but for the data, which are drawn, random weights, and fewer steps and schemes."""
    code = python_of(
        "own_images.md",
        (
            'torchvision.datasets.CIFAR10("data", train=part, download=True)',
            "torchvision.datasets.FakeData(200, (3, 32, 32), 10)",
        ),
        ('teacher.load_state_dict(torch.load("teacher.pth"))\n', ""),
        ("(teacher, dataset, steps=500)", '(teacher, dataset, ["identity", "cutmix"], steps=15)'),
        ("steps=500", "steps=15"),
    )
    after = 'print(len(kd.metrics.rank_schemes(teacher, dataset, ["roll"], steps=15)))'
    done = plain("-W", "ignore", "-c", f"{code}\n{after}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.endswith("1\n")
