"""How fast the fast paths are: ratios of times taken side by side in one process, on images of noise.

They are compared with the way of the paper's released code (`reference`), with a plain modern loop (`modern`), and with
bare forward and backward passes; those with the machine itself: how long as many operations take in one large matrix
product. Ways in bfloat16 are left out on a processor without instructions for it.
"""

import pickle
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from kdutils import augment, losses, metrics, models, seeds
from kdutils.augment import NINE, SCHEMES, Scheme
from kdutils.bench import modern, reference
from kdutils.bench.reference import ALPHA, BATCH, TAU
from kdutils.data import Dataset, MemorySplit
from kdutils.inference import PRECISIONS, has_bfloat16, read, reader
from kdutils.models import Network
from kdutils.sweep import estimate
from kdutils.training import Schedule, Training

CLASSES, SIZE = 100, 32
TEACHER, STUDENT = "resnet56", "resnet20"
RANK_STEPS = 15  # the fewest that a ranking takes
TRAIN_STEPS = 4
MATRIX = 1024  # rows and columns of the matrices whose product shows what the machine can do

Work = Callable[[], object]


@dataclass(frozen=True)
class Aim:
    """A ratio of two times: `slow` / `fast`, and what it should be, at least or at most.

    With `twin` the slow way is the plain twin of the fast one, which must not be slower than it.
    """

    name: str
    slow: str
    fast: str
    least: float | None = None
    most: float | None = None
    twin: bool = False


NOISE = 0.05  # of a ratio, from one run of the bench to the next
AIMS = (
    Aim("nine schemes ranked: plain modern loop / ours", "rank_modern", "rank", least=2, twin=True),
    Aim("KD+CutMix step: plain modern loop / ours", "train_modern", "train_cutmix", twin=True),
    Aim("bare forward passes: network as it was trained, in one batch / ours", "forwards_plain", "forwards", twin=True),
    Aim("nine schemes ranked, float32: released / ours", "rank_released", "rank", least=6),
    Aim("nine schemes ranked, bfloat16: released / ours", "rank_released", "rank_bfloat16", least=9),
    Aim("nine schemes ranked: ours / bare forward passes of 8 x 64 images", "rank", "forwards", most=1.2),
    Aim("bare forward passes, float32 / as many operations in matrix products", "forwards", "products"),
    Aim(
        "bare forward passes, bfloat16 / as many operations in matrix products",
        "forwards_bfloat16",
        "products_bfloat16",
    ),
    Aim("augmentation and normalisation / bare forward passes", "pipeline", "forwards", most=0.2),
    Aim("KD+CutMix step: released / ours", "train_released_cutmix", "train_cutmix"),
    Aim("KD+CutMixPick step: released / ours", "train_released_cutmixpick_t", "train_cutmixpick_t", least=1.6),
    Aim(
        "KD+CutMixPick step, teacher in bfloat16: released / ours",
        "train_released_cutmixpick_t",
        "train_bfloat16",
    ),
    Aim(
        "KD+CutMixPick step, teacher and student in bfloat16: released / ours",
        "train_released_cutmixpick_t",
        "train_both_bfloat16",
    ),
    Aim(
        "KD+CutMixPick step: ours / sum of its forward and backward passes",
        "train_cutmixpick_t",
        "train_parts",
        most=1.2,
    ),
    Aim("KD+CutMixPick step, the teacher's part: its forward passes / whole", "part_teacher", "train_cutmixpick_t"),
    Aim("KD+CutMixPick step, the student's part: its passes, both ways / whole", "part_student", "train_cutmixpick_t"),
    Aim("KD+CutMixPick step, the images' part: x, the pool, normalised / whole", "part_images", "train_cutmixpick_t"),
    Aim("KD+CutMixPick step, the optimizer's part / whole", "part_optimizer", "train_cutmixpick_t"),
)


