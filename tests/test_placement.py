"""Every tensor of a step is on its networks' device, seen without a GPU: the `meta` device has only shapes.

It refuses a tensor of another device beside its own, and any read-out, which would make a GPU wait.
"""

from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.transforms import v2

from kdutils import augment, data, losses, metrics, models, runs, seeds, training
from kdutils.inference import AnyNetwork, devices, reader
from kdutils.metrics.ranking import Row
from kdutils.metrics.stream import Readers, stream
from kdutils.runs import students

STEP = [("kd", scheme) for scheme in (runs.specs.NO_SCHEME, *augment.NINE)]
STEP += [(method, "cutmix") for method in losses.METHODS if method != "kd"]
OWN = augment.Scheme("own", "Own", lambda x, draw: 255 - x.float())


def halves(x):
    """The mean of each image and its neighbour, as a scheme of one's own that mixes."""
    own = torch.arange(len(x), device=x.device)
    return augment.Augmented(x // 2 + x.roll(1, 0) // 2, own, own.roll(1), torch.full((len(x),), 0.5, device=x.device))


MIXING = [augment.Scheme("halves", "Halves", halves), augment.Scheme("v2", "CutMix of torchvision", v2.CutMix())]


@pytest.fixture(autouse=True)
def generators(monkeypatch):
    """PyTorch has no generator of `meta`, as it has of other devices: random numbers that are only shapes need none."""
    monkeypatch.setattr(seeds, "on_device", lambda device, source: None)


@pytest.mark.parametrize(("method", "scheme"), STEP)
@pytest.mark.parametrize("granularity", ["batch", "sample"])
def test_a_training_step_stays_on_the_device_of_its_networks(method, scheme, granularity):
    """The images stay on the CPU, as those do that are read from disk."""
    spec = runs.RunSpec(student="tiny", teacher="tiny", method=method, scheme=scheme, granularity=granularity)
    dataset = data.first_per_class(data.load("digits"), 10)
    with torch.device("meta"):
        student, loss = students._build(spec, dataset)
        loss.to("meta")
        teacher = students.models.build("tiny", 10, dataset.image_size)
    progress = training.Training(
        student,
        loss,
        dataset,
        training.Schedule(1, spec.lr, spec.batch_size),
        teacher,
        None if scheme == runs.specs.NO_SCHEME else augment.find(scheme),
        granularity,
    )
    step = next(progress._batches(0))
    assert progress._step(*step).device.type == "meta"


def ranked(steps=1, student=True, **facts):
    """A `Ranking` that has taken in some steps of all schemes, with networks on `meta`."""
    known = [
        scheme for name, scheme in augment.SCHEMES.items() if name != "augmix"
    ]  # PyTorch lacks one of its functions
    schemes = [*known, augment.find("cutout+autoaugment"), OWN, *MIXING]
    dataset = data.load("digits")
    with torch.device("meta"):
        teacher, picker = (models.build("tiny", 10, dataset.image_size) for _ in range(2))
    readers = Readers(reader(teacher), reader(picker) if student else None, dataset)
    settings = replace(augment.settings(dataset), **facts)
    ranking = metrics.Ranking({scheme.name: Row(scheme) for scheme in schemes}, 32)
    batches = stream(readers, schemes, steps + 1, 16, settings, 0)
    for _ in range(steps):
        ranking.add(next(batches))
        ranking.close_window(1)
    return ranking


@pytest.mark.parametrize("granularity", ["batch", "sample"])
def test_a_ranking_step_stays_on_the_device_of_its_networks(granularity):
    ranking = ranked(steps=3, granularity=granularity)
    assert {row.scalars.total.device.type for row in ranking.rows.values()} == {"meta"}
    assert {row.u.totals[0].dtype for row in ranking.rows.values()} == {torch.float64}


def test_the_read_outs_of_a_gpu_come_in_a_row(monkeypatch):
    """The same as above, but that the fourth reading is the one to look at what was found."""
    monkeypatch.setattr(devices.Findings.__init__, "__defaults__", (4,))
    ranked(steps=1)
    with pytest.raises(NotImplementedError, match="meta tensor"):
        ranked(steps=4)


def test_a_teacher_from_elsewhere_is_not_read_out_either():
    dataset = data.load("digits")
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(768, 10)).to("meta")
    network = AnyNetwork(linear)
    network.ends_in_softmax = False  # which is found out by the first images
    readers = Readers(network, None, dataset)
    batch = next(stream(readers, [OWN], 2, 16, augment.settings(dataset), 0))
    assert batch.x_logits.device.type == "meta"


class WithoutDouble(TorchDispatchMode):
    """`meta` as a device that has no float64, such as Apple's; what is read from it is zero."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        copies = torch.ops.aten._to_copy.default, torch.ops.aten.to.dtype_layout  # the second in inference mode
        if function in copies and args[0].is_meta and str(kwargs.get("device")) == "cpu":
            return torch.zeros(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        if function in (torch.ops.aten.item.default, torch.ops.aten._local_scalar_dense.default) and args[0].is_meta:
            return 0
        made = function(*args, **kwargs)
        for each in made if isinstance(made, tuple | list) else [made]:
            assert not (isinstance(each, torch.Tensor) and each.is_meta and each.dtype == torch.float64), function
        return made


def test_statistics_are_kept_on_the_cpu_if_a_device_has_no_float64(monkeypatch):
    monkeypatch.setattr(devices, "WITHOUT_FLOAT64", ("meta",))
    with WithoutDouble():
        ranking = ranked()
        dataset = data.load("digits")
        with torch.device("meta"):
            teacher, student = (models.build("tiny", 10, dataset.image_size) for _ in range(2))
        training.fidelity(student, teacher, dataset, dataset.test)
        metrics.responses.mean_probabilities(teacher, dataset, "cutmix", 1)
        training.evaluate(student, dataset, dataset.test)
    assert {row.u.totals[0].device.type for row in ranking.rows.values()} == {"cpu"}
