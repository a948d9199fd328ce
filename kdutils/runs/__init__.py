"""One training or one ranking: its specification (`RunSpec`, `RankSpec`), and its result, which a store keeps."""

from kdutils.runs.rankings import rank
from kdutils.runs.specs import NO_SCHEME, RankSpec, RunSpec, Spec
from kdutils.runs.store import Store, default_store
from kdutils.runs.students import (
    Stopped,
    assemble,
    evaluate_again,
    load_student,
    load_teacher,
    run,
    start,
    teacher_spec,
    title,
)

__all__ = [
    "NO_SCHEME",
    "RankSpec",
    "RunSpec",
    "Spec",
    "Stopped",
    "Store",
    "assemble",
    "default_store",
    "evaluate_again",
    "load_student",
    "load_teacher",
    "rank",
    "run",
    "start",
    "teacher_spec",
    "title",
]
