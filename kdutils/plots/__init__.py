"""The book's figures, and the look that they share."""

from kdutils.plots.evidence import evidence_matrix
from kdutils.plots.figures import (
    ANATOMY,
    METHOD_LABELS,
    anatomy_bars,
    bars_with_errors,
    image_grid,
    lines_with_bands,
    ranking,
    scatter_panels,
    scatter_with_fit,
)
from kdutils.plots.theme import ACCENT, COLOURS, INK, OWN_SCHEME, PANEL, SCHEME_MARKS, WIDTH, Chart, Mark, mark, style

__all__ = [
    "ACCENT",
    "ANATOMY",
    "COLOURS",
    "INK",
    "METHOD_LABELS",
    "OWN_SCHEME",
    "PANEL",
    "SCHEME_MARKS",
    "WIDTH",
    "Chart",
    "Mark",
    "anatomy_bars",
    "bars_with_errors",
    "evidence_matrix",
    "image_grid",
    "lines_with_bands",
    "mark",
    "ranking",
    "scatter_panels",
    "scatter_with_fit",
    "style",
]
