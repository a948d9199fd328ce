"""Short trainings of a tiny student."""

import torch

from kdutils import losses, models
from kdutils.augment import SCHEMES
from kdutils.training import Schedule, Training

BATCH, EPOCHS = 32, 8


def tiny(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return models.build("tiny", 10, 16)


def make(few, teacher, scheme=None, method="kd", **options):
    """A training that begins; the student always starts from the same weights."""
    return Training(
        student=tiny(1),
        method=losses.build(method),
        dataset=few,
        schedule=options.pop("schedule", Schedule(EPOCHS, lr=0.02, batch_size=BATCH)),
        teacher=teacher,
        scheme=scheme and SCHEMES[scheme],
        **options,
    )


def weights(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())
