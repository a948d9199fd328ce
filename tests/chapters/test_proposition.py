"""The proposition's figures show the numbers they are given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import BarContainer, ErrorbarContainer

from kdutils import theory
from kdutils.chapters import proposition


@pytest.fixture(scope="module")
def losses() -> np.ndarray:
    return np.random.default_rng(0).gamma(0.3, size=200)


@pytest.fixture(scope="module")
def curves(losses) -> pd.DataFrame:
    return theory.gap_curves(losses, 8, [0, 0.5, 1], 200, seed=0)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """What `risk.bias_and_variance` gives, for two schemes."""
    columns = {"variance": (4e-4, 9e-4), "bias": (0.0, -0.25), "squared_bias": (-1e-6, 0.0625), "gap": (4e-4, 0.0634)}
    columns |= {"variance_ratio": (1.0, 2.25)} | {f"{name}_se": (0.0, 1e-4) for name in ("bias", "squared_bias")}
    columns |= {"variance_se": (4e-5, 6e-5), "variance_ratio_se": (0.0, 0.31)}
    return pd.DataFrame({"scheme": ["identity", "cutmix"], **columns})


def dots(ax) -> np.ndarray:
    """The simulated points of a panel, [points, 2]."""
    found = [c.lines[0].get_xydata() for c in ax.containers if isinstance(c, ErrorbarContainer)]
    return np.concatenate(found)


def test_both_panels_show_every_simulated_gap(curves, losses):
    left, right = proposition.gap_lines(curves, losses, 8).axes
    assert dots(left) == pytest.approx(curves[["rho", "simulated"]].to_numpy())
    assert dots(right)[:, 1] == pytest.approx(curves["simulated"].to_numpy())


def test_the_lines_are_eq_7_in_both_panels(curves, losses):
    left, right = proposition.gap_lines(curves, losses, 8).axes
    lines = {line.get_label(): line.get_xydata() for line in left.lines if not line.get_label().startswith("_")}
    for name, curve in curves.groupby("structure"):
        line = lines[theory.STRUCTURES[name].label]
        assert np.interp(curve["rho"], *line.T) == pytest.approx(curve["exact"].to_numpy())
    (one,) = [line.get_xydata() for line in right.lines if len(line.get_xdata()) == 2]
    inflation = dots(right)[:, 0]
    assert np.interp(inflation, *one.T) == pytest.approx(curves["exact"].to_numpy())


def test_spread_and_bias_are_bars_in_nats(table):
    chart = proposition.spread_and_bias(table)
    spread, bias = [c for c in chart.axes[0].containers if isinstance(c, BarContainer)]
    assert [bar.get_width() for bar in spread] == pytest.approx([0.02, 0.03])
    assert [bar.get_width() for bar in bias] == pytest.approx([0, -0.25])
    ends = spread.errorbar.lines[2][0].get_segments()
    assert [(b[0] - a[0]) / 2 for a, b in ends] == pytest.approx([0.001, 0.001])  # d sqrt(v) = dv / (2 sqrt(v))


def test_the_course_follows_each_scheme_over_the_predictors(table):
    doubled = {name: 2 * table[name] for name in ("variance_ratio", "bias")}
    chart = proposition.course(
        pd.concat([table.assign(predictor="blind"), table.assign(predictor="teacher", **doubled)])
    )
    for ax, column in zip(chart.axes, ("variance_ratio", "bias"), strict=True):
        drawn = [each.lines[0].get_ydata() for each in ax.containers if isinstance(each, ErrorbarContainer)]
        assert np.array(drawn) == pytest.approx(np.outer(table[column], [1, 2]))
    assert [text.get_text() for text in chart.axes[1].get_xticklabels()] == ["blind", "teacher"]


def test_the_table_gives_every_number_its_error(table):
    shown = proposition.parts_table(table)
    assert list(shown.index) == ["Identity", "CutMix"]
    assert list(shown.loc["CutMix"]) == ["0.900 ± 0.060", "2.25 ± 0.31", "-250.00 ± 0.10", "99%"]
    assert shown.loc["Identity"].iloc[-1] == "0%"  # a negative estimate of a square is no share


def test_the_theorem_decides_and_the_simulation_stands_beside(losses):
    curves = theory.gap_curves(losses, 8, [0, 0.5, 1], 5000, seed=0)
    (found,) = proposition.verdicts(curves, "digits", "quick")
    assert (found.claim_ids, found.holds, found.decided_by) == (("proposition",), "holds", "theorem")
    assert found.found("digits")[0].says == "holds"
    off = proposition.simulated(curves.assign(z=5.0), "digits", "quick")
    assert off.says == "fails", "off the line"
    flat = proposition.simulated(curves.assign(simulated=1.0), "digits", "quick")
    assert flat.says == "fails", "no growth"
    assert proposition.verdicts(curves.assign(exact=1.0), "digits", "quick")[0].holds == "fails"


def test_the_sentence_counts_the_schemes_with_a_larger_gap(table):
    frame = pd.concat(
        [table, table.tail(1).assign(scheme="cutmixpick_t", gap=0.5), table.head(1).assign(scheme="flip")]
    )
    text = proposition.in_words(frame)
    assert "Under CutMix the squared bias makes up 99% of the gap." in text
    assert "2 of 3 schemes have a larger gap than Identity; the largest is that of CutMixPick (T. ent.)." in text


def test_departures_are_shown_by_structure(curves):
    shown = proposition.z_table(curves)
    assert list(shown.columns) == ["neighbours, AR(1)", "every two elements", "pairs, as Identity makes them"]
    row = curves[(curves["structure"] == "ar1") & (curves["rho"] == 0.5)].iloc[0]
    assert shown.loc[0.5, "neighbours, AR(1)"] == f"{row['z']:+.2f}"
