"""The evidence matrix: which kind of evidence looked at each claim, what it says, and which one decides."""

import pandas as pd
from matplotlib.lines import Line2D

from kdutils.plots.theme import INK, Chart, style

LOOKS = {
    "holds": ("#287d3c", "$\\checkmark$"),
    "partly": ("#8a6100", "$\\sim$"),
    "fails": ("#c0182a", "$\\times$"),
    "cannot tell": ("#5c5c5c", "?"),
}
"""Word -> colour and sign."""
WIDTH = 4.7  # inches: a phone shows it at nearly this size, so that the labels are legible there
ROW = 0.19


@style()
def evidence_matrix(frame: pd.DataFrame, claims: pd.DataFrame, kinds: dict[str, str]) -> Chart:
    """A row per claim (`claims`: topic, id), a column per title of a kind of evidence (kind -> title).

    `frame` has a row per claim and kind that looked: claim, by, says, decides, short. What decides is filled; what does
    not is hollow, and small if it falls short of the claim.
    """
    places, labels = _places(claims)
    chart = Chart(figsize=(WIDTH, ROW * (max(places.values()) + 2) + 1.1), layout="constrained")
    ax = chart.subplots()
    titles = list(dict.fromkeys(kinds.values()))
    columns = {kind: titles.index(title) for kind, title in kinds.items()}
    for row in frame[frame["by"].isin(columns) & frame["says"].isin(LOOKS)].itertuples():
        colour, sign = LOOKS[row.says]
        x, y = columns[row.by], places[row.claim]
        size = 60 if row.short else 130
        ax.scatter(x, y, size, color=colour if row.decides else "none", edgecolor=colour, marker="s", lw=1.2)
        ax.text(x, y, sign, color="white" if row.decides else colour, fontsize=8, ha="center", va="center_baseline")
    for y in places.values():
        ax.axhline(y, color="#dededa", lw=0.6, zorder=0)
    ax.set_xlim(-0.6, len(titles) - 0.4)
    ax.set_ylim(max(places.values()) + 0.8, -0.8)
    ax.set_xticks(range(len(titles)), titles, fontsize=7.5)
    ax.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    ax.tick_params(axis="y", length=0)
    ax.set_yticks([y for y, _, _ in labels], [text for _, text, _ in labels], fontsize=8.5)
    for tick, (_, _, head) in zip(ax.get_yticklabels(), labels, strict=True):
        tick.set_fontweight("bold" if head else "normal")
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    _legend(chart)
    return chart


def _places(claims: pd.DataFrame) -> tuple[dict[str, int], list[tuple[int, str, bool]]]:
    """Claim -> its row, and the labels of all rows: (row, text, whether it is a topic's)."""
    places: dict[str, int] = {}
    labels: list[tuple[int, str, bool]] = []
    row = 0
    for topic, group in claims.groupby("topic", sort=False):
        labels.append((row, topic, True))
        for name in group["id"]:
            row += 1
            places[name] = row
            labels.append((row, name.replace("-", " "), False))
        row += 1
    return places, labels


def _legend(chart: Chart) -> None:
    """What the squares mean."""
    marks = [Line2D([], [], ls="", marker="s", ms=8, color=colour, label=word) for word, (colour, _) in LOOKS.items()]
    marks += [
        Line2D([], [], ls="", marker="s", ms=8, mfc="none", color=INK, label="looked, does not decide"),
        Line2D([], [], ls="", marker="s", ms=5, mfc="none", color=INK, label="falls short of the claim"),
    ]
    chart.legend(handles=marks, loc="outside lower center", ncols=2, fontsize=9)
