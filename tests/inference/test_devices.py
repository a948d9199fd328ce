"""Devices by name, on a machine that has only a CPU: what it says of others, and which it takes if there are any."""

import pytest
import torch

from kdutils import augment, data, metrics, models, runs, sweep
from kdutils.errors import UserError
from kdutils.inference import devices
from kdutils.sweep import local


@pytest.fixture
def two_gpus(monkeypatch):
    """PyTorch as it answers where there are two GPUs."""
    monkeypatch.delenv("KDUTILS_DEVICE", raising=False)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.delenv("KDUTILS_DEVICE", raising=False)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: None)


@pytest.mark.usefixtures("two_gpus")
def test_the_devices_of_a_machine_with_two_gpus(monkeypatch):
    assert [str(devices.find(name)) for name in ("auto", "cpu", "cuda", "cuda:1")] == ["cuda", "cpu", "cuda", "cuda:1"]
    with pytest.raises(
        UserError, match="no device 'cuda:2' on this machine; choose one of: auto, cpu, cuda, cuda:0, c"
    ):
        devices.find("cuda:2")
    monkeypatch.setenv("KDUTILS_DEVICE", "cuda:1")
    assert [str(devices.find(name)) for name in ("auto", "cpu")] == ["cuda:1", "cpu"]


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_it_is_the_cpu(monkeypatch):
    assert devices.find() == torch.device("cpu")
    for name in ("cuda", "mps", "meta"):
        with pytest.raises(UserError, match=f"no device '{name}' on this machine; choose one of: auto, cpu$"):
            devices.find(name)
    monkeypatch.setenv("KDUTILS_DEVICE", "mps")
    with pytest.raises(UserError, match=r"no device 'mps' on this machine \(KDUTILS_DEVICE=mps\); choose one"):
        devices.find()


@pytest.mark.parametrize("kind", [runs.RunSpec, runs.RankSpec])
def test_a_device_is_named_in_a_specification_and_changes_no_key(kind):
    words = {"teacher": "tiny"} | ({"student": "tiny"} if kind is runs.RunSpec else {})
    assert kind(**words, device="cuda:1").key() == kind(**words).key()
    with pytest.raises(UserError, match="unknown device 'gpu'; write one as: auto, cpu, cuda, cuda:1, mps, xpu"):
        kind(**words, device="gpu")


@pytest.mark.usefixtures("no_gpu")
def test_a_device_that_is_not_here_is_said_before_a_teacher_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(runs.students, "_train", lambda *_: pytest.fail("trained"))
    with pytest.raises(UserError, match="no device 'cuda'"):
        runs.rank(runs.RankSpec(teacher="tiny", steps=15, device="cuda"), tmp_path)
    spec = runs.RunSpec(teacher="tiny", student="tiny", device="cuda")
    monkeypatch.undo()
    monkeypatch.setattr(runs.students, "load_teacher", lambda *_: pytest.fail("trained"))
    with pytest.raises(UserError, match="no device 'cuda'"):
        runs.run(spec, tmp_path)
    with pytest.raises(UserError, match="no device 'cuda'"):
        sweep.sweep([spec], tmp_path, workers=1)


def test_a_sweep_has_one_device(tmp_path):
    specs = sweep.grid(student="tiny", method="ce", device=["cpu", "auto"])
    with pytest.raises(UserError, match="a sweep has one device, not auto, cpu"):
        sweep.sweep(specs, tmp_path)


@pytest.mark.usefixtures("two_gpus")
def test_workers_take_turns_at_gpus_unless_one_is_named(monkeypatch):
    monkeypatch.delenv("KDUTILS_WORKERS", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [local.default_workers(name) for name in ("auto", "cuda", "cuda:1")] == [2, 2, 1]
    seen = [local._environment(number, "cuda").get("CUDA_VISIBLE_DEVICES") for number in range(3)]
    assert seen == ["0", "1", "0"]
    assert [local._environment(1, name).get("CUDA_VISIBLE_DEVICES") for name in ("cpu", "cuda:1")] == [None, None]


def test_networks_of_two_devices_are_refused():
    teacher, student = (models.build("tiny", 10, 16) for _ in range(2))
    with pytest.raises(UserError, match=r"the student is on meta and the teacher on cpu: use student.to\('cpu'\)"):
        metrics.rank_schemes(teacher, data.load("digits"), steps=15, student=student.to("meta"))


def test_findings_are_read_at_once_on_a_cpu_and_now_and_then_elsewhere():
    found = devices.Findings()
    assert found.add(torch.tensor([1.0, 3.0])) == [1, 3]
    assert found.read() == []
    elsewhere, read = devices.Findings(every=3), []
    with torch.device("meta"):
        for _ in range(2):
            read += elsewhere.add(torch.zeros(2))
    assert read == []
    with pytest.raises(NotImplementedError), torch.device("meta"):  # the third is read out
        elsewhere.add(torch.zeros(2))


def test_what_was_not_yet_read_of_a_scheme_is_told_at_the_end():
    """As on a GPU, whose figures are not read at each step."""
    scheme = augment.Scheme("mine", "Mine", lambda x: x)
    chain = augment.chain([augment.find("flip"), scheme])
    scheme.found.worst = torch.tensor([0.0, 2, -1, 255, 8, 0, 0])
    with pytest.raises(UserError, match=r"'mine': x' lies in 0..1 in 2 of 8 images"):
        chain.settle()
    chain.settle()  # told once
