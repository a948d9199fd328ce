"""The look of the book's figures: one style, one colour and marker per scheme.

A `Chart` is a matplotlib `Figure` outside pyplot's list: it shows itself once, as SVG, when it is the last value of a
cell, and needs no closing. Figures stand on a near-white panel of their own, because the book's dark mode dims pictures
but does not redraw them.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import matplotlib as mpl
import seaborn as sns
from matplotlib.figure import Figure

PANEL = "#fcfcfa"
INK = "#262626"
ACCENT = "#c0182a"  # what the reader must not miss: a panel that is not significant, an optimum
COLOURS = ("#1f6fb4", "#c24e00", "#287d3c", "#8e3fa8", "#8a6100", "#5c5c5c", "#b3246b", "#0f7f86")
WIDTH = 6.4  # inches; with 12 pt letters still legible when a phone shrinks it to 340 pixels

STYLE = {
    **sns.axes_style("whitegrid"),
    "figure.facecolor": PANEL,
    "savefig.facecolor": PANEL,
    "axes.facecolor": PANEL,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": "#dededa",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "axes.formatter.use_mathtext": True,
    "svg.hashsalt": "kdutils",  # the same data give the same file
}


class Mark(NamedTuple):
    """How a scheme is drawn everywhere: its colour and its marker."""

    colour: str
    marker: str


SCHEME_MARKS = {
    "identity": Mark("#5c5c5c", "o"),
    "flip": Mark("#3a7fc4", "s"),
    "crop_flip": Mark("#17407d", "D"),
    "cutout": Mark("#12868a", "v"),
    "autoaugment": Mark("#2f7d32", "^"),
    "mixup": Mark("#9a6b00", "P"),
    "cutmix": Mark("#cf4f00", "X"),
    "cutmixpick_s": Mark("#b0429c", "<"),
    "cutmixpick_t": Mark("#8c1230", "*"),
}
OWN_SCHEME = Mark("#262626", "h")


class Chart(Figure):
    """A figure that notebooks show as SVG, whatever their matplotlib backend."""

    def _repr_svg_(self) -> str:
        text = io.StringIO()
        with style():
            self.savefig(text, format="svg", metadata={"Date": None})
        return text.getvalue()


@contextmanager
def style() -> Iterator[None]:
    """The book's look for everything drawn inside; also a decorator. Nothing outside changes."""
    with mpl.rc_context(STYLE):
        yield


def mark(scheme: str) -> Mark:
    """A scheme's colour and marker; one common mark for all schemes that are not the paper's."""
    return SCHEME_MARKS.get(scheme, OWN_SCHEME)
