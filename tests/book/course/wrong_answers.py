"""Typical wrong answers to the assignments: a text of the model answer, what stands there instead, what it costs."""

from typing import NamedTuple


class Wrong(NamedTuple):
    """A mistake in one answer cell; `lost`: the test cells that see it, which are all that it costs."""

    why: str
    cell: str
    right: str
    instead: str
    lost: tuple[str, ...]


ROOT_LAST = "u.var(dim=0, unbiased=True).mean().sqrt()"

WRONG = {
    "01_proposition": [
        Wrong("no bound", "exercise-1", "np.maximum(predictor, floor)", "predictor", ("exercise-1-bounded",)),
        Wrong("swapped", "exercise-1", "(teacher *", "(predictor *", ("exercise-1-formula", "exercise-1-bounded")),
        Wrong("N, not N squared", "exercise-2", "len(correlation) ** 2", "len(correlation)", ("exercise-2-test",)),
        Wrong("pairs forgotten", "exercise-2", "np.sum(", "np.trace(", ("exercise-2-test",)),
        Wrong("rho, not its root", "exercise-4", "np.sqrt(rho)", "rho", ("exercise-4-correlation",)),
        Wrong("one image short", "exercise-4", "rng.integers(size,", "rng.integers(size - 1,", ("exercise-4-uniform",)),
        Wrong("own mean", "exercise-5", "- q.mean()", "- q[sequences].mean()", ("exercise-5-value",)),
        Wrong("spread, not error", "exercise-5", " / np.sqrt(len(squares))", "", ("exercise-5-error",)),
        Wrong("correlated", "exercise-6", "size=(repetitions, n)", "size=(repetitions, 1)", ("exercise-6-test",)),
        Wrong("whole pool", "exercise-6", "len(q) // 4", "len(q)", ("exercise-6-test",)),
    ],
    "02_t_stddev": [
        Wrong("x' alone", "exercise-1", "[p, p_prime]", "[p_prime]", ("exercise-1-test",)),
        Wrong("over the classes", "exercise-1", "mean(dim=0)", "mean(dim=1)", ("exercise-1-test",)),
        Wrong("biased", "exercise-2", "unbiased=True", "unbiased=False", ("exercise-2-unbiased",)),
        Wrong(
            "root of the mean", "exercise-2", "u.std(dim=0, unbiased=True).mean()", ROOT_LAST, ("exercise-2-classes",)
        ),
        Wrong("all in one", "exercise-2", "u.std(dim=0,", "u.std(dim=(0, 1),", ("exercise-2-classes",)),
        Wrong("not times n - 1", "exercise-3", "(n - 1) *", "", ("exercise-3-test",)),
        Wrong("no root", "exercise-3", "np.sqrt((n - 1) * np.var(left_out))", "np.var(left_out)", ("exercise-3-test",)),
        Wrong(
            "lambda swapped",
            "exercise-4",
            "lam * x.float() + (1 - lam)",
            "(1 - lam) * x.float() + lam",
            ("exercise-4-test",),
        ),
        Wrong(
            "not seeded", "exercise-4", "torch.rand((), generator=generator)", "torch.rand(())", ("exercise-4-test",)
        ),
        Wrong(
            "lambda as drawn",
            "exercise-5",
            "1 - (bottom - top) * (right - left) / (height * width)",
            "1 - side**2",
            ("exercise-5-share",),
        ),
        Wrong("side, not its root", "exercise-5", "torch.sqrt(1 -", "(1 -", ("exercise-5-share",)),
        Wrong("in place", "exercise-5", "x.clone()", "x", ("exercise-5-box", "exercise-5-share")),
        Wrong(
            "windows of a batch", "exercise-6", "parts[i : i + per_window]", "parts[i : i + 1]", ("exercise-6-test",)
        ),
        Wrong("part of a window", "exercise-6", "len(parts) - per_window + 1", "len(parts)", ("exercise-6-test",)),
    ],
    "03_cutmixpick": [
        Wrong("bits, not nats", "exercise-1", ".log()", ".log2()", ("exercise-1-formula", "exercise-1-zero")),
        Wrong("0 log 0", "exercise-1", "torch.where(p > 0, p, torch.ones_like(p))", "p", ("exercise-1-zero",)),
        Wrong("mean of the addends", "exercise-1", ".sum(", ".mean(", ("exercise-1-formula", "exercise-1-zero")),
        Wrong("the surest", "exercise-2", "h.topk(keep)", "h.topk(keep, largest=False)", ("exercise-2-test",)),
        Wrong("by entropy", "exercise-2", ".sort().values", "", ("exercise-2-test",)),
        Wrong(
            "above the median",
            "exercise-2",
            "h.topk(keep).indices",
            "(h >= h.median()).nonzero()",
            ("exercise-2-test",),
        ),
        Wrong("one pass only", "exercise-3", "torch.cat(pair)", "pair[0]", ("exercise-3-picked",)),
        Wrong(
            "nothing picked",
            "exercise-3",
            "pool.take(pick(entropy(ask(pool.x)), len(x)))",
            "pool",
            ("exercise-3-shape", "exercise-3-picked"),
        ),
        Wrong("entropy of x", "exercise-3", "entropy(ask(pool.x))", "entropy(ask(x))", ("exercise-3-picked",)),
        Wrong(
            "one student each", "exercise-4", "number) for number in", "numbers[0]) for number in", ("exercise-4-test",)
        ),
        Wrong("rows from zero", "exercise-4", "return losses", "return losses.reset_index()", ("exercise-4-test",)),
        Wrong("one-sided", "exercise-5", "2 * stats", "stats", ("exercise-5-p",)),
        Wrong("normal", "exercise-5", "stats.t.ppf(0.975, n - 1)", "1.96", ("exercise-5-interval",)),
        Wrong("biased", "exercise-5", "ddof=1", "ddof=0", ("exercise-5-p", "exercise-5-interval")),
        Wrong("one-sided", "exercise-6", "2 * 0.5**n", "0.5**n", ("exercise-6-test",)),
        Wrong("not below", "exercise-6", ">= alpha", "> alpha", ("exercise-6-test",)),
    ],
}
