"""Tiny networks and what a file may hold of their weights."""

import torch

from kdutils import models


def fresh():
    torch.manual_seed(2)
    return models.build("tiny", 10, 16)


def assert_equal(ours, theirs, **tolerance):
    for name, tensor in theirs.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(ours.state_dict()[name], tensor, **(tolerance or {"rtol": 0, "atol": 0}))


def prefixed(weights, prefix="module."):
    return {f"{prefix}{name}": tensor for name, tensor in weights.items()}
