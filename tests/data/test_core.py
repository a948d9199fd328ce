"""Splits, batches, few-shot sets, and where data lie."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kdutils import data
from kdutils.data import LazySplit, MemorySplit
from kdutils.data.core import check_labels, need_folder
from kdutils.errors import UserError

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
    with pytest.raises(UserError, match=f"cannot take {n} training images per class of digits"):
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
        assert following == 12 or split.started[following].wait(60)
        assert len(split.asked) <= following // 3 + 1  # one ahead, not all
    assert split.asked == [i.tolist() for i in torch.arange(12).split(3)]


def test_no_batches_are_no_batches(digits):
    assert list(data.batches(digits.train, [])) == list(data.batches(Watched(), [])) == []


def test_resident_holds_images_on_a_device_and_leaves_those_that_are_read_as_needed(digits, tmp_path):
    lazy = LazySplit((tmp_path / "a.png",), torch.tensor([0]), 16)
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


def test_a_folder_in_the_place_of_a_data_set_is_told_its_own(tmp_path):
    with pytest.raises(UserError, match="is a folder: the dataset is 'folder', and this its data_dir"):
        data.load(str(tmp_path))


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
