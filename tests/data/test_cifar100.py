"""CIFAR-100 in its two layouts, and everything that can be wrong with their files."""

import hashlib
import pickle
import zipfile

import numpy as np
import pytest
import torch
import torchvision

from kdutils import data, inference, models, training
from kdutils.data import cifar100
from kdutils.errors import UserError

# --- CIFAR-100 ----------------------------------------------------------------------------------------------------
SMALL = {"train": 200, "test": 100}
NAMES = [f"class {c}" for c in range(100)]


@pytest.fixture
def small(monkeypatch):
    """Let CIFAR-100 have two training images and one test image per class."""
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
        ({"y_test": np.zeros(99, np.int64)}, r"with int64 \(99,\) labels"),
        ({"y_test": np.full(100, 3.7)}, r"with float64 \(100,\) labels; expected .* whole numbers"),
        ({"y_test": np.zeros(100, complex)}, "with complex128"),
        ({"y_test": np.zeros(100, bool)}, "with bool"),
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


def header_of_petabytes(path):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 32, 32, 3), }"
    header += b" " * (118 - len(header) - 1) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test", "classes"):
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


def with_header_byte(offset, value):
    """Set a field in the headers of all members: 6 is the flags, 8 the way of compression."""

    def write(path):
        np.savez(path, **cifar_parts())
        content = bytearray(path.read_bytes())
        for signature, at in ((b"PK\3\4", offset), (b"PK\1\2", offset + 2)):
            begin = content.find(signature)
            while begin >= 0:
                content[begin + at] = value
                begin = content.find(signature, begin + 4)
        path.write_bytes(content)

    return write


@pytest.mark.parametrize("write", [header_of_petabytes, with_header_byte(6, 1), with_header_byte(8, 99)])
def test_an_archive_that_cannot_be_unpacked_is_refused(write, small, tmp_path):
    write(tmp_path / "cifar100.npz")
    with pytest.raises(UserError, match="is damaged or is not a CIFAR-100 archive") as told:
        data.load("cifar100", tmp_path)
    assert len(str(told.value).splitlines()) == 1


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


def test_nothing_is_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(
        torchvision.datasets.cifar, "download_and_extract_archive", lambda *_, **__: pytest.fail("a download")
    )
    with pytest.raises(UserError, match="missing or damaged; expected cifar-100-python/"):
        data.load("cifar100", tmp_path)


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
    found = training.evaluate(inference.for_inference(teacher), real, first).accuracy
    assert abs(found - 72.63) < 3 * 100 * (0.7263 * 0.2737 / 2000) ** 0.5
