"""A folder's fingerprint is that of its images: not of their names and sizes, and not of what they once were."""

import os
import shutil

import pytest

from kdutils import _files, data, runs
from kdutils.data import folder
from kdutils.errors import UserError
from tests.data.pictures import picture


def test_the_fingerprint_changes_with_the_images_and_with_nothing_else(tree):
    where = tree()
    before = folder.fingerprint(where)
    (where / "README.md").write_text("notes")
    (where / "train" / "ant" / "notes.txt").write_text("notes")
    (where / "train" / ".thumbnails").mkdir()
    assert folder.fingerprint(where) == before
    picture(1, (31, 31)).save(where / "train" / "ant" / "0.png")
    changed = folder.fingerprint(where)
    (where / "test" / "cow" / "0.png").rename(where / "test" / "cow" / "9.png")
    assert len({before, changed, folder.fingerprint(where)}) == 3


@pytest.fixture
def twins(tmp_path):
    """Two folders of the same names and sizes, of other images: bitmaps of one shape have one size."""
    for seed, name in enumerate(("one", "other")):
        for part in ("train", "test"):
            for n, label in enumerate(("ant", "bee")):
                (tmp_path / name / part / label).mkdir(parents=True)
                for k in range(20):
                    picture(100 * seed + 10 * n + k, (32, 32)).save(tmp_path / name / part / label / f"{k}.bmp")
    return tmp_path / "one", tmp_path / "other"


def listing(where):
    return [(path.relative_to(where).as_posix(), path.stat().st_size) for path in sorted(where.rglob("*.bmp"))]


def test_two_folders_of_equal_names_and_sizes_are_told_apart(twins):
    one, other = twins
    assert listing(one) == listing(other)
    assert folder.fingerprint(one) != folder.fingerprint(other)
    before = folder.fingerprint(one)
    (one / "train" / "ant").rename(one / "train" / "x")
    (one / "train" / "bee").rename(one / "train" / "ant")
    (one / "train" / "x").rename(one / "train" / "bee")
    assert folder.fingerprint(one) != before


@pytest.mark.parametrize("settled", [0, 10**18])
def test_a_folder_that_changes_within_a_process_is_another_one(settled, twins, monkeypatch):
    """Also if its files keep their times, and whether or not their hashes were kept."""
    monkeypatch.setattr(_files, "SETTLED_NS", settled)
    one, other = twins
    spec = runs.RunSpec(dataset="folder", data_dir=str(one), student="tiny", method="ce")
    before, images = spec.key(), spec.load_data().train.images
    changed = one / "train" / "ant" / "0.bmp"
    times = changed.stat().st_atime_ns, changed.stat().st_mtime_ns
    changed.write_bytes((other / "train" / "ant" / "0.bmp").read_bytes())
    os.utime(changed, ns=times)
    assert spec.key() != before
    differs = (spec.load_data().train.images != images).flatten(1).any(1)
    assert differs.nonzero().flatten().tolist() == [0]


def test_a_run_whose_images_change_meanwhile_is_not_kept(twins, tmp_path):
    one, other = twins
    options = dict(dataset="folder", data_dir=str(one), student="tiny", method="ce", epochs=3, batch_size=8)
    spec = runs.RunSpec(**options)

    def change(epochs_done):
        if epochs_done == 2:
            shutil.copy(other / "test" / "ant" / "0.bmp", one / "test" / "ant" / "0.bmp")

    with pytest.raises(UserError, match="changed on disk meanwhile"):
        runs.run(spec, tmp_path / "store", watch=change)
    assert not list((tmp_path / "store").rglob("*.json"))


def test_other_datasets_are_the_same_everywhere(tmp_path):
    assert data.fingerprint("digits") == ""
    assert data.fingerprint("cifar100", tmp_path) == ""
