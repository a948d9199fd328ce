"""Folders as people have them: what is skipped, counted, warned of or refused, and what may be chosen."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from kdutils import data
from kdutils.data import LazySplit, folder
from kdutils.data.lazy import read_image
from kdutils.errors import UserError
from tests.data.pictures import picture


def test_hidden_files_are_no_images(tree):
    where = tree()
    plain = data.load("folder", where)
    (where / "train" / "ant" / "._0.png").write_bytes(b"\0\5\x16\7")  # macOS leaves these on other disks
    (where / "train" / "ant" / ".0.png.swp").write_bytes(b"x")
    assert len(data.load("folder", where).train) == len(plain.train)


def test_files_that_are_left_out_are_counted(tree):
    where = tree()
    plain = data.load("folder", where)
    for k in range(5):
        (where / "train" / "ant" / f"{k}.HEIC").write_bytes(b"x")
    (where / "train" / "bee" / "notes.txt").write_text("x")
    with pytest.warns(UserWarning, match=r"train: 6 files are left out \(5 \.heic, 1 \.txt\); read are \.bmp"):
        assert len(data.load("folder", where).train) == len(plain.train)


def test_a_photo_named_jfif_is_read(tree):
    where = tree((32, 32))
    picture(9, (32, 32)).save(where / "train" / "ant" / "9.jfif", format="JPEG")
    found = data.load("folder", where).train
    assert len(found) == 13
    assert torch.equal(found.images[found.labels == 0][-1], read_image(where / "train" / "ant" / "9.jfif", 32))


def test_images_in_sub_folders_count_as_with_torchvision(tree):
    where = tree()
    plain = data.load("folder", where)
    (where / "train" / "ant" / "more" / "still").mkdir(parents=True)
    picture(7, (32, 32)).save(where / "train" / "ant" / "more" / "still" / "7.png")
    (where / "train" / "ant" / ".trash").mkdir()
    picture(8, (32, 32)).save(where / "train" / "ant" / ".trash" / "8.png")
    theirs = torchvision.datasets.ImageFolder(where / "train")
    assert (
        len(data.load("folder", where).train) == len(plain.train) + 1 == len(theirs) - 1
    )  # which takes the hidden one


def test_orientation_and_transparency_are_as_torchvision_has_them(tmp_path):
    """A teacher has seen photos as its own loader decoded them; `read_image` names the choice."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(1, (64, 64)).save(tmp_path / "phone.jpg", exif=exif.tobytes())
    hidden = np.zeros((64, 64, 4), np.uint8)
    hidden[..., 0] = 255
    Image.fromarray(hidden).save(tmp_path / "logo.png")
    for name in ("phone.jpg", "logo.png"):
        theirs = np.array(torchvision.datasets.folder.pil_loader(str(tmp_path / name)))
        assert torch.equal(read_image(tmp_path / name, 64), torch.from_numpy(theirs).permute(2, 0, 1))


def test_one_odd_image_does_not_decide_the_size_of_all(tree):
    where = tree((80, 70))
    picture(1, (10, 10)).save(where / "train" / "ant" / "0.png")
    with pytest.warns(UserWarning, match="shorter sides from 10 to 70 pixels; all are brought to 224"):
        assert data.load("folder", where).image_size == 224


@pytest.mark.parametrize("size", [16, 64, 70, 96])
def test_the_size_can_be_chosen(size, tree):
    where = tree((80, 70))
    found = data.load("folder", where, size=size)
    x, _ = found.train.batch(torch.arange(2))
    assert (found.image_size, x.shape[1:]) == (size, (3, size, size))
    assert (found.crop_padding, found.cutout_size) == (size // 8, size // 4)
    assert isinstance(found.train, LazySplit) == (size > 64)
    assert torch.equal(x[1], read_image(where / "train" / "ant" / "1.png", size))


def test_mean_and_std_can_be_chosen(digits, tree):
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    assert data.load("folder", tree(), mean=mean, std=std).std == std
    found = data.load("digits", mean=mean)
    assert (found.mean, found.std) == (mean, digits.std)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 7}, "images need at least 8 pixels"),
        ({"size": -1}, "images need at least 8 pixels"),
        ({"mean": (0.5, 0.5)}, "must be three numbers each"),
        ({"std": (0.0, 0.5, 0.5)}, "std above 0"),
        ({"mean": (125.0, 125.0, 125.0)}, r"scaled to 0\.\.1"),
        ({"std": (float("nan"),) * 3}, "must be three numbers each"),
    ],
)
def test_what_cannot_be_chosen_is_refused(options, message, tree):
    with pytest.raises(UserError, match=message):
        data.load("folder", tree(), **options)


def test_other_datasets_have_their_size(digits):
    with pytest.raises(UserError, match="size is for the dataset 'folder'"):
        data.load("digits", size=32)
    with pytest.raises(UserError, match="image_size is 96, but training images have 16 pixels"):
        replace(digits, image_size=96)


def numbered(where, names):
    for part in ("train", "test"):
        for name in names:
            (where / part / name).mkdir(parents=True)
            picture(int(name), (32, 32)).save(where / part / name / "0.png")
    return where


def test_class_folders_that_are_numbers_sorted_as_text_are_warned_of(tmp_path):
    with pytest.warns(UserWarning, match=r"sorted as text: class 2 is the folder 10\. .*zeros, such as 02") as told:
        found = data.load("folder", numbered(tmp_path / "a", [str(c) for c in range(12)]))
    assert len(told) == 1
    assert found.classes[:4] == ("0", "1", "10", "11")
    data.load("folder", numbered(tmp_path / "b", [f"{c:02d}" for c in range(12)]))  # no warning
    data.load("folder", numbered(tmp_path / "c", [str(c) for c in range(10)]))


@pytest.mark.parametrize("target", ["gone.png", "0.png"], ids=["dangling", "looping"])
def test_a_link_to_nowhere_is_named(target, tree):
    where = tree()
    path = where / "train" / "ant" / "0.png"
    path.unlink()
    path.symlink_to(path.with_name(target))
    for read in (folder.fingerprint, lambda where: data.load("folder", where)):
        with pytest.raises(UserError, match=r"ant/0\.png.*(is not here: fetch it|Too many levels of symbolic links)"):
            read(where)


def test_a_pipe_is_no_image(tree):
    where = tree()
    os.mkfifo(where / "train" / "cow" / "pipe.png")
    for read in (folder.fingerprint, lambda where: data.load("folder", where)):
        with pytest.raises(UserError, match=r"cannot read the image .*pipe\.png \(not a regular file\)"):
            read(where)


def test_a_path_that_is_too_long_is_no_folder():
    with pytest.raises(UserError, match="no folder xxx"):
        data.load("folder", "x" * 5000)
    with pytest.raises(UserError, match="no folder xxx"):
        data.load("cifar100", "x" * 5000)


def test_an_image_that_is_all_length_is_refused_before_it_is_enlarged(tmp_path):
    Image.new("L", (1, 100_000)).save(tmp_path / "line.png")
    with pytest.raises(UserError, match=r"line\.png is 1 x 100000 pixels, too narrow"):
        read_image(tmp_path / "line.png", 224)
