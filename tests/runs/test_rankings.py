"""A ranking in the store: that of the metric, measured once."""

import pandas as pd
import pytest

from kdutils import metrics, runs
from kdutils.errors import UserError
from kdutils.runs import RankSpec, rankings


def test_a_ranking_is_that_of_the_metric_and_is_measured_once(ranking, teacher, digits, tmp_path, monkeypatch):
    found = runs.rank(ranking, tmp_path)
    expected = metrics.rank_schemes(teacher, digits, list(ranking.schemes), steps=6, k=256)
    pd.testing.assert_frame_equal(found, expected)
    monkeypatch.setattr(rankings, "_measure", lambda *args: pytest.fail("measured again"))
    pd.testing.assert_frame_equal(runs.rank(ranking, tmp_path), found, check_exact=True)


def test_a_student_picks_for_its_scheme(ranking, teacher_file, tmp_path):
    with_student = ranking.model_copy(update={"student": "tiny", "student_weights": str(teacher_file)})
    found = runs.rank(with_student, tmp_path).set_index("scheme")
    assert found.loc["cutmixpick_s"].notna().all()
    assert runs.rank(ranking, tmp_path).set_index("scheme").loc["cutmixpick_s"].drop("n_u").isna().all()


def test_a_ranking_too_short_for_an_error_is_refused_before_its_teacher_is_trained(tmp_path):
    spec = RankSpec(teacher="tiny", teacher_epochs=1, epochs=1, k=1280)  # how many steps that is, the images decide
    with pytest.raises(UserError, match="15 steps are too few: take at least 30"):
        runs.rank(spec, tmp_path)
    assert not list(tmp_path.rglob("*.json"))
