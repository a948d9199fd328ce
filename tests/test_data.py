"""Digits, CIFAR-100 in its two layouts, folders of images, and everything that can be wrong with their files."""

import contextlib
import hashlib
import pickle
import threading
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from sklearn.datasets import load_digits

from kdutils import data, models, training
from kdutils.data import LazySplit, MemorySplit, cifar100, folder
from kdutils.data.core import check_labels, need_folder
from kdutils.data.lazy import ENDINGS, read_image
from kdutils.errors import UserError

# --- Digits -------------------------------------------------------------------------------------------------------


def test_digits_are_1000_and_797_images_of_ten_classes_in_equal_parts(digits):
    assert (len(digits.train), len(digits.test), digits.classes) == (1000, 797, tuple("0123456789"))
    for split in (digits.train, digits.test):
        assert split.images.shape == (len(split), 3, 16, 16)
        assert (split.images.dtype, split.labels.dtype) == (torch.uint8, torch.int64)
        assert torch.equal(split.images[:, 0], split.images[:, 1])
        assert torch.equal(split.images[:, 0], split.images[:, 2])
        share = torch.bincount(split.labels).float() / len(split)
        assert float((share - 0.1).abs().max()) < 0.004


def test_every_digit_is_there_once_with_its_label(digits):
    """Averaging 2 x 2 pixels of an enlarged image gives a slightly blurred original, nearest to itself of all."""
    original = load_digits()
    images = torch.cat([digits.train.images, digits.test.images])[:, 0].float()
    labels = torch.cat([digits.train.labels, digits.test.labels])
    small = torch.nn.functional.avg_pool2d(images.unsqueeze(1), 2).flatten(1) * 16 / 255
    blurred = torch.nn.functional.interpolate(torch.tensor(original.images).unsqueeze(1), size=16, mode="bilinear")
    blurred = torch.nn.functional.avg_pool2d(blurred, 2).flatten(1).float()
    nearest = torch.cdist(small, blurred).argmin(1)
    assert len(set(nearest.tolist())) == 1797
    assert labels.tolist() == original.target[nearest].tolist()


def test_digits_are_the_same_every_time_and_normalise_to_zero_and_one(digits):
    again = data.load("digits")
    assert torch.equal(again.train.images, digits.train.images)
    x = digits.normalise(digits.train.images)
    assert (x.dtype, x.shape) == (torch.float32, (1000, 3, 16, 16))
    assert abs(float(x.mean())) < 1e-4
    assert float(x.std()) == pytest.approx(1, abs=1e-3)


