"""ImageNet and ImageNet100: small trees in their layout, read as needed."""

import numpy as np
import pytest
import torch
from PIL import Image

from kdutils import data, runs
from kdutils.data import LazySplit, imagenet
from kdutils.errors import UserError
from tests.data.pictures import jpeg


def image_tree(folder, classes, size=(30, 20), parts=("train", "val")):
    """ImageNet's layout with two training images and one validation image per class."""
    for part in parts:
        for c, name in enumerate(classes):
            (folder / "imagenet" / part / name).mkdir(parents=True)
            for i in range(2 if part == "train" else 1):
                content = jpeg(c * 10 + i, size)
                (folder / "imagenet" / part / name / f"{part}_{i}.JPEG").write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def hundred_and_three(tmp_path_factory):
    return image_tree(tmp_path_factory.mktemp("large"), [f"n{i:03d}" for i in range(103)])


def test_imagenet_is_read_as_needed_at_224(tmp_path):
    loaded = data.load("imagenet", image_tree(tmp_path, ["n1", "n2", "n3"], size=(300, 400)))
    assert isinstance(loaded.train, LazySplit)
    assert (loaded.image_size, loaded.crop_padding, loaded.cutout_size, loaded.policy) == (224, 28, 56, "imagenet")
    assert (len(loaded.train), len(loaded.test), loaded.classes) == (6, 3, ("n1", "n2", "n3"))
    x, y = loaded.train.batch(torch.tensor([5, 0]))
    assert (x.shape, x.dtype, y.tolist()) == ((2, 3, 224, 224), torch.uint8, [2, 0])
    source = Image.open(tmp_path / "imagenet/train/n1/train_0.JPEG")
    cut = source.resize((256, 341), Image.Resampling.BILINEAR).crop((16, 58, 240, 282))
    off = (x[1].int() - torch.from_numpy(np.array(cut)).permute(2, 0, 1)).abs()  # only the cut is resized
    assert off.max() <= 1
    assert off.float().mean() < 0.1


def test_imagenets_parts_must_hold_the_same_classes(tmp_path):
    with pytest.raises(UserError, match=r"no folder .*val\. imagenet is read from .*torchvision's layout"):
        data.load("imagenet", image_tree(tmp_path / "a", ["n1"], parts=("train",)))
    folder = image_tree(tmp_path / "b", ["n1", "n2"])
    (folder / "imagenet/val/n2/val_0.JPEG").unlink()
    (folder / "imagenet/val/n2").rmdir()
    with pytest.raises(UserError, match=r"val/ has no folder for \['n2'\]"):
        data.load("imagenet", folder)


def test_a_cut_of_imagenet_has_another_key_than_the_whole(tmp_path):
    whole, copy, cut = (image_tree(tmp_path / name, ["n1", "n2"]) for name in ("whole", "copy", "cut"))
    assert data.fingerprint("imagenet", whole) == data.fingerprint("imagenet", copy)
    (cut / "imagenet/train/n2/train_1.JPEG").unlink()
    assert data.fingerprint("imagenet", cut) != data.fingerprint("imagenet", whole)


def test_imagenet100_is_a_seeded_draw_of_the_classes(hundred_and_three):
    loaded = data.load("imagenet100", hundred_and_three)
    everything = [f"n{i:03d}" for i in range(103)]
    assert loaded.classes == tuple(imagenet.drawn_classes(everything))
    assert (len(loaded.train), len(loaded.test), len(set(loaded.classes))) == (200, 100, 100)
    assert loaded.train.paths[-1].parent.name == loaded.classes[-1]
    assert imagenet.drawn_classes(everything[::-1]) == imagenet.drawn_classes(everything)
    assert imagenet.drawn_classes(everything, seed=1) != imagenet.drawn_classes(everything)
    draws = [set(imagenet.drawn_classes([f"n{i}" for i in range(1000)], seed)) for seed in range(50)]
    shared = np.mean([len(a & b) for i, a in enumerate(draws) for b in draws[:i]])
    assert shared == pytest.approx(10, abs=0.5)  # two independent draws of 100 of 1,000 share 10


def test_imagenet100_takes_a_list_of_classes_and_has_its_key(hundred_and_three):
    path = hundred_and_three / "imagenet100.txt"

    def key():
        spec = runs.RunSpec(dataset="imagenet100", data_dir=str(hundred_and_three), student="resnet18", method="ce")
        return spec.key()

    drawn = key()
    try:
        path.write_text("\n".join(f"n{i:03d}" for i in range(100)))
        assert data.load("imagenet100", hundred_and_three).classes == tuple(f"n{i:03d}" for i in range(100))
        assert key() != drawn
        path.write_text("\n".join(f"n{i:03d}" for i in range(99)))
        with pytest.raises(UserError, match=r"must list 100 different classes .*it lists 99, unknown among them: none"):
            data.load("imagenet100", hundred_and_three)
        path.write_text("\n".join([*(f"n{i:03d}" for i in range(99)), "m1"]))
        with pytest.raises(UserError, match=r"unknown among them: \['m1'\]"):
            data.load("imagenet100", hundred_and_three)
    finally:
        path.unlink()


def test_too_few_classes_to_draw_from(tmp_path):
    with pytest.raises(UserError, match="cannot draw 100 classes of the 2"):
        data.load("imagenet100", image_tree(tmp_path, ["n1", "n2"]))


def test_large_images_do_not_go_into_a_cifar_network(tmp_path):
    folder = str(image_tree(tmp_path, ["n1", "n2"]))
    with pytest.raises(UserError, match=r"resnet20 takes square images of .* not 224\. .*resnet10, resnet18, resnet34"):
        runs.run(runs.RunSpec(dataset="imagenet", data_dir=folder, student="resnet20", method="ce"), tmp_path / "store")


def test_a_large_image_network_learns_the_tree(tmp_path, monkeypatch):
    monkeypatch.setattr(imagenet, "LARGE_SIZE", 96)  # the same path, sooner
    folder = image_tree(tmp_path, ["n1", "n2"], size=(60, 60))
    settings = {"epochs": 3, "lr": 0.02, "batch_size": 4, "standard": "none"}
    spec = runs.RunSpec(dataset="imagenet", data_dir=str(folder), student="resnet18", method="ce", **settings)
    losses = runs.run(spec, tmp_path / "store").train_losses
    assert losses[-1] < losses[0] / 1.5
