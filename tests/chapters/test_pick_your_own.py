"""What a choice by T. stddev costs, beside always taking one scheme, and the ladder of a ranking."""

import pandas as pd
import pytest
import torch

from kdutils import paper
from kdutils.augment import SCHEMES
from kdutils.chapters import pick_your_own
from kdutils.metrics import Ranking, told_apart
from kdutils.metrics.ranking import Row
from kdutils.report import few_shot

NINE, SEVEN = pick_your_own.ALWAYS


def test_the_ladder_starts_at_the_best() -> None:
    base = torch.rand(60, 4, generator=torch.Generator().manual_seed(0))
    found = Ranking({name: Row(SCHEMES[name]) for name in ("cutmix", "identity")}, 640)
    for name, factor in (("cutmix", 1), ("identity", 2)):
        for vector in factor * base:
            found.rows[name].u.add(vector)
    frame = pd.DataFrame([{"scheme": name, "t_stddev": row.u.stddev()} for name, row in found.rows.items()])
    chart = pick_your_own.ladder(frame, told_apart(found))
    assert [label.get_text() for label in chart.axes[0].get_yticklabels()][-1] == "Identity"


def pair(name: str, t_stddev: dict[str, float], loss: dict[str, float]) -> pd.DataFrame:
    rows = {"scheme": list(loss), "t_stddev": [t_stddev[s] for s in loss], "test_loss": list(loss.values())}
    return pd.DataFrame(rows).assign(dataset="cifar100", pair=name)


T_STDDEV = {"identity": 5.0, "autoaugment": 4.0, "cutmix": 3.0, "cutmixpick_t": 2.0}
POINTS = pd.concat(
    [
        pair("a/b", T_STDDEV, {"identity": 0.9, "autoaugment": 0.5, "cutmix": 0.7, "cutmixpick_t": 0.6}),
        pair("c/d", T_STDDEV | {"autoaugment": 2.5}, dict(zip(T_STDDEV, (0.9, 0.5, 0.7, 0.4), strict=True))),
    ]
)


def test_a_choice_costs_what_the_best_scheme_would_have_saved() -> None:
    nine = pick_your_own.choices(POINTS, NINE).set_index("pair")
    assert nine.loc["a/b", ["chosen", "best"]].tolist() == ["cutmixpick_t", "autoaugment"]
    assert nine["regret"].tolist() == pytest.approx([0.1, 0.0])
    assert nine["gain"].tolist() == pytest.approx([0.675 - 0.6, 0.625 - 0.4])
    seven = pick_your_own.choices(POINTS, SEVEN).set_index("pair")
    assert seven["chosen"].tolist() == ["cutmix", "autoaugment"], "the picks are no choice here"
    assert seven["regret"].tolist() == pytest.approx([0.2, 0.0])
    assert seven["regret_always"].tolist() == pytest.approx([0.2, 0.2])


def test_the_baseline_stands_beside_the_choice() -> None:
    table = pick_your_own.costs(POINTS)
    assert table["best chosen"].str[:6].tolist() == ["1 of 2", "1 of 2", "1 of 2", "0 of 2"]
    assert table["different choices"].tolist() == [1, 1, 2, 1]


def test_the_picture_fills_what_was_chosen() -> None:
    (ax,) = pick_your_own.regrets(POINTS, SEVEN).axes
    assert len(ax.lines) == 6
    filled = [line.get_xdata()[0] for line in ax.lines if line.get_markerfacecolor() != "none"]
    assert filled == pytest.approx([0.2, 0.0])


def test_verdicts_turn_with_the_published_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    def published() -> list[str]:
        return [v.found("published")[0].says for v in pick_your_own.verdicts("cutmix", "digits", "quick")]

    assert published() == ["holds", "cannot tell"]
    turned = paper.pairs().assign(test_loss=lambda frame: -frame["test_loss"])
    monkeypatch.setattr(paper, "pairs", lambda: turned)
    assert published()[0] == "fails"


def test_our_pairs_decide_when_they_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [POINTS[POINTS["pair"] == "c/d"].assign(pair=f"t{i}/s{i}", n=2) for i in range(8)]
    monkeypatch.setattr(few_shot, "points", lambda: pd.concat(pairs))
    monkeypatch.setattr(few_shot, "pairs_short_of", lambda: "")
    verdict = pick_your_own.verdicts("cutmix", "digits", "quick")[0]
    assert (verdict.holds, verdict.decided_by) == ("holds", "photographs")
    assert verdict.found("digits")[0].short_of
    monkeypatch.setattr(few_shot, "pairs_short_of", lambda: "10 of 90 runs recorded")
    assert pick_your_own.verdicts("cutmix", "digits", "quick")[0].decided_by == "published"
