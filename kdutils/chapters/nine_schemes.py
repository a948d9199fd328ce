"""Chapter 2: pictures of what schemes make of images, how far the teacher's targets move, and the verdict."""

from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from numpy.typing import ArrayLike

from kdutils import report
from kdutils.errors import UserError
from kdutils.metrics.responses import Views, top_answers
from kdutils.paper import SCHEME_LABELS
from kdutils.plots import Chart, image_grid
from kdutils.report import Finding, Verdict, plus_minus, rules, tables

RECORDED = "views_resnet56"
OWN = 1e-6  # a total variation below this is rounding


def captioned(images: ArrayLike, captions: Sequence[str], columns: int = 8, row_labels: Sequence[str] = ()) -> Chart:
    """`plots.image_grid` with the text under each image instead of above it."""
    chart = image_grid(images, captions, columns, row_labels)  # as titles, the captions have made room for themselves
    for ax, caption in zip(chart.axes, captions, strict=False):
        ax.set_title("")
        ax.set_xlabel(caption, fontsize=9, labelpad=2)
    return chart


def scheme_rows(seen: Mapping[str, Views], classes: Sequence[str], columns: int = 5, top: int = 2) -> Chart:
    """A row per scheme: what it makes of the same `columns` images, the teacher's first classes, and the entropy below.

    `seen`: scheme -> the views of one mini-batch. Only images that every scheme keeps are shown, which matters for
    CutMixPick; of two x' of one image the later one, so that its rows need not repeat the CutMix row.
    """
    kept = set.intersection(*(set(view.own.tolist()) for view in seen.values()))
    if len(kept) < columns:
        raise UserError(f"only {len(kept)} images of the mini-batch are kept by every scheme; ask for fewer columns")
    positions = sorted(kept)[:columns]
    places = [{own: place for place, own in enumerate(view.own.tolist())} for view in seen.values()]
    rows = [view.take([place[i] for i in positions]) for view, place in zip(seen.values(), places, strict=True)]
    captions = [
        f"{answers}\n{entropy:.2f} nats"
        for row in rows
        for answers, entropy in zip(top_answers(row.p_prime, classes, top), row.entropy().tolist(), strict=True)
    ]
    labels = [SCHEME_LABELS.get(name, name).replace(" (", "\n(") for name in seen]
    return captioned(torch.cat([row.x_prime.float() for row in rows]), captions, columns, labels)


def targets(parts: Mapping[str, Views]) -> pd.DataFrame:
    """How far the teacher's targets of x' are from those of x; scheme -> views, a row per scheme.

    Columns: distance (mean total variation) and distance_se; same_first_class; entropy (nats); views, of which
    `changed` differ from x, of which `own_target` have other probabilities; two_labels: views labelled as two classes.
    """
    rows = []
    for name, seen in parts.items():
        distance, changed = seen.distance(), (seen.x_prime != seen.x).flatten(1).any(1)
        mixed = (seen.lam < 1) & (seen.partner_label != seen.label)
        rows.append(
            {
                "scheme": name,
                "distance": float(distance.mean()),
                "distance_se": float(distance.std() / len(distance) ** 0.5),
                "same_first_class": float((seen.p.argmax(1) == seen.p_prime.argmax(1)).float().mean()),
                "entropy": float(seen.entropy().mean()),
                "views": len(distance),
                "changed": int(changed.sum()),
                "own_target": int((changed & (distance > OWN)).sum()),
                "two_labels": int(mixed.sum()),
            }
        )
    return pd.DataFrame(rows)


def targets_table(table: pd.DataFrame) -> pd.DataFrame:
    """`targets` as readers see it."""
    shown = table.assign(
        distance=[plus_minus(row.distance, row.distance_se) for row in table.itertuples()],
        own=[f"{row.own_target} of {row.changed}" for row in table.itertuples()],
    )
    names = {
        "scheme": "scheme",
        "distance": "distance of p(x') from p(x)",
        "own": "changed views with a target of their own",
    }
    names |= {"same_first_class": "same first class", "entropy": "entropy (nats)"}
    return tables.table(shown, names)


def in_words(table: pd.DataFrame, where: str) -> str:
    """How far some schemes move the teacher's probabilities."""
    row = table.set_index("scheme")
    return (
        f"On {where}, Flip moves {row.distance['flip']:.1%} of the teacher's probability, Cutout "
        f"{row.distance['cutout']:.0%}, CutMix {row.distance['cutmix']:.0%}. Of the CutMix images "
        f"{row.same_first_class['cutmix']:.0%} keep the first class of the image underneath. The mean entropy of the "
        f"probabilities goes from {row.entropy['identity']:.2f} nats under Identity to "
        f"{row.entropy['cutmixpick_t']:.2f} under CutMixPick (T. ent.)."
    )


def verdicts(live: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """The chapter's verdict; `live`: this run's `targets` on `dataset`."""
    ours = []
    if RECORDED in report.recorded_names():
        ours = [own_targets(report.recorded(RECORDED), by="photographs", size="laptop", n="1 teacher")]
    here = {"by": report.kind_of(dataset), "size": size, "n": "this run"}
    return [report.verdict_on("views-get-own-targets", *ours, own_targets(live, **here))]


def own_targets(table: pd.DataFrame, **rests: str) -> Finding:
    """Whether changed views get targets of their own from the teacher, and share their x's label without it."""
    rows = table[table["scheme"] != "identity"]
    own = [rules.from_count(row.own_target, row.changed) == "holds" for row in rows.itertuples()]
    one_label = rows["two_labels"] == 0
    return Finding(
        says=rules.all_parts(["holds" if all(half) else "fails" for half in (own, one_label)]),
        numbers=f"the teacher gives changed views a target of their own under {sum(own)} of {len(rows)} schemes "
        f"({rows['own_target'].sum()} of {rows['changed'].sum()} views); labels give all views one under "
        f"{one_label.sum()} of {len(rows)}, the mixing schemes bring their own",
        test="for every scheme but Identity surely more than half of the changed views have probabilities that "
        "differ from x's beyond rounding (exact interval), and no view has a label of two classes; one of the two: "
        "partly",
        **rests,
    )
