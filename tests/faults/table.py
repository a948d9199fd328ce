"""All cases, and what most of them find in their folder."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import torch

from kdutils import models
from kdutils.runs import Store, transfer
from tests.faults import books, inputs, runs, stores, surroundings
from tests.faults.case import Case
from tests.runs.contents import answer, question
from tests.tiny import write

PARTS = (runs, stores, inputs, books, surroundings)
CASES: list[Case] = [case for part in PARTS for case in part.cases()]  # alike in every process


@functools.cache
def material() -> Path:
    """A folder with weights, a notebook, and a store of three results, packed too; gone when the process ends."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    torch.manual_seed(0)
    models.save_weights(models.build("tiny", 10, 16), folder / "tiny.safetensors")
    write(folder / "good.ipynb", "print(n)", parameters="n: int = 1  # a number\nnames: list = ['a']  # texts")
    theirs = Store(folder / "theirs")
    for seed in range(3):
        theirs.write(question(seed).key(), answer(seed))
    transfer.pack(theirs, folder / "packed.zip")
    return folder
