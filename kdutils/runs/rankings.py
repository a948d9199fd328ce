"""A ranking by its specification: from the store, else measured and put there."""

from pathlib import Path

import pandas as pd

from kdutils import augment, metrics, models
from kdutils._provenance import made
from kdutils.inference import devices
from kdutils.metrics import teacher_check
from kdutils.runs.specs import RankSpec
from kdutils.runs.store import MADE, Store
from kdutils.runs.students import load_teacher, untrained


def rank(spec: RankSpec, store: str | Path | None = None) -> pd.DataFrame:
    """The ranking of `spec` (see `metrics.rank_schemes`): from the store, else measured and put there."""
    spec.fetch()
    shelf, key = Store(store), spec.key()
    known = shelf.read(key)
    if known is None:
        with shelf.lock(key):
            known = shelf.read(key)
            if known is None:
                frame = _measure(spec, shelf.folder)
                spec.check_unchanged(key)
                rows = frame.to_dict("records")
                known = {
                    "spec": spec.identity(),
                    "rows": rows,
                    "facts": frame.attrs,
                    MADE: made(devices.find(spec.device)),
                }
                shelf.write(key, known)
                return frame
    frame = pd.DataFrame(known["rows"])
    frame.attrs |= known.get("facts", {})
    if teacher := teacher_check.from_facts(frame.attrs):
        teacher_check.warn_near_chance(teacher)
    return frame


def _measure(spec: RankSpec, store: Path) -> pd.DataFrame:
    device = devices.find(spec.device)
    dataset, steps = spec.load_data(), spec.steps or None
    metrics.count_steps(dataset, spec.epochs, steps, spec.batch_size, spec.k)
    if not spec.teacher_weights:  # refuse before a teacher is trained
        augment.rehearse(augment.wanted(spec.schemes), dataset, spec.granularity, spec.batch_size)
    student = models.load_pretrained(untrained(spec, spec.student), spec.student_weights) if spec.student else None
    return metrics.rank_schemes(
        load_teacher(spec, store),
        dataset.resident(device),
        spec.schemes,
        epochs=spec.epochs,
        steps=steps,
        batch_size=spec.batch_size,
        k=spec.k,
        granularity=spec.granularity,
        seed=spec.seed,
        student=student.to(device) if student else None,
        temperature=spec.temperature,
        precision=spec.precision,
    )
