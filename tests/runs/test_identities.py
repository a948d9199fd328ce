"""What a user's own code is known by: the same after a restart, another if it does something else."""

import functools
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from kdutils import augment, data, losses, models
from kdutils.runs.identities import of_code

STRENGTH = 0.5


def half(x, draw):
    return helper(x)


def helper(x):
    return x.float() * STRENGTH


def times(factor):
    def scheme(x, draw):
        return x.float() * factor

    return scheme


class Scheme:
    """A scheme that is an object."""

    def __init__(self, transform):
        self.transform = transform

    def __call__(self, x, draw):
        return self.transform(x)


class Child(Scheme):
    def extra(self):
        return {"crop", "flip", "cutout", "mixup"}


DIFFERENT = [
    half,
    helper,
    times(1),
    times(2),
    times(np.ones(2000)),
    times(np.arange(2000)),  # NumPy's repr leaves out the middle
    lambda x, draw: x.flip(2),
    lambda x, draw: x.flip(3),
    lambda x, draw: [part * 2 for part in x.split(2)],
    lambda x, draw: [part * 2 for part in x.split(3)],
    lambda x, strength=1: x,
    lambda x, strength=2: x,
    functools.partial(augment.cutout, draw=1),
    functools.partial(augment.cutout, draw=2),
    functools.partial(augment.crop, draw=1),
    v2.RandomErasing(),
    v2.RandomErasing(p=0.1),
    v2.RandomErasing().forward,
    v2.Lambda(lambda x: x),
    v2.Lambda(lambda x: 255 - x),
    v2.Compose([v2.RandomErasing()]),
    v2.Compose([v2.RandomErasing(p=0.1)]),
    Scheme(v2.RandomErasing()),
    Scheme(v2.RandomErasing(p=0.1)),
    Scheme(torch.ones(3)),
    Scheme(torch.zeros(3)),
    Scheme,
    Child,
]


def test_what_does_something_else_has_another_identity():
    assert len({of_code(thing) for thing in DIFFERENT}) == len(DIFFERENT)


def test_identities_outlive_the_process():
    """Whatever seed Python hashes text with: sets of names change their order with it."""
    code = "import kdutils; from tests.runs.test_identities import DIFFERENT, of_code; print(*map(of_code, DIFFERENT))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "5"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [of_code(thing) for thing in DIFFERENT]


def test_a_global_value_and_a_helper_count(monkeypatch):
    before = of_code(half)
    monkeypatch.setitem(globals(), "STRENGTH", 0.25)
    assert of_code(half) != before
    monkeypatch.undo()
    assert of_code(half) == before
    monkeypatch.setitem(globals(), "helper", lambda x: x)
    assert of_code(half) != before


def test_code_that_refers_to_itself_ends():
    def again(x):
        return again(x)

    scheme = Scheme(None)
    scheme.transform = scheme
    assert of_code(again) != of_code(scheme)


@pytest.mark.parametrize("registry", [augment.SCHEMES, losses.METHODS, models.NETWORKS, data.DATASETS])
def test_what_comes_with_the_package_keeps_the_keys_that_it_had(registry):
    assert {of_code(getattr(thing, "fn", thing)) for thing in registry.values()} == {""}
