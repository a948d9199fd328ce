"""PyTorch's datasets as ours: the same pixels and labels, in memory or as needed, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split

from kdutils import data, metrics, models
from kdutils.data import MemorySplit
from kdutils.data.from_torch import TorchSplit
from kdutils.errors import UserError

SIDE = 16


class Pictures(Dataset):
    """Images of a form, labelled by their number modulo 3."""

    def __init__(self, form, n=12, side=SIDE):
        generator = torch.Generator().manual_seed(n)
        self.pixels = torch.randint(0, 256, (n, 3, side, side), dtype=torch.uint8, generator=generator)
        self.form = form

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, i):
        return FORMS[self.form](self.pixels[i]), i % 3


FORMS = {
    "pillow": lambda x: Image.fromarray(x.permute(1, 2, 0).numpy()),
    "bytes": lambda x: x,
    "floats": lambda x: x / 255,
}


@pytest.mark.parametrize("form", FORMS)
def test_images_of_each_form_have_the_same_pixels(form):
    train, test = Pictures(form), Pictures(form, 6)
    found = data.from_torch(train, DataLoader(test, batch_size=4, shuffle=True), classes=["a", "b", "c"])
    assert (found.classes, found.image_size) == (("a", "b", "c"), SIDE)
    assert isinstance(found.train, MemorySplit)
    assert torch.equal(found.train.images, train.pixels)
    assert torch.equal(found.test.images, test.pixels)
    assert found.test.labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_large_images_are_asked_for_as_needed():
    train = Pictures("bytes", 4, 80)
    found = data.from_torch(train, train)
    assert isinstance(found.train, TorchSplit)
    x, y = found.train.subset(torch.tensor([3, 1])).batch(torch.tensor([1, 0]))
    assert torch.equal(x, train.pixels[[1, 3]])
    assert y.tolist() == [1, 0]


def test_other_sizes_are_resized_and_cut():
    train = Pictures("pillow", 4, 40)
    train.pixels[:] = torch.arange(40, dtype=torch.uint8)  # columns grow from left to right
    x = data.from_torch(train, train, size=20).train.images
    assert x.shape == (4, 3, 20, 20)
    assert x[0, 0, 0].tolist() == pytest.approx((np.arange(20) * 2 + 0.5).tolist(), abs=1)


def test_grey_images_get_three_channels_and_targets_are_taken_at_once():
    source = TensorDataset(torch.rand(6, 1, SIDE, SIDE), torch.arange(6))
    source.targets = [0, 1, 0, 1, 0, 1]
    found = data.from_torch(source, source)
    assert found.train.labels.tolist() == source.targets
    assert torch.equal(found.train.images[:, 0], found.train.images[:, 2])


def test_of_a_random_split_the_whole_knows_labels_and_classes():
    whole = Pictures("bytes", 12, 80)
    whole.targets, whole.classes = [i % 4 for i in range(12)], list("abcd")  # other labels than the items have
    train, rest = random_split(whole, [8, 4], torch.Generator().manual_seed(0))
    found = data.from_torch(train, random_split(rest, [3, 1])[0])
    assert found.train.labels.tolist() == [i % 4 for i in train.indices]
    assert torch.equal(found.train.batch(torch.arange(8))[0], whole.pixels[train.indices])
    assert (len(found.test), found.classes) == (3, ("a", "b", "c", "d"))


def test_labels_that_begin_at_one_are_warned_of():
    source = TensorDataset(torch.rand(6, 3, SIDE, SIDE), torch.arange(6) + 1)
    with pytest.warns(UserWarning, match="no image has the label 0"):
        assert len(data.from_torch(source, source).classes) == 7


@pytest.mark.filterwarnings("ignore:the teacher agrees with")  # it is not trained
def test_it_is_ranked():
    digits = data.load("digits")
    sources = [TensorDataset(part.images, part.labels) for part in (digits.train, digits.test)]
    teacher = models.build("tiny", 10, SIDE).eval()
    found = data.from_torch(*sources, mean=digits.mean, std=digits.std)
    ours = metrics.rank_schemes(teacher, found, ["identity", "crop_flip"], steps=15)
    theirs = metrics.rank_schemes(teacher, digits, ["identity", "crop_flip"], steps=15)
    assert ours["t_stddev"].tolist() == theirs["t_stddev"].tolist()


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "a dataset has a length and items"),
        ([torch.zeros(3, SIDE, SIDE)], r"an item of the dataset is \(image, label\); got a Tensor"),
        ([(torch.zeros(SIDE, SIDE), 0)], r"tensor \[3, H, W\]; got \(16, 16\)"),
        ([("a.jpg", 0)], "got str"),
        ([(torch.full((3, SIDE, SIDE), -2.0), 0)], r"values from -2 to -2: give floats in 0\.\.1 or bytes"),
        ([(torch.zeros(3, SIDE, SIDE), 0.5)], "labels are whole numbers, one per image"),
        ([(torch.zeros(3, SIDE, SIDE), "cat")], "labels are whole numbers.* the first is 'cat'"),
        ([(torch.zeros(3, SIDE, SIDE), torch.eye(3)[0])], r"labels are whole numbers.* the first is tensor\("),
        ([(torch.zeros(3, SIDE, SIDE),)], "got a tuple of 1"),
        ([(torch.zeros(3, SIDE, SIDE), -1)], "labels from -1 to"),
    ],
)
def test_what_is_no_dataset_of_images_and_labels_is_refused(items, message):
    with pytest.raises(UserError, match=message):
        data.from_torch(items, items)


@pytest.mark.parametrize("mean", [0.5, (0.5,), (125, 125, 125)])
def test_a_normalisation_that_is_none_is_refused(mean):
    source = TensorDataset(torch.rand(6, 3, SIDE, SIDE), torch.arange(6))
    with pytest.raises(UserError, match=r"must be three numbers each, of images scaled to 0\.\.1"):
        data.from_torch(source, source, mean=mean)