def test_normalising_is_the_same_for_whole_and_broken_values(digits):
    three = replace(digits, mean=(0.1, 0.5, 0.9), std=(0.2, 0.3, 0.4))
    x = torch.tensor([0, 128, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    expected = [(0 - 0.1) / 0.2, (128 / 255 - 0.5) / 0.3, (1 - 0.9) / 0.4]
    torch.testing.assert_close(three.normalise(x)[0, :, 0, 0], torch.tensor(expected))
    assert torch.equal(three.normalise(x), three.normalise(x.float()))


# --- Splits, batches and few-shot sets ----------------------------------------------------------------------------


def test_a_batch_is_the_images_and_labels_at_its_positions(digits):
    index = torch.tensor([7, 3, 3])
    x, y = digits.train.batch(index)
    assert torch.equal(x, digits.train.images[[7, 3, 3]])
    assert y.tolist() == [int(digits.train.labels[i]) for i in (7, 3, 3)]


def test_the_first_images_of_each_class_are_taken_in_their_order(digits):
    few = data.first_per_class(digits, 3)
    assert few.train.labels.tolist() == [c for c in range(10) for _ in range(3)]
    for c in range(10):
        first = [i for i, label in enumerate(digits.train.labels.tolist()) if label == c][:3]
        assert torch.equal(few.train.images[3 * c : 3 * c + 3], digits.train.images[first])
    assert len(few.test) == 797


@pytest.mark.parametrize("n", [0, -1, 5000])
def test_more_or_fewer_images_than_there_are_cannot_be_taken(n, digits):
    with pytest.raises(UserError, match=f"cannot take {n} training images a class of digits"):
        data.first_per_class(digits, n)


@pytest.mark.parametrize("drop_last", [True, False])
def test_an_epoch_shows_every_image_once_in_random_order(drop_last):
    index = data.shuffled(100, 32, torch.Generator().manual_seed(0), drop_last)
    assert [len(i) for i in index] == [32, 32, 32] + [4] * (not drop_last)
    seen = torch.cat(index).tolist()
    assert len(set(seen)) == len(seen)
    assert seen != sorted(seen)


def test_a_last_batch_of_one_image_is_dropped():
    """BatchNorm has no variance of one value."""
    assert [len(i) for i in data.shuffled(65, 32, torch.Generator().manual_seed(0), drop_last=False)] == [32, 32]


def test_batches_come_with_their_positions(digits):
    wanted = torch.arange(10).split(4)
    got = list(data.batches(digits.train, wanted))
    assert [index.tolist() for *_, index in got] == [w.tolist() for w in wanted]
    assert torch.equal(torch.cat([x for x, *_ in got]), digits.train.images[:10])


class Watched:
    """A split that notes when a batch begins to be read."""

    def __init__(self, n=12):
        self.labels, self.asked = torch.arange(n), []
        self.started = [threading.Event() for _ in range(n)]

    def __len__(self):
        return len(self.labels)

    def batch(self, index):
        self.asked.append(index.tolist())
        self.started[int(index[0])].set()
        return index.view(-1, 1, 1, 1).to(torch.uint8), self.labels[index]


def test_the_next_batch_is_read_while_the_current_one_is_used():
    split = Watched()
    for x, y, index in data.batches(split, torch.arange(12).split(3)):
        assert x.flatten().tolist() == y.tolist() == index.tolist()
        following = int(index[-1]) + 1
        assert following == 12 or split.started[following].wait(10)
        assert len(split.asked) <= following // 3 + 1  # one ahead, not all
    assert split.asked == [i.tolist() for i in torch.arange(12).split(3)]


def test_no_batches_are_no_batches(digits):
    assert list(data.batches(digits.train, [])) == list(data.batches(Watched(), [])) == []


def test_resident_holds_images_on_a_device_and_leaves_those_that_are_read_as_needed(digits, tmp_path):
    lazy = LazySplit((tmp_path / "a.png",), torch.tensor([0]), 224)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    moved = replace(digits, test=lazy).resident(device)
    assert (moved.train.images.device.type, moved.train.labels.device.type) == (device, device)
    assert torch.equal(moved.train.images.cpu(), digits.train.images)
    assert moved.test is lazy


@pytest.mark.parametrize(
    ("labels", "message"),
    [([], "holds no images"), ([0, 3], "labels from 0 to 3; expected 0 to 2"), ([-1, 2], "from -1")],
)
def test_labels_that_name_no_class_are_refused(labels, message):
    with pytest.raises(UserError, match=message):
        check_labels("set", torch.tensor(labels), 3)


def test_a_data_set_checks_its_own_labels(digits):
    with pytest.raises(UserError, match="the digits test set has labels from 0 to 9; expected 0 to 8"):
        replace(digits, classes=digits.classes[:9], train=MemorySplit(digits.train.images[:1], torch.tensor([0])))


# --- Where data lie -----------------------------------------------------------------------------------------------


def test_an_unknown_data_set_is_refused_with_the_choices():
    with pytest.raises(UserError, match=r"unknown dataset 'cifar10'\. Did you mean 'cifar100'\? Choose one of: digits"):
        data.load("cifar10")


def test_the_folder_is_the_parameter_else_the_variable_else_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("KDUTILS_DATA", str(tmp_path))
    assert data.data_folder("here") == Path("here")
    assert data.data_folder() == data.data_folder("") == tmp_path
    monkeypatch.delenv("KDUTILS_DATA")
    assert data.data_folder().parts[-2:] == ("kdutils", "data")


@pytest.mark.parametrize("name", ["cifar100", "folder"])
def test_a_missing_folder_is_named_with_what_it_should_hold(name, tmp_path):
    with pytest.raises(UserError, match=rf"no folder .*nowhere\. {name} is read from a folder that holds .*data_dir"):
        data.load(name, tmp_path / "nowhere")
    need_folder(tmp_path, name, "anything")


# --- CIFAR-100 ----------------------------------------------------------------------------------------------------

SMALL = {"train": 200, "test": 100}
NAMES = [f"class {c}" for c in range(100)]


@pytest.fixture
def small(monkeypatch):
    """Let CIFAR-100 have two training images and one test image a class."""
    monkeypatch.setattr(cifar100, "IMAGES", SMALL)


def cifar_parts(**changed):
    rng = np.random.default_rng(0)
    parts = {"classes": np.array(NAMES)}
    for part, n in SMALL.items():
        parts[f"x_{part}"] = rng.integers(256, size=(n, 32, 32, 3), dtype=np.uint8)
        parts[f"y_{part}"] = (np.arange(n) % 100).astype(np.uint8)
    return {**parts, **changed}


def test_the_archive_is_read_channels_first(small, tmp_path):
    parts = cifar_parts()
    np.savez(tmp_path / "cifar100.npz", **parts)
    found = data.load("cifar100", tmp_path)
    assert (len(found.train), len(found.test), found.image_size) == (200, 100, 32)
    assert found.classes == tuple(NAMES)
    assert torch.equal(found.train.images[3].permute(1, 2, 0), torch.from_numpy(parts["x_train"][3]))
    assert (found.train.images.dtype, found.train.labels.dtype) == (torch.uint8, torch.int64)
    assert (found.crop_padding, found.cutout_size, found.policy) == (4, 8, "cifar10")
    assert (found.mean, found.std) == ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"x_train": np.zeros((199, 32, 32, 3), np.uint8)},
            r"x_train is uint8 \(199, 32, 32, 3\).*expected uint8 \(200",
        ),
        ({"x_test": np.zeros((100, 3, 32, 32), np.uint8)}, r"x_test is uint8 \(100, 3, 32, 32\)"),
        ({"x_test": np.zeros((100, 32, 32, 3), np.float32)}, "x_test is float32"),
        ({"y_test": np.zeros(99, np.int64)}, r"with \(99,\) labels"),
        ({"y_train": np.arange(200)}, "training set has labels from 0 to 199; expected 0 to 99"),
        ({"y_test": np.full(100, -1)}, "test set has labels from -1 to -1"),
        ({"classes": np.array(NAMES[:20])}, "names 20 classes; expected 100"),
        ({"classes": np.array([*NAMES, "more"])}, "names 101 classes; expected 100"),
        ({"classes": np.array(NAMES, dtype=object)}, "damaged or is not a CIFAR-100 archive"),
    ],
)
def test_an_archive_that_holds_something_else_is_refused(changed, message, small, tmp_path):
    np.savez(tmp_path / "cifar100.npz", **cifar_parts(**changed))
    with pytest.raises(UserError, match=message):
        data.load("cifar100", tmp_path)


