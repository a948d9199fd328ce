"""What the teacher alone says of a scheme: T. stddev (Eq. 9-10), its anatomy, and the metrics it is compared with.

`rank_schemes` measures all schemes in one pass: they share x, and CutMix and both CutMixPick rows share one pool, so
nine schemes cost at most 8 forward passes of the teacher per step; a batch that a scheme left as it was is not read
again. Sharing also makes the differences between schemes far more precise than separate runs would (common random
numbers).
"""

import inspect
import warnings
from collections.abc import Mapping, Sequence

import pandas as pd
from torch import nn
from tqdm import tqdm

from kdutils import augment
from kdutils.augment import Scheme
from kdutils.data import Dataset
from kdutils.errors import UserError
from kdutils.inference import reader
from kdutils.metrics.comparison import neighbours, told_apart
from kdutils.metrics.ranking import Ranking, Row
from kdutils.metrics.stream import Readers, per_epoch, stream
from kdutils.metrics.teacher_check import agreement, warn_near_chance

LEAST_TEMPERATURE, LARGEST_TEMPERATURE = 1e-3, 1e3  # beyond, softmax is a matter of rounding


def rank_schemes(teacher: nn.Module, dataset: Dataset, *args, **options) -> pd.DataFrame:
    """Rank schemes by T. stddev: the lower, the better for distillation (Eq. 9-10, Sec. 5.1). No student is trained.

    `teacher` maps normalised images to logits [N, C], and is put into eval mode; see `inference.AnyNetwork` for what
    it may return. `schemes` are "all" (the paper's nine), names, chains such as "cutout+autoaugment", or a mapping of
    names to transforms, functions (see `augment.register`), schemes or names. `steps` counts mini-batches and stands in
    for `epochs`. K counts images, half of them x and half x'. `student` picks for "cutmixpick_s" (without one that row
    stays empty). `precision` "bfloat16" reads in 16 bits: about twice as fast on a processor that has instructions for
    them.

    Returns one row per scheme: `scheme`; `t_stddev` and its standard error `t_stddev_se`, over `n_u` windows; `entropy`
    of x' in nats; `mean_covariance`, `mean_correlation` (Eq. 12-13) with `_se`; `label_disagreement`, the share of x'
    whose predicted class is not the scheme's own label; and the anatomy of T. stddev (`ranking.Row.anatomy`).
    Its `attrs` hold `teacher_test_accuracy` in per cent, on `teacher_test_images` images, where near chance is a
    warning; `images`, their size and normalisation; `neighbours`, the rows of `told_apart` for schemes next to each
    other.
    Raises UserError for unknown schemes and for sizes that do not fit, before anything is measured, for schemes and
    teachers that return what cannot be ranked, and for a T. stddev that is zero or not finite.
    """
    ranking = measure(teacher, dataset, *args, **options)
    frame = ranking.frame()
    frame.attrs["images"] = dataset.prepared()
    frame.attrs["neighbours"] = neighbours(told_apart(ranking)).to_dict("records")
    return frame


def measure(
    teacher: nn.Module,
    dataset: Dataset,
    schemes: str | Sequence[str | Scheme] | Mapping[str, object] = "all",
    epochs: int = 10,
    steps: int | None = None,
    batch_size: int = 64,
    k: int = 640,
    granularity: augment.Granularity = "batch",
    seed: int = 0,
    student: nn.Module | None = None,
    temperature: float = 1.0,
    precision: str = "float32",
) -> Ranking:
    """The `Ranking` behind `rank_schemes`, which can also compare two schemes with an error."""
    if not isinstance(dataset, Dataset):
        made = "kd.data.load, or by kd.data.from_torch(train, test)"
        raise UserError(f"the images are a dataset made by {made}; got a {type(dataset).__name__}")
    wanted = augment.wanted(schemes)
    total, window = count_steps(dataset, epochs, steps, batch_size, k), k // (2 * batch_size)
    if not LEAST_TEMPERATURE <= temperature <= LARGEST_TEMPERATURE:
        raise UserError(f"the teacher's temperature must be from 0.001 to 1000, not {temperature}")
    _warn_of_few(dataset, k)
    settings = augment.settings(dataset, granularity)
    ranking = Ranking({scheme.name: Row(scheme) for scheme in wanted}, k)
    readers = Readers(reader(teacher, precision), reader(student, precision) if student else None, dataset)
    augment.rehearse(wanted, dataset, granularity, batch_size, readers.device)
    ranking.teacher = agreement(lambda x: readers.logits("teacher", x.to(readers.device)), dataset, batch_size)
    warn_near_chance(ranking.teacher, dataset.classes)
    parts = stream(readers, wanted, total, batch_size, settings, seed)
    for step, batch in enumerate(tqdm(parts, "ranking", total, unit="step", disable=None)):
        ranking.add(batch, temperature)
        if (step + 1) % window == 0:
            ranking.close_window(window)
    ranking.check()
    ranking.warn_of_collapse()
    return ranking


rank_schemes.__signature__ = inspect.signature(measure).replace(return_annotation=pd.DataFrame)


def _warn_of_few(dataset: Dataset, k: int) -> None:
    if len(dataset.train) < k:
        warnings.warn(
            f"a window of K={k} is larger than the {len(dataset.train)} images of {dataset.name}: windows then repeat "
            "images, and T. stddev says little",
            stacklevel=4,
        )


def check_sizes(batch_size: int, k: int, steps: int | None = None) -> None:
    """UserError for sizes of which no T. stddev with an error can come, whatever the dataset."""
    if batch_size < 2:
        raise UserError(f"a mini-batch needs at least 2 images, not {batch_size}")
    if k < 2 * batch_size or k % (2 * batch_size):
        raise UserError(f"k={k} must be a multiple of 2 x batch_size = {2 * batch_size} (x and x' together)")
    least = 3 * k // (2 * batch_size)
    if steps is not None and steps < least:
        raise UserError(f"{steps} steps are too few: take at least {least}, three windows of K={k} images")


def count_steps(dataset: Dataset, epochs: int, steps: int | None, batch_size: int, k: int) -> int:
    """How many mini-batches a ranking takes; UserError if the sizes or the dataset do not suffice (`check_sizes`)."""
    check_sizes(batch_size, k)
    size = per_epoch(dataset, batch_size)
    total = epochs * size if steps is None else steps
    check_sizes(batch_size, k, total)
    return total
