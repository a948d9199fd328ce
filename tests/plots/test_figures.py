"""Figures hold the data they were given, leave matplotlib as they found it, and can be read."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex, to_rgb
from matplotlib.container import ErrorbarContainer

from kdutils import paper, plots, stats
from kdutils.errors import UserError


@pytest.fixture(scope="module")
def pair():
    frame = paper.pairs()
    return frame[(frame["dataset"] == "cifar100") & (frame["pair"] == "resnet56/resnet20")]


def line(ax, label):
    """The x and y of the line drawn under `label`."""
    (found,) = [each for each in ax.get_lines() if each.get_label() == label]
    return np.array(found.get_xdata(), float), np.array(found.get_ydata(), float)


def markers(ax):
    """Scheme -> the container of its points and error bars."""
    return {each.get_label(): each for each in ax.containers if isinstance(each, ErrorbarContainer)}


def contrast(one, two):
    """Contrast ratio of two colours, as WCAG 2 defines it."""

    def luminance(colour):
        channels = np.array(to_rgb(colour))
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    low, high = sorted([luminance(one), luminance(two)])
    return (high + 0.05) / (low + 0.05)


def test_scatter_draws_every_point_in_its_schemes_colour(pair):
    (ax,) = plots.scatter_with_fit(pair, x_error="t_stddev_std", y_error="test_loss_std").axes
    drawn = markers(ax)
    assert set(drawn) == set(pair["scheme"])
    for row in pair.itertuples():
        points, _, (across, up) = drawn[row.scheme].lines
        assert (points.get_xdata().item(), points.get_ydata().item()) == (row.t_stddev, row.test_loss)
        assert to_hex(points.get_color()) == plots.SCHEME_MARKS[row.scheme].colour
        ends = row.test_loss - row.test_loss_std, row.test_loss + row.test_loss_std
        assert up.get_segments()[0][:, 1] == pytest.approx(ends)
        ends = row.t_stddev - row.t_stddev_std, row.t_stddev + row.t_stddev_std
        assert across.get_segments()[0][:, 0] == pytest.approx(ends)


def test_scatter_draws_the_fitted_line_and_its_band(pair):
    (ax,) = plots.scatter_with_fit(pair).axes
    x, y = line(ax, "_line")
    expected = stats.fit_line(pair["t_stddev"], pair["test_loss"], x)
    np.testing.assert_allclose(y, expected["y"])
    assert (x[0], x[-1]) == (pair["t_stddev"].min(), pair["t_stddev"].max())
    (band,) = [each for each in ax.collections if each.get_label() == "_band"]
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((expected["low"].min(), expected["high"].max()))


def test_scatter_says_the_coefficients_and_n(pair):
    (ax,) = plots.scatter_with_fit(pair).axes
    assert ax.get_title().startswith("9 points, Pearson r = 0.94 (p < 0.001)\n")
    for method, name in plots.METHOD_LABELS.items():
        assert f"{name} = {stats.correlation(pair['t_stddev'], pair['test_loss'], method).r:.2f}" in ax.get_title()


def test_legend_lists_the_papers_schemes_in_order_and_then_the_readers_own(pair):
    own = pair.tail(1).assign(scheme="my_scheme")
    chart = plots.scatter_with_fit(pd.concat([own, pair[::-1]]))
    assert [text.get_text() for text in chart.legends[0].texts] == [*paper.SCHEME_LABELS.values(), "my_scheme"]


def test_panels_hold_a_group_each_and_mark_the_one_that_is_not_significant():
    frame = paper.pairs()
    chart = plots.scatter_panels(frame, ["dataset", "pair"])
    groups = list(frame.groupby(["dataset", "pair"], sort=False))
    assert len(chart.axes) == len(groups) == 18
    for ax, (key, group) in zip(chart.axes, groups, strict=True):
        assert ax.get_title().startswith("\n".join(key))
        points = [markers(ax)[scheme].lines[0] for scheme in group["scheme"]]
        assert [point.get_xdata().item() for point in points] == list(group["t_stddev"])
        assert [point.get_ydata().item() for point in points] == list(group["test_loss"])
    red = [ax.get_title().split("\n")[:2] for ax in chart.axes if ax.title.get_color() == plots.ACCENT]
    assert red == [["tinyimagenet", "resnet56/ShuffleV2"]]


def test_unused_panels_are_hidden():
    frame = paper.pairs(large=True)
    chart = plots.scatter_panels(frame, ["dataset"])
    assert [ax.get_visible() for ax in chart.axes] == [True, True, False]


def test_bars_are_the_values_and_errors_from_top_to_bottom(pair):
    (ax,) = plots.bars_with_errors(pair, "t_stddev", "t_stddev_std", label="T. stddev").axes
    assert [bar.get_width() for bar in ax.patches] == list(pair["t_stddev"])
    assert [to_hex(bar.get_facecolor()) for bar in ax.patches] == [plots.mark(name).colour for name in pair["scheme"]]
    assert [text.get_text() for text in ax.get_yticklabels()] == list(paper.SCHEME_LABELS.values())
    assert ax.yaxis.get_inverted()
    (errors,) = ax.collections
    lengths = [np.ptp(segment[:, 0]) / 2 for segment in errors.get_segments()]
    assert lengths == pytest.approx(list(pair["t_stddev_std"]))


def test_grouped_bars_keep_their_place_where_a_value_is_missing():
    frame = pd.DataFrame(
        {"scheme": ["cutmix", "mixup", "cutmix"], "run": ["ours", "ours", "paper"], "value": [1.0, 2.0, 3.0]}
    )
    chart = plots.bars_with_errors(frame, "value", hue="run")
    (ax,) = chart.axes
    widths = [bar.get_width() for bar in ax.patches]
    np.testing.assert_equal(widths, [1.0, 2.0, 3.0, np.nan])
    assert [bar.get_y() + bar.get_height() / 2 for bar in ax.patches] == pytest.approx([-0.2, 0.8, 0.2, 1.2])
    assert [text.get_text() for text in chart.legends[0].texts] == ["ours", "paper"]


def test_bars_refuse_two_values_for_one_scheme(pair):
    with pytest.raises(UserError, match="more than one row per scheme"):
        plots.bars_with_errors(pd.concat([pair, pair]), "t_stddev")


@pytest.fixture
def curves():
    values = {("KD", 1): (3, 5), ("KD", 2): (2, 2), ("CE", 1): (4, 6), ("CE", 2): (7, 9)}
    rows = [(run, epochs, value) for (run, epochs), pair in values.items() for value in pair]
    return pd.DataFrame(rows, columns=["run", "epochs", "error"])


def test_lines_are_means_and_bands_one_standard_deviation(curves):
    chart = plots.lines_with_bands(curves, "epochs", "error", "run")
    (ax,) = chart.axes
    np.testing.assert_allclose([each.get_ydata() for each in ax.get_lines() if len(each.get_xdata())], [[4, 2], [5, 8]])
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((2, 4 + 2**0.5))
    assert [text.get_text() for text in chart.legends[0].texts] == ["KD", "CE"]


def test_the_lowest_mean_of_each_line_is_ringed(curves):
    (ax,) = plots.lines_with_bands(curves, "epochs", "error", "run", mark_minimum=True).axes
    rings = [each for each in ax.get_lines() if each.get_label() == "_minimum"]
    assert [(ring.get_xdata().item(), ring.get_ydata().item()) for ring in rings] == [(2, 2), (1, 5)]


def test_more_lines_than_colours_are_refused():
    frame = pd.DataFrame({"run": range(9), "epochs": 1, "error": 1.0})
    with pytest.raises(UserError, match="at most 8 lines"):
        plots.lines_with_bands(frame, "epochs", "error", "run")


def test_anatomy_stacks_the_parts_and_marks_their_sum():
    parts = [[3.0, 2.0], [1.0, -0.5], [-0.25, -0.25]]
    frame = pd.DataFrame({"scheme": ["identity", "cutmix"], **dict(zip(plots.ANATOMY, parts, strict=True))})
    (ax,) = plots.anatomy_bars(frame).axes
    widths = np.array([bar.get_width() for bar in ax.patches]).reshape(3, 2)
    starts = np.array([bar.get_x() for bar in ax.patches]).reshape(3, 2)
    np.testing.assert_allclose(widths, parts)
    np.testing.assert_allclose(np.minimum(starts, starts + widths), [[0, 0], [3, -0.5], [-0.25, -0.75]])
    np.testing.assert_allclose(line(ax, "sum: Var(u)")[0], np.sum(parts, axis=0))


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_image_grid_shows_the_pixels_row_by_row(make):
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 6), dtype=np.uint8)
    chart = plots.image_grid(make(images), list("abcde"), columns=3, row_labels=["one", "two"])
    shown = [ax for ax in chart.axes if ax.images]
    assert [ax.get_title() for ax in shown] == list("abcde")
    for ax, image in zip(shown, images, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), image.transpose(1, 2, 0))
    assert [ax.get_ylabel() for ax in chart.axes] == ["one", "", "", "two", "", ""]


def test_image_grid_clips_instead_of_wrapping_round():
    chart = plots.image_grid(np.array([-3.0, 300.0]).repeat(3 * 4).reshape(2, 3, 2, 2))
    assert [set(np.ravel(ax.images[0].get_array())) for ax in chart.axes[:2]] == [{0}, {255}]


def test_image_grid_refuses_titles_that_do_not_fit():
    with pytest.raises(UserError, match="2 images in 1 rows, but 3 titles"):
        plots.image_grid(np.zeros((2, 3, 4, 4)), list("abc"))


def test_a_chart_shows_itself_as_the_same_svg_each_time(pair):
    one, two = (plots.scatter_with_fit(pair)._repr_svg_() for _ in range(2))
    assert one == two
    assert one.lstrip().startswith("<?xml")
    assert plots.PANEL in one  # an opaque panel: dark mode dims the figure but does not redraw it


def test_drawing_leaves_no_trace_in_matplotlib(pair):
    before = {**mpl.rcParams}
    plots.scatter_with_fit(pair)._repr_svg_()
    assert {**mpl.rcParams} == before
    assert plt.get_fignums() == []


def test_schemes_can_be_told_apart_and_everything_be_seen():
    assert list(plots.SCHEME_MARKS) == list(paper.SCHEME_LABELS)
    for part in zip(*plots.SCHEME_MARKS.values(), strict=True):
        assert len(set(part)) == 9
    drawn = [*(mark.colour for mark in plots.SCHEME_MARKS.values()), *plots.COLOURS, plots.ACCENT]
    assert min(contrast(colour, plots.PANEL) for colour in drawn) >= 3
    assert contrast(plots.INK, plots.PANEL) >= 7
    assert plots.mark("my_scheme") == plots.OWN_SCHEME


def test_a_ranking_goes_from_the_lowest_down_with_two_standard_errors():
    frame = pd.DataFrame(
        {"scheme": ["flip", "mine", "cutmixpick_s"], "t_stddev": [0.02, 0.01, np.nan], "t_stddev_se": 0.001}
    )
    (ax,) = plots.ranking(frame).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["mine", "Flip"]
    (ends,) = ax.containers[0].lines[2][0].get_segments()
    assert ends[:, 0] == pytest.approx([8, 12])
