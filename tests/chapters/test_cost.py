"""What a KD experiment costs: counts against those of the networks alone, shares and sums against plain arithmetic."""

import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from kdutils import models, paper
from kdutils.bench import paper_costs
from kdutils.chapters import cost
from kdutils.errors import UserError
from kdutils.sweep.estimate import Cost


@pytest.fixture(scope="module")
def grid() -> pd.DataFrame:
    return cost.recorded()


def forward_flops(name: str, images: int) -> int:
    """Of a network on that many images of CIFAR-100."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        models.build(name, 100, 32).eval()(torch.empty(images, 3, 32, 32))
    return counter.get_total_flops()


def test_recorded_counts_are_those_of_the_networks(grid: pd.DataFrame) -> None:
    """A forward pass of the teacher; the student's, and twice as much backward, but for the images' gradient."""
    steps = cost.experiments(grid).set_index(["pair", "views"])["step_gflops"] * 1e9
    teacher, student = forward_flops("resnet56", 64), forward_flops("resnet20", 64)
    stem = 2 * 64 * 16 * 3 * 9 * 32**2
    alone = teacher + 3 * student - stem
    assert steps["resnet56/resnet20", "x"] == pytest.approx(alone)
    assert steps["resnet56/resnet20", "x, x'"] == pytest.approx(2 * alone)
    picking = 3 * teacher + 2 * (3 * student - stem)
    assert steps["resnet56/resnet20", "x, pool"] == pytest.approx(picking)


def test_experiments_are_those_of_the_tables_and_the_heaviest_pair_is_last(grid: pd.DataFrame) -> None:
    kinds = cost.experiments(grid)
    published = paper.pairs()
    assert set(kinds["pair"]) == set(published.loc[published["dataset"] == "cifar100", "pair"])
    assert not kinds.duplicated(["pair", "views"]).any()
    assert kinds["pair"].iloc[-1] == kinds.loc[kinds["pflops"].idxmax(), "pair"]
    assert (kinds["pflops"] * 1e6 / kinds["step_gflops"]).to_numpy() == pytest.approx(240 * 50_000 / 64)


def test_the_stated_hours_are_read_from_the_claim() -> None:
    assert cost.said_hours() == [2.0, 6.0]
    assert cost.said_hours("tinyimagenet") == [24.0]


def test_work_at_the_peak_for_the_whole_time_is_a_share_of_one() -> None:
    day = pd.Series([cost.PEAK * 24 * 3600 / 1e15])
    assert cost.share_of_peak(day, 24)[0] == pytest.approx(1)
    assert cost.share_of_peak(day, 48)[0] == pytest.approx(0.5)
    assert abs(cost.PEAK - 13.45e12) < 0.01e12


def test_resnet50_s_share_follows_from_its_published_size() -> None:
    multiply_adds = 4.09e9  # of a forward pass at 224 x 224, as torchvision documents it
    assert cost.resnet50_share() == pytest.approx(3 * 2 * multiply_adds * cost.RESNET50_RATE / cost.PEAK, rel=0.02)


@pytest.mark.parametrize(
    ("shares", "holds"),
    [([0.1, 0.4], "cannot tell"), ([0.1, 0.6], "partly"), ([0.1, 1.1], "fails"), ([0.5, 1.0], "partly")],
)
def test_a_count_refutes_or_casts_doubt_and_never_confirms(shares: list[float], holds: str) -> None:
    assert cost.judge(pd.Series(shares), reached=0.5) == holds


def test_what_is_timed_here_is_set_beside_the_recording(grid: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    old = grid[(grid["dataset"] == "cifar100") & (grid["method"] == "kd")].set_index(["pair", "views"])

    def step(kind: dict[str, str], timed_steps: int) -> Cost:
        row = old.loc[(f"{kind['teacher']}/{kind['student']}", kind["views"])]
        slower = {"x, x'": 4.0, "x, pool": 1.0}[kind["views"]]
        return Cost(slower * row["step_seconds"], 1e9 * row["step_gflops"], 782)

    monkeypatch.setattr(paper_costs, "step", step)
    here = cost.measure(["wrn_40_2/vgg8"], 1, grid)  # which the paper distils with schemes only
    assert here["seconds_ratio"].tolist() == pytest.approx([4, 1])
    assert here["gflops_ratio"].tolist() == pytest.approx([1, 1])
    assert cost.slowness(here) == pytest.approx(2)
    with pytest.raises(UserError, match="Did you mean 'resnet56/resnet20'"):
        cost.measure(["resnet56/resnet2"], 1, grid)


def test_a_step_is_really_timed_and_counted(grid: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """With few images, to which FLOPs are proportional."""
    spec, few = paper_costs._spec, paper_costs.FEW
    monkeypatch.setattr(paper_costs, "_spec", lambda kind: spec(kind, few))
    here = cost.measure(["resnet56/resnet20"], 1, grid)
    assert here["views"].tolist() == list(cost.VIEWS)
    assert here["gflops_ratio"].tolist() == pytest.approx([few / paper_costs.BATCH] * 3)
    assert here["step_seconds"].gt(0).all()


def test_hours_of_one_experiment_are_the_grid_s_a_run_of_240_epochs(grid: pd.DataFrame) -> None:
    row = grid.query("dataset == 'cifar100' and pair == 'vgg13/vgg8' and method == 'kd' and views == 'x'").iloc[0]
    assert cost.hours_of_one(grid, 2.0).loc["vgg13/vgg8", "KD"] == pytest.approx(2 * row["hours"] / row["epochs"] * 240)


def test_the_full_paper_adds_up(grid: pd.DataFrame) -> None:
    whole = cost.full_paper(grid, 3.0)
    last = whole.loc[("both", "all", "")]
    assert last["runs"] == grid["runs"].sum() == whole["runs"].sum() / 2
    assert last["hours"] == pytest.approx(grid["hours"].sum())
    assert last["hours_here"] == pytest.approx(3 * grid["hours"].sum())
    shown = cost.full_paper_table(whole)
    assert (
        shown.iloc[-1]["hours here"] == f"{round(3 * grid['hours'].sum(), -len(str(int(last['hours_here']))) + 2):,.0f}"
    )
    assert whole.loc[("CIFAR-100", "ce", "x"), "epochs"] == 6 * 3 * 240  # six students alone, three times each
    assert sum(len(cost.kinds_of(grid, name)) for name in cost.DATASETS) == len(grid)


def test_bars_span_the_shares_of_both_times(grid: pd.DataFrame) -> None:
    kinds = cost.experiments(grid)
    ax = cost.share_bars(kinds, (2, 6), 0.5).axes[0]
    bars = [bar for group in ax.containers for bar in group]
    assert len(bars) == len(kinds)
    assert [(bar.get_x() + bar.get_width()) / bar.get_x() for bar in bars] == pytest.approx([3] * len(bars))
    assert max(bar.get_x() for bar in bars) == pytest.approx(100 * cost.share_of_peak(kinds["pflops"], 6).max())
    assert ax.get_yticklabels()[-1].get_text() == kinds["pair"].iloc[-1]


def test_step_times_show_the_recording_and_this_run(grid: pd.DataFrame) -> None:
    here = pd.DataFrame({"step_gflops": [30.0, 60.0], "step_seconds": [1.0, 2.0]})
    line, recorded, now = cost.step_times(grid, here).axes[0].lines
    assert len(recorded.get_xdata()) == (grid["dataset"] == "cifar100").sum()
    assert list(now.get_ydata()) == [1, 2]
    x, y = line.get_data()
    assert x[1] / y[1] == pytest.approx(x[0] / y[0])


def test_the_count_gives_the_verdict_and_the_sentence_says_how_times_were_taken(grid: pd.DataFrame) -> None:
    kinds = cost.experiments(grid)
    found, tiny = cost.verdicts(grid, cost.resnet50_share())
    assert (tiny.holds, tiny.claim_ids) == ("partly", ("cheap-tinyimagenet",))
    assert (found.holds, found.decided_by, found.n) == (
        "cannot tell",
        "arithmetic",
        f"{len(kinds)} kinds of experiment",
    )
    heavy = grid.assign(step_gflops=100 * grid["step_gflops"])
    assert [each.holds for each in cost.verdicts(heavy, 0.5)] == ["fails", "fails"]
    here = pd.DataFrame({"seconds_ratio": [2.0, 8.0], "gflops_ratio": [1.0, 1.001]})
    text = cost.clock_in_words(here, 1)
    assert "then 1 that is timed, with one thread" in text
    assert "Here a step takes 4.00 times as long as there, from 2.00 to 8.00 by kind" in text
    assert cost.about(889_182) == "890,000"


def test_tables_have_a_row_for_each_kind(grid: pd.DataFrame) -> None:
    counted = cost.counted_table(cost.experiments(grid))
    assert counted.loc["wrn_40_2/vgg8", "KD: GFLOPs per step"] == "–", "the paper distils this pair with schemes only"
    assert len(cost.kinds_of(grid, "cifar100")) == (grid["dataset"] == "cifar100").sum()
