"""A GPU gives the CPU's numbers: of a network that is read, of a ranking, and of a student's training."""

import copy

import pytest
import torch

from kdutils import metrics, models, runs
from kdutils.inference import devices, for_inference, read

CLOSE = 1e-5  # relative; float32 differs by less than 1e-6, TF32 by nearly 1e-3


@pytest.fixture
def gpu(monkeypatch) -> torch.device:
    """This machine's GPU, without TF32 in its convolutions, or a skip."""
    found = devices.find()
    if found.type != "cuda":
        pytest.skip("no CUDA GPU on this machine")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    return found


@pytest.mark.parametrize("name", ["resnet20", "vgg8", "wrn_16_1", "MobileNetV2", "ShuffleV2"])
def test_the_logits_of_a_network(gpu, name):
    torch.manual_seed(0)
    network, x = models.build(name, 100, 32).eval(), torch.randn(64, 3, 32, 32)
    expected = read(for_inference(network), x).double()
    found = read(for_inference(network, device=gpu), x.to(gpu)).double().cpu()
    assert (found - expected).norm() < CLOSE * expected.norm()


def test_a_ranking_by_t_stddev(gpu, teacher, digits):
    schemes = ["identity", "crop_flip", "cutout", "mixup", "cutmix", "cutmixpick_t"]
    cpu, cuda = (
        metrics.rank_schemes(copy.deepcopy(teacher).to(device), digits, schemes, steps=30) for device in ("cpu", gpu)
    )
    assert cuda["t_stddev"].to_numpy() == pytest.approx(cpu["t_stddev"].to_numpy(), rel=1e-3)


def test_a_students_first_epochs(gpu, tmp_path):
    """Rounding grows as training goes on; the loss of the first epochs is still the same."""
    spec = {"dataset": "digits", "student": "resnet8", "method": "ce", "scheme": "cutmix", "epochs": 2}
    trained = [runs.students.start(runs.RunSpec(**spec, device=device), tmp_path) for device in ("cpu", "cuda")]
    cpu, cuda = ([training.epoch() for _ in range(2)] for training in trained)
    assert cuda == pytest.approx(cpu, rel=2e-3)
