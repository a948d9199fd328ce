"""Does distillation admit stronger schemes than cross-entropy, which must label x' itself (Sec. 4.1, A.4)?"""

import pandas as pd

from kdutils import plots, report, stats
from kdutils.chapters import combining

RULE = (
    "mean gain in test accuracy over the schemes: KD's above CE's by a paired t test over seeds, p < 5 % "
    "(below: fails; otherwise cannot tell)"
)


def gains(students: pd.DataFrame) -> pd.DataFrame:
    """What each scheme adds to CE and to KD on x alone: a row a scheme, method and seed.

    `students` has the columns method ("ce", "kd"), scheme ("none" among them), seed, test_accuracy and test_loss. Under
    CE x' has the labels that the scheme gives it. Columns: scheme, method, seed, accuracy_gain (percentage points),
    loss_gain (nats).
    """
    schemes = [name for name in students["scheme"].unique() if name != "none"]
    return pd.concat([combining.gains(students, name).assign(scheme=name) for name in schemes], ignore_index=True)


def means(gained: pd.DataFrame) -> pd.DataFrame:
    """The mean gain in accuracy a scheme and method, its standard deviation over seeds, and their number."""
    by = gained.groupby(["scheme", "method"], sort=False)["accuracy_gain"]
    return by.agg(["mean", "std", "count"]).reset_index()


def bars(gained: pd.DataFrame) -> plots.Chart:
    """`means` as bars, CE beside KD."""
    label = "gain in test accuracy over x alone (percentage points)"
    table = means(gained).assign(method=lambda rows: rows["method"].str.upper())
    return plots.bars_with_errors(table, "mean", error="std", hue="method", label=label)


def freedom(gained: pd.DataFrame) -> stats.PairedTest:
    """KD's gain less CE's, each the mean over schemes, paired by seed."""
    wide = gained.groupby(["seed", "method"])["accuracy_gain"].mean().unstack()
    return stats.paired_test(wide["kd"], wide["ce"])


def verdict(gained: pd.DataFrame, dataset: str, size: str) -> report.Verdict:
    """Whether the strong schemes gain more under the teacher's labels than under their own."""
    test = freedom(gained)
    clear = test.t_p < 0.05
    seeds = gained["seed"].nunique()
    return report.Verdict(
        chapter="13_mixed_labels",
        claim_ids=("kd-admits-more",),
        claim="Labelled by the teacher, stronger schemes help more than with their own labels under cross-entropy.",
        paper="an argument, without an experiment",
        this_run=f"{dataset}: KD gains {test.mean:+.1f} points more ({stats.p_text(test.t_p)}, {seeds} seeds)",
        holds="cannot tell" if not clear else "holds" if test.mean > 0 else "fails",
        test=RULE,
        size=size,
    )
