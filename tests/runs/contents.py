"""What a store holds of runs and rankings."""

import copy
import math

from kdutils.runs import RankSpec, RunSpec


def question(seed):
    return RunSpec(student="tiny", method="ce", epochs=2, seed=seed)


def answer(seed):
    result = {
        "test_loss": 0.1 + 0.2,
        "test_accuracy": 50.0,
        "ece": None,
        "train_losses": [1e-300, 3.0],
        "weights_sha256": "a" * 64,
    }
    return {"spec": question(seed).identity(), "result": result, "made": {"date": "2026-01-01"}}


KEY, CONTENT = question(0).key(), answer(0)
RANKING = RankSpec(teacher="tiny", schemes=("identity", "cutmixpick_s"), steps=15)
ROWS = [{"scheme": "identity", "t_stddev": 0.004, "n_u": 3}, {"scheme": "cutmixpick_s", "t_stddev": math.nan, "n_u": 0}]


def changed(**parts):
    """A result with these parts changed: `spec_seed=1` is the seed in its specification."""
    content = copy.deepcopy(CONTENT)
    for name, value in parts.items():
        part, _, field = name.partition("_")
        if field:
            content[part][field] = value
        else:
            content[part] = value
    return content
