"""What students have of their teacher: means, correlations and paired changes from made-up students and by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from kdutils import stats
from kdutils.augment import NINE
from kdutils.chapters import inherits, unseen
from kdutils.chapters.inherits import CLAIMS, NUMBERS
from kdutils.report import tables
from kdutils.runs import RunSpec
from kdutils.runs.schema import RunResult


def students(follow=1.0, schemes=unseen.ALL, seeds=3, noise=1e-3, draw=0):
    """Made-up students whose losses fall along `schemes`; `follow` says by how much agreement rises with it."""
    draws, entropy = np.random.default_rng(draw), unseen.all_ranked().set_index("scheme")["entropy"]
    rows = []
    for place, scheme in enumerate(sorted(schemes, key=lambda name: -entropy.get(name, 0))):
        for seed in range(seeds):
            loss = 3 + 0.05 * place + draws.normal(0, noise)
            numbers = (30 - follow * place, 2 + 0.1 * follow * place, 10 + follow * place, 0.5 + 0.01 * follow * place)
            rows.append((scheme, seed, loss, 40 - place, *(n + draws.normal(0, noise) for n in numbers)))
    return pd.DataFrame(rows, columns=["scheme", "seed", "test_loss", "test_accuracy", *NUMBERS])


def points(runs):
    return inherits.points(runs, unseen.all_ranked())


def test_the_recorded_students_have_what_the_chapter_reads():
    runs = inherits.students()
    assert set(NUMBERS) | {"test_loss", "test_accuracy"} <= set(runs)
    assert not runs.duplicated(["scheme", "seed"]).any()
    assert runs[["agreement", "teacher_kl", "ece"]].notna().all(axis=None)
    assert set(runs["scheme"]) <= {*unseen.ALL, unseen.FOOL, "none"}


def test_only_schemes_with_all_their_seeds_have_a_mean():
    runs = students()
    part = runs[~((runs["scheme"] == "augmix") & (runs["seed"] == 2))]
    found = inherits.means(part)
    assert "augmix" not in found.index
    assert len(found) == 16
    by_hand = runs[runs["scheme"] == "mixup"]["agreement"].mean()
    assert found.loc["mixup", "agreement"] == pytest.approx(by_hand)
    assert inherits.means(part, seeds=2).loc["augmix", "agreement"] > 0


def test_a_number_that_one_seed_lacks_is_missing_and_no_mean_of_the_others():
    runs = students()
    runs.loc[(runs["scheme"] == "cutmix") & (runs["seed"] == 1), "ace"] = np.nan
    found = inherits.means(runs)
    assert np.isnan(found.loc["cutmix", "ace"])
    assert found.loc["cutmix", "ece"] > 0
    assert inherits.relations(points(runs)).loc["inherits-ace", "n"] == 16


def test_blank_and_x_alone_are_no_points():
    runs = students(schemes=(*unseen.ALL, unseen.FOOL, "none"))
    assert set(points(runs)["scheme"]) == set(unseen.ALL)
    entropy = unseen.ranked("fewshot_rank").set_index("scheme")["entropy"]
    assert points(runs).set_index("scheme")["entropy"][list(NINE)].to_dict() == entropy[list(NINE)].to_dict()


def test_relations_are_spearmans_and_corrected_together():
    found = points(students(noise=1.5))
    table = inherits.relations(found)
    for claim, (number, other, _) in CLAIMS.items():
        assert table.loc[claim, "rho"] == pytest.approx(scipy_stats.spearmanr(found[number], found[other]).statistic)
    assert table["holm_p"].to_list() == stats.holm(table["p"]).tolist() != table["p"].to_list()
    accuracy = scipy_stats.spearmanr(found["ece"], found["test_accuracy"]).statistic
    assert table.loc["inherits-ece", "rho_accuracy"] == pytest.approx(accuracy)
    assert np.isnan(table.loc["inherits-strength", "rho_accuracy"])


def test_students_that_follow_have_the_signs_of_the_claims():
    table = inherits.relations(points(students()))
    assert {claim: np.sign(table.loc[claim, "rho"]) for claim in CLAIMS if claim != "inherits-strength"} == {
        claim: relation.sign for claim, relation in CLAIMS.items() if claim != "inherits-strength"
    }
    assert table.loc["inherits-strength", "rho"] > 0.9  # the strongest scheme follows best here


def test_changes_are_paired_by_seed():
    runs = students(schemes=("identity", "cutmix", "none"))
    runs["agreement"] += 50.0 * runs["seed"]
    wide = runs.pivot_table(index="seed", columns="scheme", values="agreement")
    gap = wide["cutmix"] - wide["identity"]
    table = inherits.changes(runs)
    assert list(table.index) == ["x alone", "CutMix"]
    mean, low, high = (float(word.strip("()")) for word in table.loc["CutMix", "agreement (%)"].split() if word != "to")
    assert mean == pytest.approx(gap.mean(), abs=0.006)
    half = scipy_stats.t.ppf(0.975, 2) * gap.std(ddof=1) / 3**0.5
    assert (low, high) == pytest.approx((gap.mean() - half, gap.mean() + half), abs=0.006)


def test_a_scheme_without_two_pairs_has_no_change():
    runs = students(schemes=("identity", "cutmix", "mixup"))
    runs.loc[runs["scheme"] == "identity", "ace"] = np.nan
    runs = runs[(runs["scheme"] != "mixup") | (runs["seed"] == 0)]
    table = inherits.changes(runs)
    assert list(table.index) == ["CutMix"]
    assert table.loc["CutMix", "ACE (%)"] == "–"


def test_the_table_is_sorted_by_loss_and_names_x_alone():
    table = inherits.table(students(schemes=("identity", "cutmix", "none")))
    assert set(table.index) == {"Identity", "CutMix", "x alone"}
    assert list(table["S. test loss (nats)"]) == sorted(table["S. test loss (nats)"])


def test_the_teacher_speaks_once_it_is_recorded(monkeypatch):
    monkeypatch.setattr(inherits.recorded_runs, "recorded_names", list)
    assert "not recorded yet" in inherits.teacher_in_words()
    facts = {"teacher_accuracy": 68.83, "teacher_ece": 9.96, "teacher_ace": 0.251}
    monkeypatch.setattr(inherits.recorded_runs, "recorded_names", lambda: [inherits.TEACHER])
    monkeypatch.setattr(inherits.recorded_runs, "recorded_provenance", lambda name: facts)
    assert "accuracy 68.8 %, ECE 10.0 %, ACE 0.25 %" in inherits.teacher_in_words()


def test_the_chart_has_a_row_per_scheme_in_each_panel_the_best_on_top():
    found = points(students()).sort_values("test_loss", ascending=False)
    for ax, number in zip(inherits.chart(found).axes, ("test_loss", "agreement", "ece"), strict=True):
        (line,) = ax.lines
        assert list(line.get_ydata(orig=True)) == [tables.scheme_label(name) for name in found["scheme"]]
        assert list(line.get_xdata()) == list(found[number])


def test_what_a_sweep_has_made_is_read_from_the_store(monkeypatch):
    result = RunResult(
        test_loss=1.5,
        test_accuracy=60,
        ece=10,
        ace=2,
        agreement=70,
        teacher_kl=0.5,
        train_losses=[],
        weights_sha256="0" * 64,
    )
    monkeypatch.setattr(inherits, "run", lambda spec: result)
    specs = [RunSpec(dataset="digits", student="tiny", teacher="tiny", scheme=name) for name in ("cutmix", "mixup")]
    found = inherits.made(specs)
    assert found["scheme"].tolist() == ["cutmix", "mixup"]
    assert set(found) == {"scheme", "seed", "test_loss", "test_accuracy", *NUMBERS}
    assert inherits.means(found, seeds=1).loc["mixup", "teacher_kl"] == 0.5