def bench(threads: int = 1, rounds: int = 3) -> pd.DataFrame:
    """One row per ratio: `name`, `threads`, `ratio`, what it should be (`least`, `most`), `met`, and the two times.

    `slower` is True if the fast way takes longer than its plain twin, beyond noise; times are in seconds per step. Each
    way runs once to warm up, then all in turn, `rounds` times; the shortest time of each counts. With one thread on a
    CPU the clock is the process's own, so that other processes disturb less.
    """
    with estimate.threads(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a network of random weights answers all CutMixPick images alike
        works = {name: (work, steps) for name, work, steps in _works()}
        seconds = _race({name: work for name, (work, _) in works.items()}, rounds, _clock(threads))
    step = {name: seconds[name] / steps for name, (_, steps) in works.items()}
    return pd.DataFrame([_row(aim, step, threads) for aim in AIMS if {aim.slow, aim.fast} <= step.keys()])


def memory(steps: int = 60) -> tuple[int, int]:
    """Bytes that the running statistics of a ranking take after `steps` windows, and after twice as many."""
    images, teacher = noise(2 * BATCH), network("tiny", seed=0)

    def size(n: int) -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # random weights are right by chance only
            ranking = metrics.measure(teacher, images, ("identity", "cutmix"), steps=n, k=2 * BATCH, batch_size=BATCH)
        return len(pickle.dumps(ranking.rows))

    return size(steps), size(2 * steps)


def noise(n: int, classes: int = CLASSES) -> Dataset:
    """`n` random images, for timing: 32 x 32; one mini-batch of them is the test set."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (n, 3, SIZE, SIZE), generator=generator, dtype=torch.uint8)
    labels = torch.arange(n) % classes
    split, test = MemorySplit(images, labels), MemorySplit(images[:BATCH], labels[:BATCH])
    names = tuple(str(c) for c in range(classes))
    return Dataset("noise", split, test, names, SIZE, (0.5,) * 3, (0.29,) * 3, 4, 8, "cifar10")


def network(name: str, seed: int, classes: int = CLASSES) -> Network:
    """A network with random weights, whose BatchNorm has seen noise, so that its values stay in bounds."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = models.build(name, classes)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # the mean over all batches seen
        with torch.no_grad():
            model.train()(torch.randn(BATCH, 3, SIZE, SIZE))
    return model.eval()


def _works() -> Iterator[tuple[str, Work, float]]:
    """All ways by name, and how many steps each takes at a call."""
    images, few = noise(10 * BATCH), noise(TRAIN_STEPS * BATCH)
    photos = reference.Photos(few)
    teacher, student, x = network(TEACHER, 0), network(STUDENT, 1), torch.randn(8 * BATCH, 3, SIZE, SIZE)
    yield "rank_released", lambda: reference.rank(teacher, student, photos), 1
    plain, batches = network(TEACHER, 0), modern.loader(few)
    yield "rank_modern", lambda: modern.rank(plain, few, batches), TRAIN_STEPS
    yield "forwards_plain", lambda: _plain(plain, x), 1
    pupil = network(STUDENT, 1)
    yield "train_modern", lambda: modern.train(plain, pupil, few, batches), TRAIN_STEPS
    short = has_bfloat16()  # elsewhere it is float32 and roundings
    for name, kind in PRECISIONS.items() if short else [("float32", torch.float32)]:
        suffix = "" if name == "float32" else f"_{name}"
        yield (
            f"rank{suffix}",
            lambda p=name: metrics.rank_schemes(teacher, images, steps=RANK_STEPS, precision=p),
            RANK_STEPS,
        )
        frozen = reader(teacher, name)
        yield f"forwards{suffix}", lambda f=frozen: read(f, x), 1
        matrix = torch.randn(MATRIX, MATRIX, dtype=kind)
        yield f"products{suffix}", lambda m=matrix: m @ m, 2 * MATRIX**3 / _operations(teacher, x)
    yield "pipeline", lambda: _pipeline(images), 1
    for name in ("cutmix", "cutmixpick_t"):
        learner = network(STUDENT, 1)
        yield (
            f"train_released_{name}",
            lambda s=learner, n=name: reference.train(teacher, s, photos, SCHEMES[n]),
            TRAIN_STEPS,
        )
        yield f"train_{name}", _training(teacher, few, SCHEMES[name]).epoch, TRAIN_STEPS
    for name, student_precision in (
        (("train_bfloat16", "float32"), ("train_both_bfloat16", "bfloat16")) if short else ()
    ):
        training = _training(teacher, few, SCHEMES["cutmixpick_t"], "bfloat16", student_precision)
        yield name, training.epoch, TRAIN_STEPS
    yield from _parts(images, teacher, x[: 3 * BATCH])


@torch.inference_mode()
def _plain(model: Network, x: torch.Tensor) -> torch.Tensor:
    return model(x.to(memory_format=torch.channels_last))


def _operations(model: Network, x: torch.Tensor) -> int:
    """Floating-point operations of a forward pass of `x`, as PyTorch counts them."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    return counter.get_total_flops()


def _pipeline(images: Dataset) -> torch.Tensor:
    """What a step of a ranking feeds to the teacher: x and the x' of seven schemes, CutMix twice, normalised."""
    settings = augment.settings(images)
    x = augment.standard(images.train.images[:BATCH], seeds.generator(0), settings)
    schemes = [SCHEMES[name] for name in NINE if name != "identity"]
    pools = {scheme.fn: augment.pool_runs(augment.PICK_RATIO) for scheme in schemes if scheme.pick}
    runs = {scheme.fn: (scheme, pools.get(scheme.fn, 1)) for scheme in schemes}
    made = [scheme(x, seeds.generator(1), settings, n).x for scheme, n in runs.values()]
    x_in = torch.cat([images.normalise(part) for part in (x, *made)])
    return x_in.contiguous(memory_format=torch.channels_last)


def _training(
    teacher: Network,
    images: Dataset,
    scheme: Scheme,
    teacher_precision: str = "float32",
    student_precision: str = "float32",
) -> Training:
    schedule = Schedule(epochs=1000, batch_size=BATCH)
    student, method = network(STUDENT, 1), losses.build("kd", TAU, ALPHA)
    return Training(
        student,
        method,
        images,
        schedule,
        teacher,
        scheme,
        teacher_precision=teacher_precision,
        student_precision=student_precision,
    )


def _parts(images: Dataset, teacher: Network, x: torch.Tensor) -> Iterator[tuple[str, Work, float]]:
    """What a KD+CutMixPick step is made of: three batches for the teacher, two for the student."""
    frozen, student = reader(teacher), network(STUDENT, 1).train().to(memory_format=torch.channels_last)
    x = x.contiguous(memory_format=torch.channels_last)

    def learn() -> None:
        for part in x.split(BATCH)[:2]:
            student(part).square().mean().backward()

    def whole() -> None:
        read(frozen, x)
        learn()

    optimizer = torch.optim.SGD(student.parameters(), 0.0, 0.9, weight_decay=5e-4)
    scheme, settings = SCHEMES["cutmixpick_t"], augment.settings(images)

    def make() -> None:
        seen = augment.standard(images.train.images[:BATCH], seeds.generator(0), settings)
        made = scheme(seen, seeds.generator(1), settings, augment.pool_runs(augment.PICK_RATIO)).x
        for each in (seen, made):
            images.normalise(each).contiguous(memory_format=torch.channels_last)

    yield "train_parts", whole, 1
    yield "part_teacher", lambda: read(frozen, x), 1
    yield "part_student", learn, 1
    yield "part_images", make, 1
    yield "part_optimizer", optimizer.step, 1


def _race(works: dict[str, Work], rounds: int, clock: Callable[[], float]) -> dict[str, float]:
    """The shortest time of each, all in turn."""
    best = dict.fromkeys(works, float("inf"))
    for number in range(rounds + 1):
        for name, work in works.items():
            begin = clock()
            work()
            if number:  # the first round warms up
                best[name] = min(best[name], clock() - begin)
    return best


def _row(aim: Aim, step: dict[str, float], threads: int) -> dict[str, object]:
    slow, fast = step[aim.slow], step[aim.fast]
    ratio = slow / fast
    met = (aim.least is None or ratio >= aim.least) and (aim.most is None or ratio <= aim.most)
    bounds = {"least": aim.least, "most": aim.most, "met": met, "slower": aim.twin and ratio < 1 - NOISE}
    return {
        "name": aim.name,
        "threads": threads,
        "ratio": ratio,
        **bounds,
        "first_seconds": slow,
        "second_seconds": fast,
    }


def _clock(threads: int) -> Callable[[], float]:
    return time.process_time if threads == 1 else time.perf_counter