def test_an_archive_that_lacks_a_part_is_refused(small, tmp_path):
    parts = cifar_parts()
    del parts["y_test"]
    np.savez(tmp_path / "cifar100.npz", **parts)
    with pytest.raises(UserError, match=r"not a CIFAR-100 archive \(.*y_test"):
        data.load("cifar100", tmp_path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text", "array"])
def test_a_damaged_archive_is_refused(damage, save, small, tmp_path):
    path = tmp_path / "cifar100.npz"
    save(path, **cifar_parts())
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes(255 - b for b in whole[middle : middle + 9]) + whole[middle + 9 :]
    np.save(tmp_path / "array.npy", np.zeros(3))
    array = (tmp_path / "array.npy").read_bytes()
    damaged = {"truncated": whole[:middle], "flipped": flipped, "empty": b"", "text": b"hello", "array": array}
    path.write_bytes(damaged[damage])
    with pytest.raises(UserError, match="is damaged or is not a CIFAR-100 archive") as told:
        data.load("cifar100", tmp_path)
    assert str(path) in str(told.value)


def test_a_folder_without_cifar_says_what_it_should_hold(tmp_path):
    with pytest.raises(UserError, match=r"missing or damaged; expected cifar-100-python/ .* or cifar100\.npz"):
        data.load("cifar100", tmp_path)


@pytest.fixture
def torchvision_folder(tmp_path, monkeypatch):
    """CIFAR-100 as torchvision unpacks it, small, with the checksums that torchvision then expects."""
    parts, base = cifar_parts(), tmp_path / "cifar-100-python"
    base.mkdir()
    contents = {
        part: {
            "data": parts[f"x_{part}"].transpose(0, 3, 1, 2).reshape(n, -1),
            "fine_labels": [i % 100 for i in range(n)],
        }
        for part, n in SMALL.items()
    }
    for name, content in {**contents, "meta": {"fine_label_names": NAMES}}.items():
        (base / name).write_bytes(pickle.dumps(content))
    md5 = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in base.iterdir()}
    known = torchvision.datasets.CIFAR100
    monkeypatch.setattr(known, "train_list", [["train", md5["train"]]])
    monkeypatch.setattr(known, "test_list", [["test", md5["test"]]])
    monkeypatch.setattr(known, "meta", {**known.meta, "md5": md5["meta"]})
    return tmp_path, parts


