"""A frozen network computes what the plain one computes in eval mode, and nothing changes it any more."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from kdutils import models
from kdutils.errors import UserError
from kdutils.inference import frozen as inference
from kdutils.inference.frozen import foldable
from kdutils.models.base import Network
from kdutils.theory import risk

# Every BatchNorm folds, but for those that a Wide ResNet has before its convolutions.
UNFOLDED = {"wrn_16_1": 1 + 3 * 2, "wrn_16_2": 1 + 3 * 2, "wrn_40_1": 1 + 3 * 6, "wrn_40_2": 1 + 3 * 6}
LARGE = ("resnet10", "resnet18", "resnet34", "EfficientNetLite0")
SMALL = [name for name in models.NETWORKS if name not in LARGE]


def used(name: str, image_size: int = 32) -> Network:
    """A network with BatchNorm statistics and parameters away from where they start, in eval mode."""
    torch.manual_seed(0)
    model = models.build(name, 10, image_size)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.3, 0.3)
                module.running_var.uniform_(0.8, 2)
                module.weight.uniform_(0.4, 1.0)
                module.bias.uniform_(-0.3, 0.3)
    return model.eval()


def assert_close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Equal within 1e-4 of the largest value."""
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()


@pytest.mark.parametrize(
    ("name", "size"), [*((n, 32) for n in SMALL), ("vgg8", 64), *((n, 96) for n in ("resnet18", "EfficientNetLite0"))]
)
def test_frozen_equals_plain(name, size):
    model = used(name, size)
    x = torch.randn(3, 3, size, size)
    with torch.no_grad():
        plain = model.features(x)
    frozen = inference.for_inference(model)
    features = frozen.features(x)
    for ours, theirs in zip((*features.maps, *features[1:]), (*plain.maps, *plain[1:]), strict=True):
        assert_close(ours, theirs)
    assert_close(frozen(x), plain.logits)


@pytest.mark.parametrize("name", models.NETWORKS)
def test_every_batchnorm_that_can_be_folded_is(name):
    frozen = inference.for_inference(models.build(name, 10, 96 if name in LARGE else 32))
    left = sum(isinstance(module, nn.BatchNorm2d) for module in frozen.modules())
    assert left == UNFOLDED.get(name, 0)


def test_pieces_on_a_cpu_change_nothing(monkeypatch):
    frozen = inference.for_inference(used("resnet8"))
    x = torch.randn(10, 3, 32, 32)
    whole = frozen.features(x)
    monkeypatch.setattr(inference, "BYTES_A_PIECE", 3 * 32 * 32 * 4)
    assert [len(piece) for piece in inference.pieces(x)] == [3, 3, 2, 2]
    assert [len(piece) for piece in inference.pieces(x.bfloat16())] == [5, 5]
    pieces = frozen.features(x)
    for ours, theirs in zip((*pieces.maps, *pieces[1:]), (*whole.maps, *whole[1:]), strict=True):
        assert_close(ours, theirs)
    monkeypatch.setattr(inference, "BYTES_A_PIECE", 1)
    assert_close(frozen(x), whole.logits)


@pytest.mark.parametrize("threads", [2, 3])
def test_each_thread_reads_as_many_equal_pieces(monkeypatch, threads):
    monkeypatch.setattr(inference, "BYTES_A_PIECE", 3 * 32 * 32 * 4)
    sizes = [len(piece) for piece in inference.pieces(torch.randn(24, 3, 32, 32), threads)]
    assert sum(sizes) == 24
    assert max(sizes) <= 3
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) % threads == 0
    assert len(inference.pieces(torch.randn(3, 3, 32, 32), threads)) == 1


def test_threads_that_read_side_by_side_change_nothing(monkeypatch):
    monkeypatch.setattr(inference, "BYTES_A_PIECE", 3 * 32 * 32 * 4)
    frozen, x = inference.for_inference(used("resnet8")), torch.randn(20, 3, 32, 32, requires_grad=True)
    alone = frozen.features(x)
    read_by = set()
    monkeypatch.setattr(
        frozen.network, "features", lambda x, f=frozen.network.features: (read_by.add(threading.get_ident()), f(x))[1]
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        together, embedded, logits = frozen.features(x), frozen.embed(x), frozen(x)
        assert torch.get_num_threads() == 2
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 2
    finally:
        torch.set_num_threads(before)
    assert len(read_by - {threading.get_ident()}) >= 2
    assert threading.get_ident() not in read_by
    for ours, theirs in zip((*together.maps, *together[1:]), (*alone.maps, *alone[1:]), strict=True):
        assert_close(ours, theirs)
        assert not ours.requires_grad
    assert embedded.maps == ()
    for ours in (embedded.logits, logits):
        assert torch.equal(ours, together.logits)
    assert torch.equal(embedded.pooled, together.pooled)


def test_the_model_itself_stays_as_it_was():
    model = used("resnet8").train()
    before = copy.deepcopy(model.state_dict())
    frozen = inference.for_inference(model)
    frozen(torch.randn(2, 3, 32, 32))
    assert model.training
    assert all(p.requires_grad for p in model.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_frozen_network_stays_frozen():
    frozen = inference.for_inference(used("wrn_16_1"))  # it keeps some BatchNorm layers, which training would move
    x = torch.randn(4, 3, 32, 32)
    before = frozen(x)
    assert not before.requires_grad
    frozen.train()(10 + x)
    assert not any(module.training for module in frozen.modules())
    assert torch.equal(frozen(x), before)
    assert (frozen.name, frozen.image_sizes) == ("wrn_16_1", models.build("wrn_16_1", 10).image_sizes)


def test_its_logits_serve_a_loss_with_gradients():
    """A student learns from a frozen teacher's logits: inference-mode tensors would be refused by autograd."""
    teacher, student = inference.for_inference(used("resnet8")), models.build("tiny", 10)
    x = torch.randn(4, 3, 32, 32)
    (student(x).softmax(1) * teacher(x)).sum().backward()
    assert student.fc.weight.grad.abs().sum() > 0


class Shared(Network):
    """The convolution's output is read twice: folding BatchNorm into it would change the second reader."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)

    def features(self, x):
        first = self.conv(x)
        pooled = (self.bn(first) + first).mean((2, 3))
        return models.Features((first,), pooled, self.fc(pooled))


class Branching(Shared):
    """Its path depends on the values, which no graph can follow."""

    def features(self, x):
        x = self.bn(self.conv(x if x.sum() > 0 else -x))
        return models.Features((x,), x.mean((2, 3)), self.fc(x.mean((2, 3))))


@pytest.mark.parametrize("kind", [Shared, Branching])
def test_what_cannot_be_folded_is_left(kind):
    model = kind().eval()
    model.bn.running_mean.fill_(3)
    assert foldable(model) == []
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert_close(inference.for_inference(model)(x), model(x))


def test_freezing_twice_is_freezing_once():
    frozen = inference.for_inference(used("resnet8"))
    assert inference.for_inference(frozen) is frozen
    assert copy.deepcopy(frozen) is frozen
    with pytest.raises(UserError, match="frozen in float32 and cannot be read in bfloat16"):
        inference.for_inference(frozen, "bfloat16")


def test_a_copy_can_be_made_on_another_device():
    frozen = inference.for_inference(models.build("resnet8", 10), device=torch.device("meta"))
    assert frozen(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, 10)


def test_a_network_without_weights_can_be_frozen():
    blind, x = risk.Blind(10), torch.randn(4, 3, 8, 8)
    torch.testing.assert_close(inference.for_inference(blind)(x), blind(x))
