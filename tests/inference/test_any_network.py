"""Teachers of every make: what they return, in which precision, and what is refused."""

from collections import OrderedDict
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from torch import nn

from kdutils import metrics, models
from kdutils.errors import UserError
from kdutils.inference import AnyNetwork, check_logits, read, reader
from kdutils.inference.any_network import are_probabilities


class Returns(nn.Module):
    """A network in another dress: `dress` makes of its logits what it returns."""

    def __init__(self, network, dress):
        super().__init__()
        self.network, self.dress = network, dress

    def forward(self, x):
        return self.dress(self.network(x))


DRESSES = {
    "tuple": lambda logits: (logits, torch.zeros(3)),
    "list": lambda logits: [logits],
    "mapping": lambda logits: OrderedDict(features=torch.zeros(1), logits=logits),
    "object": lambda logits: SimpleNamespace(logits=logits, loss=None),
}


@pytest.fixture(scope="module")
def ranked(teacher, digits):
    return metrics.rank_schemes(Returns(teacher, lambda logits: logits), digits, ["flip", "cutmix"], steps=15)


@pytest.mark.parametrize("dress", DRESSES.values(), ids=DRESSES)
def test_logits_are_found_wherever_they_are(dress, teacher, digits, ranked):
    table = metrics.rank_schemes(Returns(teacher, dress), digits, ["flip", "cutmix"], steps=15)
    pd.testing.assert_frame_equal(table, ranked, check_exact=True)


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda network: torch.compile(network, backend="eager")])
def test_a_wrapped_network_is_the_network(wrap, teacher, digits, ranked):
    table = metrics.rank_schemes(wrap(teacher), digits, ["flip", "cutmix"], steps=15)
    pd.testing.assert_frame_equal(table, ranked, check_exact=True)


def test_a_function_may_be_the_teacher(teacher, digits, ranked):
    table = metrics.rank_schemes(lambda x: teacher(x), digits, ["flip", "cutmix"], steps=15)
    pd.testing.assert_frame_equal(table, ranked, check_exact=True)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_weights_of_another_precision_get_images_of_it(dtype, teacher, digits, ranked):
    network = models.build("tiny", 10, 16)
    network.load_state_dict(teacher.state_dict())
    table = metrics.rank_schemes(nn.Sequential(network).to(dtype), digits, ["flip", "cutmix"], steps=15)
    tolerance = {torch.float64: 1e-4, torch.float16: 0.01, torch.bfloat16: 0.1}[dtype]
    assert table.t_stddev.tolist() == pytest.approx(ranked.t_stddev.tolist(), rel=tolerance)
    assert read(reader(nn.Sequential(network)), torch.zeros(2, 3, 16, 16)).dtype == torch.float32


@pytest.mark.parametrize("softmax", [nn.Softmax(1), lambda logits: logits.softmax(1).half()], ids=["float32", "half"])
def test_a_teacher_that_ends_in_softmax_is_recognised_and_ranked_as_its_logits_are(softmax, teacher, digits, ranked):
    with pytest.warns(UserWarning, match="the network returns probabilities; their logarithms are taken as logits"):
        table = metrics.rank_schemes(Returns(teacher, softmax), digits, ["flip", "cutmix"], steps=15)
    tolerance = 1e-5 if isinstance(softmax, nn.Module) else 0.01
    assert table.t_stddev.tolist() == pytest.approx(ranked.t_stddev.tolist(), rel=tolerance)


def test_a_teacher_that_ends_in_a_sigmoid_is_warned_of(teacher, digits):
    with pytest.warns(UserWarning, match=r"lies in 0\.\.1: does it end in a sigmoid"):
        read(reader(Returns(teacher, torch.sigmoid)), digits.normalise(digits.test.images[:20]))


def test_a_probability_of_zero_has_a_finite_logarithm():
    with pytest.warns(UserWarning, match="probabilities"):
        logits = AnyNetwork(lambda x: torch.tensor([[1.0, 0.0], [0.5, 0.5]]))(torch.zeros(2, 3, 4, 4))
    assert torch.isfinite(logits).all()
    torch.testing.assert_close(logits.softmax(1), torch.tensor([[1.0, 0.0], [0.5, 0.5]]))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[0.2, 0.8], [1, 0]], True),
        ([[0.2, 0.8], [1, 0.5]], False),
        ([[1.2, -0.2], [1, 0]], False),
        ([[0, 1000]], False),
        ([[1.0], [1.0]], False),
    ],
)
def test_probabilities_are_never_negative_and_sum_to_one_in_every_row(rows, expected):
    assert are_probabilities(torch.tensor(rows)) is expected


def test_a_module_is_read_in_eval_mode_and_wrapped_once():
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.9)).train()
    wrapped = reader(network)
    assert not network.training
    assert reader(wrapped) is wrapped


# --- What is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thing", ["resnet20", None, 3, nn.Linear])
def test_what_cannot_be_called_is_no_network(thing):
    with pytest.raises(UserError, match=r"a network is a torch\.nn\.Module, or a function of images"):
        reader(thing)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (None, "the network returns a NoneType; expected logits"),
        ({"scores": torch.zeros(2, 3)}, "the network returns a dict with 'scores'; expected logits"),
        ((), "the network returns a tuple"),
        ((None, torch.zeros(2, 3)), "the network returns a tuple"),
    ],
)
def test_an_output_without_logits_is_refused(output, message):
    with pytest.raises(UserError, match=message):
        read(reader(lambda x: output), torch.zeros(2, 3, 4, 4))


def test_a_precision_is_for_the_zoo(digits):
    with pytest.raises(UserError, match="precision 'bfloat16' is for the networks of kdutils, not for function"):
        metrics.rank_schemes(lambda x: x, digits, "flip", steps=15, precision="bfloat16")


@pytest.mark.parametrize("name", ["tiny", "vgg8", "MobileNetV2", "ShuffleV2", "wrn_16_1"])
def test_folding_swallows_no_value_that_is_not_finite(name):
    """Neither in an image nor in the weights: what comes out is not finite either, and is refused."""
    size = 16 if name == "tiny" else 32
    network = models.build(name, 10, size)
    images = torch.zeros(4, 3, size, size)
    images[1, 0, size // 2, size // 2] = float("nan")
    logits = read(reader(network), images)
    assert torch.isfinite(logits).all(1).tolist() == [True, False, True, True]
    with pytest.raises(UserError, match="the teacher gives values that are not finite"):
        check_logits("teacher", logits, 4, 10)
    norm = next(part for part in network.modules() if isinstance(part, nn.BatchNorm2d))
    norm.running_var[0] = -1.0
    assert not torch.isfinite(read(reader(network), torch.zeros(4, 3, size, size))).any()