def test_torchvisions_folder_gives_what_the_archive_gives(torchvision_folder, small, tmp_path_factory):
    where, parts = torchvision_folder
    other = tmp_path_factory.mktemp("npz")
    np.savez(other / "cifar100.npz", **parts)
    one, two = data.load("cifar100", where), data.load("cifar100", other)
    for a, b in ((one.train, two.train), (one.test, two.test)):
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.labels, b.labels)
    assert one.classes == two.classes


def test_a_changed_byte_in_torchvisions_folder_is_noticed(torchvision_folder):
    where, _ = torchvision_folder
    path = where / "cifar-100-python" / "test"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="missing or damaged"):
        data.load("cifar100", where)


def test_a_download_happens_only_when_asked_for_and_its_failure_is_told(tmp_path, monkeypatch):
    def unreachable(*args, **options):
        raise URLError("no route to host")

    monkeypatch.setattr(torchvision.datasets.cifar, "download_and_extract_archive", unreachable)
    with pytest.raises(UserError, match="missing or damaged"):
        cifar100.load(tmp_path)
    with pytest.raises(UserError, match=r"could not be downloaded \(.*no route to host.*\); put cifar-100-python/"):
        cifar100.load(tmp_path / "new", download=True)


# --- Folders of images --------------------------------------------------------------------------------------------


def picture(seed=0, size=(20, 24), mode="RGB"):
    """Noise of `size` (width, height)."""
    channels = {"RGB": (3,), "L": (), "RGBA": (4,)}[mode]
    pixels = np.random.default_rng(seed).integers(256, size=(size[1], size[0], *channels), dtype=np.uint8)
    return Image.fromarray(pixels, mode=None)


@pytest.fixture
def tree(tmp_path):
    """Three classes, 4 training and 2 test images each, 32 x 32."""

    def make(size=(32, 32), parts=("train", "test")):
        for part, n in zip(parts, (4, 2), strict=True):
            for c, name in enumerate(("ant", "bee", "cow")):
                (tmp_path / part / name).mkdir(parents=True)
                for i in range(n):
                    picture(10 * c + i + (100 if n == 2 else 0), size).save(tmp_path / part / name / f"{i}.png")
        return tmp_path

    return make


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
    with pytest.raises(UserError, match=r"deep\.png has more than 8 bits a channel"):
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
    with pytest.raises(UserError, match=rf"no images right under .*{part}/bee: expected files named \.bmp, "):
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


# --- The real CIFAR-100 -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(cifar100_dir):
    return data.load("cifar100", cifar100_dir)


def test_real_cifar100_is_balanced_and_named(real):
    assert real.train.images.shape == (50_000, 3, 32, 32)
    assert real.test.images.shape == (10_000, 3, 32, 32)
    assert torch.bincount(real.train.labels).tolist() == [500] * 100
    assert torch.bincount(real.test.labels).tolist() == [100] * 100
    assert (real.classes[0], real.classes[-1]) == ("apple", "worm")
    assert list(real.classes) == sorted(real.classes)


def test_real_cifar100_normalises_to_zero_and_one(real):
    x = real.normalise(real.train.images[:10_000])
    assert float(x.mean((0, 2, 3)).abs().max()) < 0.03
    assert float((x.std((0, 2, 3)) - 1).abs().max()) < 0.03


def test_a_published_teacher_reaches_its_published_accuracy_on_real_cifar100(real, resnet56_weights):
    """72.63 % on the whole test set; on its first 2,000 images within three binomial standard errors of that."""
    teacher = models.load_weights(models.build("resnet56", 100), resnet56_weights)
    first = real.test.subset(torch.arange(2000))
    found = training.evaluate(models.for_inference(teacher), real, first).accuracy
    assert abs(found - 72.63) < 3 * 100 * (0.7263 * 0.2737 / 2000) ** 0.5
