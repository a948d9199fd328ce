"""Photographs for an assignment: made once from what the instructor names, handed out, missing, damaged."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from kdutils import cli, metrics, models
from kdutils.book.course import grading, photographs
from kdutils.data import Dataset
from kdutils.errors import UserError
from tests.book.course.pupils import hand_in, write_assignment, write_photographs


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of datasets."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("KDUTILS_DATA", str(folder))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one assignment, which asks for photographs."""
    path = write_assignment(tmp_path / "project")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["metadata"]["kdutils"]["photographs"] = True
    path.write_text(json.dumps(content), encoding="utf-8")
    return tmp_path / "project"


def test_what_is_written_is_read(digits: Dataset, teacher: models.Network, tmp_path: Path) -> None:
    few = photographs.cut(digits)
    photographs.write(tmp_path / "few.npz", few, "tiny", teacher)
    images, network = photographs.load(tmp_path / "few.npz")
    for part in ("train", "test"):
        found, whole = getattr(images, part), getattr(digits, part)
        assert torch.equal(found.images, getattr(few, part).images)
        assert found.labels.bincount().tolist() == [photographs.PER_CLASS] * 10
        first = torch.nonzero(whole.labels == 3).flatten()[: photographs.PER_CLASS]
        assert torch.equal(found.images[found.labels == 3], whole.images[first]), "those that come first"
    assert not network.training
    asked = [
        metrics.responses.read_logits(metrics.responses.reader(each), digits, few.test.images)
        for each in (network, teacher)
    ]
    assert torch.equal(*asked)
    assert torch.equal(images.normalise(few.test.images), digits.normalise(few.test.images))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def of_another_network(path: Path) -> None:
    parts = dict(np.load(path)) | {"teacher": "resnet8"}
    np.savez(path, **parts)


def mislabelled(path: Path) -> None:
    parts = dict(np.load(path))
    np.savez(path, **(parts | {"y_test": parts["y_test"] + 90}))


@pytest.mark.parametrize(
    "spoil",
    [
        cut_short,
        of_another_network,
        mislabelled,
        lambda path: path.write_text("x"),
        lambda path: path.write_bytes(b""),
        lambda path: np.savez(path, x_train=np.zeros(3)),
        lambda path: np.savez(path, x_train=np.array({})),
    ],
)
def test_a_damaged_file_is_refused_in_a_line(spoil: Callable[[Path], object], tmp_path: Path) -> None:
    path = write_photographs(tmp_path)
    photographs.load(path)
    spoil(path)
    with pytest.raises(UserError, match=r"photographs.npz is damaged, or made by another version.*: copy or make it"):
        photographs.load(path)


def test_a_student_without_the_file_reads_where_it_belongs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf"^no photographs.npz in {tmp_path}. Put the file .* beside the notebook"):
        photographs.load()


# --- Handing out and grading --------------------------------------------------------------------------------------


def test_they_are_handed_out_once_beside_the_assignments(root: Path, data: Path, tmp_path: Path) -> None:
    made = write_photographs(data)
    said: list[str] = []
    roster = {"ada": {"seed": 1}, "grace": {"seed": 2}}
    written = grading.student_versions(tmp_path / "out", {}, root, roster, said.append)
    names = [str(path.relative_to(tmp_path / "out")) for path in written]
    assert (names, said) == (["ada/sums.ipynb", "grace/sums.ipynb", "photographs.npz"], [])
    assert written[-1].read_bytes() == made.read_bytes()
    assert grading.instructor_versions(tmp_path / "own", {}, root)[-1] == tmp_path / "own" / "photographs.npz"


def test_where_they_are_missing_their_assignment_is_left_out_and_the_others_are_not(
    root: Path, data: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    other = root / "notebooks" / "assignments" / "others.ipynb"
    write_assignment(tmp_path / "plain").rename(other)
    written = grading.student_versions(tmp_path / "out", {}, root, say=said.append)
    assert written == [tmp_path / "out" / "others.ipynb"]
    assert said == [
        f"left out: sums needs photographs.npz, which is not in {data}. Make it once: kdutils photographs --weights "
        "FILE; if it lies elsewhere, name its folder in the variable KDUTILS_DATA"
    ]
    assert len(grading.instructor_versions(tmp_path / "own", {}, root)) == 2


def test_without_them_nothing_is_graded_that_needs_them(
    root: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading.processes, "warm_up", lambda: pytest.fail("it was begun"))
    hand_in(tmp_path / "in", "ada", "sums", "{}")
    with pytest.raises(UserError, match=r"^sums needs photographs.npz, which is not in .*: kdutils photographs"):
        grading.grade(tmp_path / "in", tmp_path / "grades", {}, root=root)
    assert not (tmp_path / "grades").exists()


# --- The command --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--weights", "nope.pth"], "no weights at nope.pth"),
        (["--weights", ""], "no weights at"),
        (["--weights", "x.pth", "--teacher", "nope"], "unknown network 'nope'"),
        (["--weights", "x.pth", "--teacher", "x.py:build"], "unknown network 'x.py:build'"),
        (["--weights", "x.pth", "--data-dir", "nowhere"], "no folder nowhere. cifar100 is read from"),
        (["--weights", "x.pth", "--data-dir", "."], "CIFAR-100 in . is missing or damaged"),
        ([], "Missing option '--weights'"),
    ],
)
def test_what_cannot_be_made_is_refused(
    words: list[str], said: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.pth").touch()
    done = CliRunner().invoke(cli.app, ["photographs", *words])
    assert done.exit_code != 0
    assert said in done.stderr
    assert list(data.iterdir()) == []


def test_they_are_made_of_real_photographs(cifar100_dir: Path, data: Path) -> None:
    weights = cifar100_dir / "cifar100_resnet20.pth"
    if not weights.is_file():
        pytest.skip(f"no teacher weights at {weights.name} beside the data")
    words = ["photographs", "--weights", str(weights), "--data-dir", str(cifar100_dir)]
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 0, done.stderr
    images, _ = photographs.load(data / photographs.FILE)
    assert (len(images.train), len(images.test), len(images.classes)) == (1000, 1000, 100)
    assert images.classes[0] == "apple"
    known, unseen = (float(word) for word in done.stdout.split() if "." in word and word[0].isdigit())
    assert known > 85 > unseen > 60, "what its publisher says of this teacher, more or less"
    assert str(data / photographs.FILE) in done.stdout
