"""Folders of images: what is read of them, and everything that can be wrong with their files."""

import contextlib
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kdutils import data
from kdutils.data import LazySplit, MemorySplit, folder
from kdutils.data.lazy import ENDINGS, open_image, read_image
from kdutils.errors import UserError
from tests.data.pictures import picture


def test_a_folder_is_its_classes_in_order_of_name(tree):
    found = data.load("folder", tree())
    assert found.classes == ("ant", "bee", "cow")
    assert found.train.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert found.test.labels.tolist() == [0, 0, 1, 1, 2, 2]
    expected = torch.from_numpy(np.array(picture(12, (32, 32)))).permute(2, 0, 1)
    assert torch.equal(found.train.images[6], expected)


def test_val_stands_in_for_test(tree):
    assert len(data.load("folder", tree(parts=("train", "val"))).test) == 6


@pytest.mark.parametrize(
    ("shown", "size", "kind"),
    [
        ((20, 24), 32, MemorySplit),
        ((32, 90), 32, MemorySplit),
        ((33, 40), 64, MemorySplit),
        ((64, 64), 64, MemorySplit),
        ((80, 65), 224, LazySplit),
    ],
)
def test_the_first_images_shorter_side_decides_the_size(shown, size, kind, tree):
    found = data.load("folder", tree(shown))
    assert found.image_size == size
    assert isinstance(found.train, kind)
    x, _ = found.train.batch(torch.tensor([0, 11]))
    assert (x.shape, x.dtype) == ((2, 3, size, size), torch.uint8)
    assert (found.crop_padding, found.cutout_size) == (size // 8, size // 4)
    assert found.policy == ("cifar10" if size == 32 else "imagenet")


def test_a_large_image_is_resized_to_256_and_its_middle_kept(tmp_path):
    """The middle 448 x 448 pixels of a 512 x 1024 image are what is seen after halving, and 200 of 224 are inside."""
    image = Image.new("RGB", (512, 1024))
    image.paste((255, 255, 255), (256 - 224, 512 - 224, 256 + 224, 512 + 224))
    image.save(tmp_path / "large.png")
    pixels = read_image(tmp_path / "large.png", 224)
    assert pixels.shape == (3, 224, 224)
    assert int(pixels[:, 2:-2, 2:-2].min()) == 255
    image.paste((255, 255, 255), (0, 0, 512, 1024))
    image.paste((0, 0, 0), (256 - 200, 512 - 200, 256 + 200, 512 + 200))
    image.save(tmp_path / "ring.png")
    ring = read_image(tmp_path / "ring.png", 224)[0] > 127
    assert [int(side.sum()) for side in (ring[112, :112], ring[112, 112:], ring[:112, 112], ring[112:, 112])] == [
        12
    ] * 4


def test_small_images_are_enlarged_and_all_that_is_cut_is_the_longer_side(tmp_path):
    picture(size=(32, 48)).save(tmp_path / "tall.png")
    expected = np.array(picture(size=(32, 48)))[8:40]
    assert np.array_equal(read_image(tmp_path / "tall.png", 32).permute(1, 2, 0).numpy(), expected)
    Image.new("RGB", (5, 7), (10, 20, 30)).save(tmp_path / "small.png")
    assert read_image(tmp_path / "small.png", 32).flatten(1).unique(dim=1).tolist() == [[10], [20], [30]]


@pytest.mark.parametrize("ending", sorted(ENDINGS - {".gif"}))
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_ending_is_read_grey_or_coloured(ending, mode, tmp_path):
    shown = Image.new(mode, (32, 32), 90 if mode == "L" else (200, 90, 30))
    shown.save(tmp_path / f"image{ending}")
    found = read_image(tmp_path / f"image{ending}", 32).float().mean((1, 2)).tolist()
    assert found == pytest.approx([90] * 3 if mode == "L" else [200, 90, 30], abs=3)


def test_of_an_animation_the_first_frame_is_shown(tmp_path):
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("white", "black")]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    assert int(read_image(tmp_path / "film.gif", 32).min()) == 255


def test_sixteen_bits_are_refused_not_cut_off(tmp_path):
    Image.fromarray(np.arange(1024, dtype=np.uint16).reshape(32, 32) * 60).save(tmp_path / "deep.png")
    with pytest.raises(UserError, match=r"deep\.png has more than 8 bits per channel"):
        read_image(tmp_path / "deep.png", 32)


def test_a_large_folder_is_read_as_needed_and_ahead(tree):
    found = data.load("folder", tree((80, 70)))
    for x, y, index in data.batches(found.train, torch.arange(12).flip(0).split(5)):
        alone = torch.stack([read_image(found.train.paths[i], 224) for i in index.tolist()])
        assert torch.equal(x, alone)
        assert y.tolist() == found.train.labels[index].tolist()


def test_few_of_a_large_folder_are_still_read_as_needed(tree):
    few = data.first_per_class(data.load("folder", tree((80, 70))), 2).train
    assert isinstance(few, LazySplit)
    assert few.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert [path.name for path in few.paths] == ["0.png", "1.png"] * 3


def test_an_image_that_breaks_later_stops_the_epoch_with_its_name(tree):
    where = tree((80, 70))
    found = data.load("folder", where)
    (where / "train" / "cow" / "1.png").write_bytes(b"not an image")
    with pytest.raises(UserError, match=r"cannot read the image .*cow/1\.png"):
        list(data.batches(found.train, torch.arange(12).split(4)))


