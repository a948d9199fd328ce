"""Photographs for an assignment, with a teacher of theirs, in one file: a cut of CIFAR-100 and a network's weights.

Neither is part of this project. The instructor makes the file once (`make`), where datasets lie. It is handed out
beside the assignments whose metadata ask for it, and copied to where a submission runs; a notebook reads it there.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from nbformat import NotebookNode

from kdutils import _files, data, models, training
from kdutils.data import Dataset, MemorySplit
from kdutils.data.cifar100 import BROKEN
from kdutils.errors import UserError, choose
from kdutils.models import Network

FILE = "photographs.npz"
PER_CLASS = 10  # of the training and of the test images
SPLITS, FACTS, WEIGHTS = ("train", "test"), ("classes", "mean", "std", "teacher"), "weights/"


def place() -> Path:
    """Where the instructor's file lies: in the folder of datasets (`data.data_folder`)."""
    return data.data_folder() / FILE


def make(teacher: str, weights: str, data_dir: str = "") -> str:
    """Write `place()` from the CIFAR-100 in `data_dir` and the teacher's `weights`; return what it holds, in words.

    `weights`: a file, or who publishes it (`models.find_weights`). UserError for data or weights that do not fit.
    """
    choose("network", teacher, models.NETWORKS)  # which a student can build by its name
    _files.check_place(place())
    file = models.find_weights(teacher, weights)
    few = cut(data.load("cifar100", data_dir or None))
    network = models.build(teacher, len(few.classes), few.image_size)
    write(place(), few, teacher, models.load_weights(network, file))
    right = (training.evaluate(network.eval(), few, getattr(few, part)).accuracy for part in SPLITS)
    known, unseen = (f"{accuracy:.1f} % of {len(few.test):,}" for accuracy in right)
    return f"{teacher} is right on {known} training photographs and on {unseen} test photographs"


def cut(dataset: Dataset) -> Dataset:
    """The first PER_CLASS training and test images of each class."""
    test = data.first_per_class(replace(dataset, train=dataset.test), PER_CLASS).train
    return replace(data.first_per_class(dataset, PER_CLASS), test=test)


def write(path: Path, images: Dataset, teacher: str, network: Network) -> None:
    """Write the images and the weights of `network`, which is built by the name `teacher`."""
    parts = {name: getattr(images, name) for name in FACTS[:-1]} | {"teacher": teacher}
    for name in SPLITS:
        split = getattr(images, name)
        parts |= {f"x_{name}": split.images.numpy(), f"y_{name}": split.labels.numpy()}
    parts |= {WEIGHTS + name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
    with _files.atomic(path) as partial:
        np.savez(partial, **parts)


def load(path: str | Path = FILE) -> tuple[Dataset, Network]:
    """The photographs and their teacher, in eval mode; UserError for a file that is not there, or is damaged."""
    if not _files.is_file(path):
        raise UserError(
            f"no {FILE} in {Path(path).absolute().parent}. Put the file that came with this assignment beside the "
            "notebook; your instructor has it (instructors: `kdutils photographs` makes it)"
        )
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            parts = dict(archive)
        splits = [MemorySplit(*(torch.from_numpy(parts[f"{key}_{name}"]) for key in "xy")) for name in SPLITS]
        classes, mean, std, teacher = (parts[name].tolist() for name in FACTS)
        images = Dataset.of_any_size("photographs", splits, classes, splits[0].side, mean, std)
        network = models.build(teacher, len(classes), images.image_size)
        tensors = {name: torch.from_numpy(array) for name, array in parts.items() if name.startswith(WEIGHTS)}
        network.load_state_dict({name.removeprefix(WEIGHTS): tensor for name, tensor in tensors.items()})
    except BROKEN as error:
        raise UserError(f"{path} is damaged, or made by another version of kdutils: copy or make it again") from error
    return images, network.eval()


# --- The assignments that need them -------------------------------------------------------------------------------


def needed(assignment: NotebookNode) -> bool:
    """Whether an assignment, or a version of it, asks for the file."""
    return assignment.metadata.get("kdutils", {}).get("photographs", False)


def missing(assignments: Mapping[str, NotebookNode]) -> str:
    """Which of the assignments need the file, and what to do, if it is not there; else an empty text."""
    names = [name for name, each in assignments.items() if needed(each)]
    if not names or _files.is_file(place()):
        return ""
    return (
        f"{', '.join(names)} needs {FILE}, which is not in {place().parent}. Make it once: kdutils photographs "
        "--weights FILE; if it lies elsewhere, name its folder in the variable KDUTILS_DATA"
    )


def require(assignments: Mapping[str, NotebookNode]) -> None:
    """UserError if the file is `missing`."""
    if lacking := missing(assignments):
        raise UserError(lacking)


def copy_beside(folder: Path, assignments: Mapping[str, NotebookNode]) -> list[Path]:
    """Copy the file, if it is there and some of the assignments need it, into `folder`; its path there."""
    if not any(map(needed, assignments.values())) or not _files.is_file(place()):
        return []
    with _files.atomic(folder / FILE) as partial:
        shutil.copyfile(place(), partial)
    return [folder / FILE]
