"""Tiny ImageNet: small folders and archives in its layout, and the real one if it is there."""

import hashlib
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from kdutils import data, runs
from kdutils.data import MemorySplit, tinyimagenet
from kdutils.errors import UserError
from tests.data.pictures import jpeg, pixels

WNIDS = ["n03", "n01", "n02"]  # out of order, as in the official wnids.txt
TRAIN_IMAGES = 11


def tiny_files():
    """Tiny ImageNet's layout with 3 classes: file name -> content."""
    files = {"wnids.txt": "\n".join(WNIDS).encode(), "words.txt": b"n01\tgoldfish, Carassius\nn02\tnewt\nn99\tother\n"}
    for c, wnid in enumerate(WNIDS):
        files[f"train/{wnid}/{wnid}_boxes.txt"] = b"x\t0\t0\t1\t1\n"
        for i in range(TRAIN_IMAGES):
            grey = "L" if i % 5 == 1 else "RGB"
            files[f"train/{wnid}/images/{wnid}_{i}.JPEG"] = jpeg(100 * c + i, mode=grey)
    for i in range(7):
        files[f"val/images/val_{i}.JPEG"] = jpeg(1000 + i)
    lines = [f"val_{i}.JPEG\t{WNIDS[i % 3]}\t0\t32\t44\t62\n" for i in range(7)]
    files["val/val_annotations.txt"] = "".join(lines).encode()
    files["test/images/test_0.JPEG"] = jpeg(5)
    return files


def write_folder(folder, files):
    for name, content in files.items():
        path = folder / "tiny-imagenet-200" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_zip(folder, files, name="tiny-imagenet-200-cut.zip"):
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        for member, content in files.items():
            archive.writestr(f"tiny-imagenet-200/{member}", content)
    return folder