def damage(content, how, seed):
    rng = np.random.default_rng(seed)
    if how == "truncated":
        return content[: rng.integers(len(content) // 2)]
    changed = bytearray(content)
    for position in rng.integers(8, 60, size=12):
        changed[position] = rng.integers(256)
    return bytes(changed)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".bmp", ".gif", ".tif"])
@pytest.mark.parametrize("how", ["truncated", "scrambled"])
def test_a_damaged_image_is_an_error_for_people_or_a_picture_never_a_traceback(how, ending, tmp_path):
    path, refused = tmp_path / f"image{ending}", 0
    picture(size=(32, 32)).save(path)
    whole = path.read_bytes()
    for seed in range(25):
        path.write_bytes(damage(whole, how, seed))
        with contextlib.suppress(UserError):
            assert read_image(path, 32).shape == (3, 32, 32)
            refused -= 1
        refused += 1
    assert refused > (20 if how == "truncated" else 2)


def test_a_broken_first_image_is_named_when_the_folder_is_loaded(tree):
    where = tree((80, 70))
    (where / "train" / "ant" / "0.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"cannot read the image .*train/ant/0\.png"):
        data.load("folder", where)


def test_parts_must_hold_the_same_classes(tree):
    where = tree()
    (where / "test" / "dog").mkdir()
    with pytest.raises(UserError, match=r"train/ and test/ must hold the same classes; differs: \['dog'\]"):
        data.load("folder", where)


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_class_without_images_is_named(part, tree):
    where = tree()
    for path in (where / part / "bee").iterdir():
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(UserError, match=rf"no images under .*{part}/bee: expected files named \.bmp, "):
        data.load("folder", where)


def test_a_folder_without_classes_or_parts_is_refused(tmp_path):
    for part in ("train", "test"):
        with pytest.raises(UserError, match=f"no folder .*{part}"):
            data.load("folder", tmp_path)
        (tmp_path / part).mkdir()
    with pytest.raises(UserError, match="must hold the same classes; differs: none"):
        data.load("folder", tmp_path)


def test_hidden_folders_are_no_classes(tree):
    where = tree()
    (where / "train" / ".thumbnails").mkdir()
    assert data.load("folder", where).classes == ("ant", "bee", "cow")


def test_a_folder_holds_what_was_written(tmp_path: Path) -> None:
    digits = data.first_per_class(data.load("digits"), 3)
    found = data.load("folder", folder.write(digits, tmp_path))
    assert (len(found.train), len(found.test)) == (len(digits.train), len(digits.test))
    assert found.classes == tuple(str(name) for name in digits.classes)
    _, labels = found.train.batch(torch.arange(len(found.train)))
    assert labels.bincount().tolist() == [3] * len(digits.classes)
    means = [split.batch(torch.arange(len(split)))[0].float().mean().item() for split in (found.train, digits.train)]
    assert means[0] == pytest.approx(means[1], rel=0.02)


@pytest.mark.parametrize(("width", "height", "decoded"), [(1100, 1300, 550), (1023, 1300, 1023), (2100, 4096, 525)])
def test_a_large_jpeg_is_decoded_at_a_reduced_scale_and_looks_the_same(tmp_path, width, height, decoded):
    """Against decoding and resizing the whole picture; no side of what is decoded falls below twice 256 pixels."""
    waves = np.sin(np.arange(height)[:, None] / 90 + np.arange(width)[None] / 70)
    pixels = np.uint8(127 + 120 * np.stack([waves, waves[::-1], waves[:, ::-1]], 2))
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95)
    assert open_image(tmp_path / "a.jpg", least=lambda size: 512).width == decoded
    whole = Image.open(tmp_path / "a.jpg")
    whole = whole.resize([round(side * 256 / min(whole.size)) for side in whole.size], Image.Resampling.BILINEAR)
    left, top = (whole.width - 224) // 2, (whole.height - 224) // 2
    expected = np.array(whole.crop((left, top, left + 224, top + 224))).astype(float)
    found = read_image(tmp_path / "a.jpg", 224).permute(1, 2, 0).numpy()
    assert np.abs(found - expected).max() <= 3


@pytest.mark.parametrize("name", ["validation", "valid"])
def test_the_names_that_others_give_to_test_images_are_known(name, tree):
    assert len(data.load("folder", tree(parts=("train", name))).test) == 6


def test_a_folder_of_classes_alone_is_divided_by_the_names_of_its_files(tmp_path):
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        for number in range(10):
            picture(number, (32, 32)).save(tmp_path / name / f"{number}.png")
    with pytest.warns(UserWarning, match="no train/ and test/: 4 of 20 images are kept for testing"):
        found = data.load("folder", tmp_path)
    ranked = sorted((tmp_path / "ant").iterdir(), key=lambda path: hashlib.sha256(path.name.encode()).hexdigest())
    lowest = sorted(ranked[:2])
    assert [path.name for path in lowest] != ["0.png", "1.png"]
    assert found.test.labels.tolist() == [0, 0, 1, 1]
    for image, path in zip(found.test.images, 2 * lowest, strict=True):
        assert torch.equal(image, read_image(path, 32))
    assert len(found.train) == 16
    before = data.fingerprint("folder", tmp_path)
    picture(99, (32, 32)).save(tmp_path / "ant" / "more.png")
    assert data.fingerprint("folder", tmp_path) != before


def test_a_class_of_one_image_cannot_be_divided(tmp_path):
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        picture(1, (32, 32)).save(tmp_path / name / "one.png")
    with pytest.raises(UserError, match="ant/ holds one image: a class needs one to train and one to test with"):
        data.load("folder", tmp_path)
