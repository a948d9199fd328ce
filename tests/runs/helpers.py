"""What the tests of runs share."""

from kdutils.runs import Store

EPOCHS = 12  # checkpoints after 5 and 10


def files(store, spec):
    return {path.name for path in (Store(store).folder / spec.key()).iterdir()}
