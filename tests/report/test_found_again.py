"""A run that was made again is held against the recorded one of its study, and against the spread of seeds there."""

import math
from pathlib import Path

import pandas as pd
import pytest

from kdutils.report import campaigns, found_again, recorded_runs

RUN = {"teacher": "resnet20", "student": "resnet8", "method": "kd", "standard": "crop_flip", "epochs": 20}


def run(scheme: str, seed: int, test_loss: float, test_accuracy: float) -> dict:
    known = {"scheme": scheme, "seed": seed, "test_loss": test_loss, "test_accuracy": test_accuracy}
    return {**RUN, **known, "key": f"{scheme}{seed}"}


@pytest.fixture
def again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes what came out when a run of a study of four was made again."""
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    study = [
        run("cutmix", 0, 3.0, 20.0),
        run("cutmix", 1, 3.2, 24.0),
        run("none", 0, 5.0, 50.0),
        run("none", 1, 5.4, 50.0),
    ]
    recorded_runs.write_recorded("few_methods", pd.DataFrame(study), {})
    return lambda *rows: recorded_runs.write_recorded("few_again", pd.DataFrame(rows), {"machine": "another"})


def test_the_spread_is_that_of_seeds_within_a_setting(again):
    study = recorded_runs.recorded("few_methods")
    assert found_again.seed_spread(study, "test_loss") == pytest.approx(math.sqrt((0.02 + 0.08) / 2))
    assert found_again.seed_spread(study, "test_accuracy") == pytest.approx(2)
    assert math.isnan(found_again.seed_spread(study[study["seed"] == 0], "test_loss"))


def test_a_run_is_found_if_loss_and_accuracy_are_both_near(again):
    far = found_again.FAR * math.sqrt(0.05)
    again(
        run("cutmix", 0, 3.0 + 0.99 * far, 20.0),
        run("cutmix", 1, 3.2 - 1.01 * far, 24.0),
        run("none", 0, 5.0, 50 + 1.01 * 2 * found_again.FAR),
        run("none", 1, 5.4, 50.0),
    )
    table = found_again.table()
    assert table["found"].tolist() == [True, False, False, True]
    assert (table["study"] == "few_methods").all()
    assert table["test_loss"].tolist() == [3.0, 3.2, 5.0, 5.4]
    page = found_again.page()
    runs = [f"resnet20/resnet8, KD, {each}20 epochs, seed 0" for each in ("CutMix, ", "")]
    count = "2 of 4 runs were found again within the spread of seeds, 1 of them to the last digit."
    for shown in (count, *runs, "50.0\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}55.7", "few_again on another."):
        assert shown in page


def test_a_run_of_no_recorded_study_is_not_counted(again):
    again(run("mixup", 0, 3.0, 20.0))
    assert found_again.table().empty
    assert found_again.page() == "No recorded run has been made again yet.\n"


def test_every_study_of_runs_made_again_is_planned():
    planned = [name for row in campaigns.planned().itertuples() for name in row.recorded]
    assert set(found_again.AGAIN) <= set(planned)
