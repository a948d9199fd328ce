"""Typical wrong answers to the assignments: a text of the model answer, what stands there instead, what it costs."""

from typing import NamedTuple


class Wrong(NamedTuple):
    """A mistake in one answer cell; `lost`: the test cells that see it, which are all that it costs."""

    why: str
    cell: str
    right: str
    instead: str
    lost: tuple[str, ...]


DISPUTED = ("exercise-2-test",)
KEPT = "torch.zeros(h.shape, dtype=torch.bool).scatter(1, kept, True)"
NAMED = "torch.where(named == label, 0, torch.where(named == partner_label, 1, 2))"
NAMED_PARTNER_FIRST = "torch.where(named == partner_label, 1, torch.where(named == label, 0, 2))"
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
    "04_mixed_photographs": [
        Wrong("the partner first", "exercise-1", NAMED, NAMED_PARTNER_FIRST, ("exercise-1-same",)),
        Wrong(
            "the least likely", "exercise-1", ".argmax(dim=1)", ".argmin(dim=1)", ("exercise-1-test", "exercise-1-same")
        ),
        Wrong(
            "no third class",
            "exercise-1",
            NAMED,
            "torch.where(named == label, 0, 1)",
            ("exercise-1-test", "exercise-1-same"),
        ),
        Wrong("underneath always", "exercise-2", "torch.where(lam > 0.5, label, partner_label)", "label", DISPUTED),
        Wrong("the smaller share", "exercise-2", "lam > 0.5", "lam < 0.5", DISPUTED),
        Wrong(
            "neither class alone",
            "exercise-2",
            "p.argmax(dim=1) != torch.where(lam > 0.5, label, partner_label)",
            "(p.argmax(dim=1) != label) & (p.argmax(dim=1) != partner_label)",
            DISPUTED,
        ),
        Wrong(
            "of all images",
            "exercise-3",
            "disputed[known == n]",
            "(disputed & (known == n))",
            ("exercise-3-test", "exercise-3-nobody"),
        ),
        Wrong("zero for nobody", "exercise-3", ".mean()", ".mean().nan_to_num()", ("exercise-3-nobody",)),
        Wrong("none to both", "exercise-3", "(2, 1, 0)", "(0, 1, 2)", ("exercise-3-test", "exercise-3-nobody")),
        Wrong("the label of the other", "exercise-3", "== label", "== partner_label", ("exercise-3-test",)),
        Wrong("of all mini-batches", "exercise-4", KEPT, "h >= h.median()", ("exercise-4-test", "exercise-4-zero")),
        Wrong(
            "the surest",
            "exercise-4",
            "dim=1).ind",
            "dim=1, largest=False).ind",
            ("exercise-4-test", "exercise-4-zero"),
        ),
        Wrong("0 log 0", "exercise-4", "torch.special.entr(p)", "-(p * p.log())", ("exercise-4-zero",)),
        Wrong(
            "by the first class", "exercise-4", "torch.special.entr(p).sum(dim=2)", "-p.amax(2)", ("exercise-4-test",)
        ),
        Wrong(
            "above the median",
            "exercise-4",
            KEPT,
            "h >= h.median(dim=1, keepdim=True).values",
            ("exercise-4-test", "exercise-4-zero"),
        ),
        Wrong("positions", "exercise-4", KEPT, "kept", ("exercise-4-test", "exercise-4-zero")),
    ],
}

# Right answers that are written in another way than the model answers: assignment -> answer cell -> source.
OTHERS = {
    "04_mixed_photographs": {
        "exercise-1": """
def answers(p, label, partner_label):
    found = []
    for row, own, partner in zip(p.numpy(), label.numpy(), partner_label.numpy()):
        named = int(np.argmax(row))
        found.append(0 if named == own else 1 if named == partner else 2)
    return found""",
        "exercise-2": """
def is_disputed(p, label, partner_label, lam):
    triples = zip(label.tolist(), partner_label.tolist(), lam.tolist())
    right = np.array([own if share > 0.5 else partner for own, partner, share in triples])
    return p.numpy().argmax(1) != right""",
        "exercise-3": """
def by_known(disputed, p_own, p_partner, label, partner_label):
    wrong, own = np.asarray(disputed), (p_own.topk(1).indices[:, 0] == label).numpy()
    partner = (p_partner.max(1).indices == partner_label).numpy()
    share = lambda rows: wrong[rows].sum() / rows.sum() if rows.any() else np.nan
    return share(own & partner), share(own ^ partner), share(~own & ~partner)""",
        "exercise-4": """
def picked(p):
    kept = np.zeros(p.shape[:2], dtype=int)
    for row, batch in zip(kept, p.double().numpy()):
        bits = -np.sum(batch * np.log2(np.where(batch > 0, batch, 1)), axis=1)
        row[np.argsort(-bits)[: len(bits) // 2]] = 1
    return kept""",
    },
}
