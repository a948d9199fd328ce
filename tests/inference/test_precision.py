"""bfloat16 by rounding is the arithmetic of the instructions, and is what a CPU without them computes."""

import copy
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from kdutils import losses, models, training
from kdutils.inference import for_inference, read
from kdutils.inference.precision import RoundedLayers, layers_in

HALF_STEP = 2**-8  # the largest relative error of one rounding to bfloat16
WORK = (torch.ops.aten.convolution, torch.ops.aten.convolution_backward, torch.ops.aten.addmm, torch.ops.aten.mm)


class Watched(TorchDispatchMode):
    """What the convolutions and matrix products below were computed in."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[torch.dtype] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None) -> object:
        if function.overloadpacket in WORK:
            self.seen |= {value.dtype for value in args if isinstance(value, Tensor)}
        return function(*args, **kwargs or {})


@pytest.fixture(params=["AVX2", "AVX512"])
def capability(request, monkeypatch: pytest.MonkeyPatch) -> str:
    """The instructions that PyTorch says it uses."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: request.param)
    return request.param


@pytest.fixture(params=["conv2d", "linear"])
def layer(request) -> tuple:
    """A layer with its input, weight and bias, of numbers that bfloat16 has not."""
    torch.manual_seed(0)
    shapes = {"conv2d": [(4, 6, 9, 9), (8, 6, 3, 3), (8,)], "linear": [(4, 30), (8, 30), (8,)]}[request.param]
    return getattr(F, request.param), [torch.randn(shape) for shape in shapes]


def test_a_layer_rounds_what_goes_in_and_what_comes_out(layer) -> None:
    function, given = layer
    exact = function(*[value.bfloat16().double() for value in given])
    with RoundedLayers():
        found = function(given[0], given[1], bias=given[2])
    assert found.dtype == torch.bfloat16
    assert ((found.double() - exact).abs() <= HALF_STEP * exact.abs() + 1e-6).all()
    unrounded = function(*map(torch.Tensor.double, given))
    assert (found.double() - unrounded).norm() > 1.2 * (found.double() - exact).norm()


def test_so_does_its_gradient(layer) -> None:
    function, given = layer
    leaves = [value.clone().requires_grad_() for value in given]
    with torch.autocast("cpu", torch.bfloat16), RoundedLayers():
        out = function(*leaves)
    above = torch.randn(out.shape)
    out.float().backward(above)
    exact = [value.bfloat16().double().requires_grad_() for value in given]
    function(*exact).backward(above.bfloat16().double())
    for leaf, expected in zip(leaves, exact, strict=True):
        assert leaf.grad.dtype == torch.float32
        assert torch.equal(leaf.grad, leaf.grad.bfloat16().float())  # as autocast hands it to the weights
        assert ((leaf.grad - expected.grad).abs() <= HALF_STEP * expected.grad.abs() + 1e-4).all()


@pytest.mark.parametrize("name", ["resnet8", "MobileNetV2", "ShuffleV2"])
def test_a_network_computes_what_it_does_with_the_instructions(name: str) -> None:
    """The outputs and gradients of a training network: as far from float32 in one way as in the other, and nearer
    to each other."""
    torch.manual_seed(0)
    network, x = models.build(name, 10, 32).train(), torch.randn(8, 3, 32, 32)

    def outcome(autocast: bool, rounded: bool) -> Tensor:
        student = copy.deepcopy(network)
        with torch.autocast("cpu", torch.bfloat16, autocast), RoundedLayers() if rounded else nullcontext():
            logits = student.features(x).logits.float()
        F.cross_entropy(logits, torch.arange(8)).backward()
        last = [weights.grad.flatten() for weights in student.parameters()][-2:]
        return torch.cat([logits.detach().flatten(), *last]).double()

    plain, native, by_rounding = outcome(False, False), outcome(True, False), outcome(True, True)
    error = (native - plain).norm()
    assert (by_rounding - plain).norm() == pytest.approx(error, rel=0.5)
    assert (by_rounding - native).norm() < 0.8 * error


def test_a_cpu_without_the_instructions_computes_in_float32(capability: str, digits) -> None:
    """In the teacher, in the student's forward and in its backward pass."""
    teacher, student = models.build("tiny", 10), models.build("tiny", 10)
    way = training.Training(
        student,
        losses.build("kd"),
        digits,
        training.Schedule(1),
        teacher,
        teacher_precision="bfloat16",
        student_precision="bfloat16",
    )
    x0, targets, generator = next(way._batches(0))
    with Watched() as watch:
        way._step(x0, targets, generator)
    assert watch.seen == {torch.float32 if capability == "AVX2" else torch.bfloat16}


def test_frozen_in_several_threads_it_does_so_in_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    network = for_inference(models.build("tiny", 10), "bfloat16")
    x = torch.randn(400, 3, 32, 32)
    one = read(network, x)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        two = read(network, x)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(one, two)


def test_float32_and_a_gpu_are_left_as_they_are(capability: str) -> None:
    ways = {
        (precision, device): isinstance(layers_in(precision, torch.device(device)), RoundedLayers)
        for precision in (torch.float32, torch.bfloat16)
        for device in ("cpu", "cuda")
    }
    assert ways.pop((torch.bfloat16, "cpu")) == (capability == "AVX2")
    assert not any(ways.values())