def test_tinyimagenet_is_what_its_files_say(tmp_path):
    files = tiny_files()
    loaded = data.load("tinyimagenet", write_folder(tmp_path, files))
    assert isinstance(loaded.train, MemorySplit)
    assert loaded.classes == ("goldfish", "newt", "n03")  # sorted ids, by their first names where words.txt has them
    assert (loaded.image_size, loaded.crop_padding, loaded.cutout_size, loaded.policy) == (64, 8, 16, "imagenet")
    assert (loaded.mean, loaded.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    expected = [(f"train/{wnid}/images/{wnid}_{i}.JPEG", c) for c, wnid in enumerate(sorted(WNIDS)) for i in range(11)]
    assert loaded.train.labels.tolist() == [label for _, label in expected]
    assert torch.equal(loaded.train.images, torch.stack([pixels(files[name]) for name, _ in expected]))
    assert loaded.test.labels.tolist() == [sorted(WNIDS).index(WNIDS[i % 3]) for i in range(7)]
    assert torch.equal(loaded.test.images[3], pixels(files["val/images/val_3.JPEG"]))


def test_greyscale_files_have_three_equal_channels(tmp_path):
    loaded = data.load("tinyimagenet", write_folder(tmp_path, tiny_files()))
    grey = [bool((image[0] == image[1]).all() and (image[1] == image[2]).all()) for image in loaded.train.images[:11]]
    assert grey == [i % 5 == 1 for i in range(11)]


def test_archive_and_folder_are_the_same_data_with_the_same_fingerprint(tmp_path):
    files = tiny_files()
    folder, archive = write_folder(tmp_path / "a", files), write_zip(tmp_path / "b", files)
    from_folder, from_archive = data.load("tinyimagenet", folder), data.load("tinyimagenet", archive)
    assert torch.equal(from_folder.train.images, from_archive.train.images)
    assert torch.equal(from_folder.test.labels, from_archive.test.labels)
    assert data.fingerprint("tinyimagenet", folder) == data.fingerprint("tinyimagenet", archive)


def test_a_cut_has_another_key_than_the_whole(tmp_path):
    files = tiny_files()
    cut = {name: content for name, content in files.items() if not name.endswith("_10.JPEG")}
    keys = {
        runs.RunSpec(
            dataset="tinyimagenet", data_dir=str(write_zip(tmp_path / str(i), f)), student="vgg8", method="ce"
        ).key()
        for i, f in enumerate([files, cut])
    }
    assert len(keys) == 2


def test_nothing_is_unpacked_wherever_a_member_points(tmp_path):
    folder = write_zip(tmp_path / "inner", tiny_files())
    with zipfile.ZipFile(folder / "tiny-imagenet-200-cut.zip", "a") as archive:
        archive.writestr("tiny-imagenet-200/../../escaped.txt", "out")
        archive.writestr("/escaped.txt", "out")
    before = sorted(tmp_path.rglob("*"))
    assert len(data.load("tinyimagenet", folder).train) == 3 * TRAIN_IMAGES
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/escaped.txt").exists()


def test_a_link_in_an_archive_is_not_followed(tmp_path):
    (tmp_path / "secret.JPEG").write_bytes(jpeg(1))
    files = tiny_files()
    del files["train/n01/images/n01_4.JPEG"]
    folder = write_zip(tmp_path / "inner", files)
    with zipfile.ZipFile(folder / "tiny-imagenet-200-cut.zip", "a") as archive:
        link = zipfile.ZipInfo("tiny-imagenet-200/train/n01/images/n01_4.JPEG")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16  # as zip --symlinks on Unix stores it
        archive.writestr(link, str(tmp_path / "secret.JPEG"))
    with pytest.raises(UserError, match=r"cannot read the image .*n01_4\.JPEG"):
        data.load("tinyimagenet", folder)


def test_annotations_cannot_point_outside(tmp_path):
    files = tiny_files() | {"val/val_annotations.txt": b"../../../secret.JPEG\tn01\t0\t0\t1\t1\n"}
    folder = write_folder(tmp_path / "inner", files)
    (tmp_path / "inner" / "secret.JPEG").write_bytes(jpeg(1))
    with pytest.raises(UserError, match=r"unknown image or class: '\.\./\.\./"):
        data.load("tinyimagenet", folder)


def test_a_flipped_bit_is_noticed(tmp_path):
    folder = write_zip(tmp_path, tiny_files())
    archive = folder / "tiny-imagenet-200-cut.zip"
    content = bytearray(archive.read_bytes())
    at = content.index(tiny_files()["train/n02/images/n02_4.JPEG"]) + 300
    content[at] ^= 1
    archive.write_bytes(content)
    with pytest.raises(UserError, match=r"is damaged or incomplete \(Bad CRC-32 for file .*n02_4\.JPEG"):
        data.load("tinyimagenet", folder)


def test_the_published_name_is_held_to_the_published_hash(tmp_path, monkeypatch):
    folder = write_zip(tmp_path, tiny_files(), "tiny-imagenet-200.zip")
    with pytest.raises(UserError, match="not the published archive: its MD5 is"):
        data.load("tinyimagenet", folder)
    known = hashlib.md5((folder / "tiny-imagenet-200.zip").read_bytes()).hexdigest()
    monkeypatch.setattr(tinyimagenet, "OFFICIAL_MD5", known)
    assert len(data.load("tinyimagenet", folder).test) == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wnids.txt": b"n01\nn02\n"}, r"train/n03 is not one of the classes"),
        ({"wnids.txt": b"n01\nn02\nn03\nn04\n"}, r"no training images of \['n04'\]"),
        ({"val/val_annotations.txt": b"val_0.JPEG\tn77\t0\t0\t1\t1\n"}, r"unknown image or class: 'val_0"),
        (
            {"train/n01/images/n01_0.JPEG": b"no image"},
            r"cannot read the image tiny-imagenet-200/train/n01/images/n01_0",
        ),
        ({"val/val_annotations.txt": b""}, "lists no images"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        data.load("tinyimagenet", write_zip(tmp_path, tiny_files() | change))


def test_missing_files_and_two_cuts_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no Tiny ImageNet in .*expected tiny-imagenet-200/"):
        data.load("tinyimagenet", tmp_path)
    with pytest.raises(UserError, match=r"no folder .* tinyimagenet is read from"):
        data.load("tinyimagenet", tmp_path / "absent")
    files = tiny_files()
    del files["wnids.txt"]
    with pytest.raises(UserError, match=r"incomplete .*wnids\.txt"):
        data.load("tinyimagenet", write_zip(tmp_path / "b", files))
    write_zip(tmp_path / "b", tiny_files(), "tiny-imagenet-200-other.zip")
    with pytest.raises(UserError, match="holds 2 cuts"):
        data.load("tinyimagenet", tmp_path / "b")


@pytest.fixture(scope="module")
def real(tinyimagenet_dir):
    return data.load("tinyimagenet", tinyimagenet_dir)


def test_real_tinyimagenet_has_its_200_classes_and_all_validation_images(real):
    assert len(real.classes) == len(set(real.classes)) == 200
    assert real.train.labels.bincount().unique().numel() == 1  # as many training images of each class
    assert real.test.labels.bincount().tolist() == [50] * 200
    grey = (real.train.images[:, 0] == real.train.images[:, 1]).flatten(1).all(1).float().mean()
    assert 0.01 < float(grey) < 0.03  # the greyscale files
    pixel = real.train.images[::20].float() / 255
    assert pixel.mean((0, 2, 3)).numpy() == pytest.approx(np.array([0.480, 0.448, 0.398]), abs=0.01)


def test_real_labels_agree_with_the_files_names(real, tinyimagenet_dir):
    source = tinyimagenet.find(tinyimagenet_dir)
    with tinyimagenet._reader(source) as read:
        wnids = sorted(read("wnids.txt").decode().split())
        name, wnid = read("val/val_annotations.txt").decode().splitlines()[4321].split("\t")[:2]
        assert real.test.labels[4321] == wnids.index(wnid)
        assert torch.equal(real.test.images[4321], pixels(read(f"val/images/{name}")))
        first = real.train.labels.tolist().index(77)
        assert torch.equal(real.train.images[first + 3], pixels(read(f"train/{wnids[77]}/images/{wnids[77]}_3.JPEG")))
