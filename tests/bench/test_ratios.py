"""The bench's arithmetic, its table and its command; bfloat16 against float32; the estimates of a sweep."""

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from kdutils import cli, data, metrics, models, sweep
from kdutils.bench import growth, modern, paper_costs, processors, ratios
from kdutils.errors import UserError
from kdutils.inference import read, reader
from kdutils.runs import RankSpec, RunSpec, Store
from kdutils.sweep import estimate


def test_the_shortest_of_interleaved_times_counts_without_the_warm_up() -> None:
    ticks, calls = iter([0, 1, 10, 19, 20, 25, 30, 34, 40, 43]), []
    works = {name: lambda name=name: calls.append(name) for name in ("a", "b")}
    assert ratios._race(works, 2, lambda: next(ticks)) == {"a": 4, "b": 3}
    assert calls == ["a", "b"] * 3


def test_an_aim_is_met_from_its_bound_on() -> None:
    step = {"slow": 6.0, "fast": 1.0}
    least = [ratios._row(ratios.Aim("x", "slow", "fast", least=bound), step, 1)["met"] for bound in (5.9, 6.0, 6.1)]
    most = [ratios._row(ratios.Aim("x", "slow", "fast", most=bound), step, 1)["met"] for bound in (5.9, 6.0, 6.1)]
    assert (least, most) == ([True, True, False], [False, True, True])


def test_a_fast_way_is_slower_than_its_twin_beyond_noise_only() -> None:
    twin, other = (ratios.Aim("x", "slow", "fast", twin=flag) for flag in (True, False))
    slower = [ratios._row(twin, {"slow": slow, "fast": 1.0}, 1)["slower"] for slow in (0.9, 0.96, 2.0)]
    assert slower == [True, False, False]
    assert not ratios._row(other, {"slow": 0.1, "fast": 1.0}, 1)["slower"]


def test_every_aim_names_ways_that_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest networks and images; matrix products in bfloat16 take long on a processor without it."""
    for name, value in {"TEACHER": "tiny", "STUDENT": "tiny", "SIZE": 16, "MATRIX": 64}.items():
        monkeypatch.setattr(ratios, name, value)
    monkeypatch.setattr(modern, "WORKERS", 0)
    monkeypatch.setattr(ratios, "has_bfloat16", lambda: True)
    threads = torch.get_num_threads()
    table = ratios.bench(threads=1, rounds=1)
    assert list(table.name) == [aim.name for aim in ratios.AIMS]
    assert ((table.ratio - table.first_seconds / table.second_seconds).abs() < 1e-12).all()
    assert (table.first_seconds > 0).all()
    assert torch.get_num_threads() == threads


def test_memory_does_not_grow_with_the_number_of_steps() -> None:
    before, after = ratios.memory(steps=55)
    assert before == after


def test_the_command_writes_its_ratios_with_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"name": "n", "isa": "AVX2", "ratio": 7.0, "least": 6.0, "most": float("nan"), "met": True, "slower": True}
    monkeypatch.setattr(
        processors, "bench", lambda threads, rounds: pd.DataFrame([row | {"threads": each} for each in threads])
    )
    monkeypatch.setattr(ratios, "memory", lambda: (10, 10))
    monkeypatch.setattr(growth, "bench", lambda: pd.DataFrame({"what": ["w"], "n": [15], "ratio": [1.0]}))
    out = tmp_path / "bench.json"
    assert CliRunner().invoke(cli.app, ["bench", "--threads", "1,2", "--out", str(out)]).exit_code == 0
    content = json.loads(out.read_text())
    assert [each["threads"] for each in content["ratios"]] == [1, 2]
    assert content["ratios"][0]["most"] is None
    assert content["growth"] == [{"what": "w", "n": 15, "ratio": 1.0}]
    assert content["machine"]
    assert CliRunner().invoke(cli.app, ["bench", "--threads", "some"]).exit_code == 1
    assert CliRunner().invoke(cli.app, ["bench", "--check"]).exit_code == 1
    row["slower"] = False
    assert CliRunner().invoke(cli.app, ["bench", "--check"]).exit_code == 0


def test_each_kind_of_processor_is_measured_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def run(command: list[str], env: dict[str, str], **_: object) -> SimpleNamespace:
        asked.append((command[-2:], env.get("ONEDNN_MAX_CPU_ISA"), env.get("ATEN_CPU_CAPABILITY")))
        return SimpleNamespace(stdout=f"name,isa\nn,{'AVX2' if asked[1:] else 'AVX512'}\n")

    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    monkeypatch.setattr(processors.subprocess, "run", run)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert list(processors.bench([1, 2], 3)["isa"]) == ["AVX512", "AVX2"]
    assert asked == [(["1,2", "3"], None, None), (["1,2", "3"], "AVX2", "avx2")]
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert len(processors.bench([1], 3)) == 1


def test_the_child_prints_its_table_with_the_instructions_it_used(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratios, "bench", lambda threads, rounds: pd.DataFrame({"threads": [threads], "ratio": [2.5]}))
    processors.main("1,2", "3")
    isa = torch.backends.cpu.get_cpu_capability()
    assert capsys.readouterr().out.splitlines() == ["threads,ratio,isa", f"1,2.5,{isa}", f"2,2.5,{isa}"]


def test_bfloat16_changes_t_stddev_by_less_than_its_error_at_100_steps(teacher, digits) -> None:
    """The windows are the same, so the difference is that of the arithmetic alone."""
    schemes = ["identity", "mixup", "cutmixpick_t"]
    exact = metrics.rank_schemes(teacher, digits, schemes, steps=25)
    short = metrics.rank_schemes(teacher, digits, schemes, steps=25, precision="bfloat16")
    difference = (exact.t_stddev - short.t_stddev).abs()
    assert (difference > 0).all()  # it does compute in 16 bits
    assert (difference < exact.t_stddev_se / 2).all()  # 100 steps halve the error


def test_bfloat16_on_a_real_teacher(cifar100_dir: Path) -> None:
    weights = cifar100_dir / "cifar100_resnet20.pth"
    if not weights.is_file():
        pytest.skip(f"no teacher weights at {weights.name} beside the data")
    teacher = models.load_weights(models.build("resnet20", 100), weights)
    images = data.load("cifar100", cifar100_dir)
    exact, short = (
        metrics.rank_schemes(teacher, images, ["identity", "cutmixpick_t"], steps=25, precision=precision)
        for precision in ("float32", "bfloat16")
    )
    at_100_steps = exact.t_stddev_se / 2
    assert ((exact.t_stddev - short.t_stddev).abs() < at_100_steps).all()


def test_precision_is_chosen_by_name_and_is_no_part_of_an_old_key() -> None:
    with pytest.raises(UserError, match="Did you mean 'bfloat16'"):
        RankSpec(teacher="tiny", precision="bfloat61")
    plain, short = RankSpec(teacher="tiny"), RankSpec(teacher="tiny", precision="bfloat16")
    assert "precision" not in plain.identity()
    assert plain.key() != short.key()


def test_only_networks_of_kdutils_are_read_in_bfloat16() -> None:
    with pytest.raises(UserError, match="not for Flatten"):
        reader(torch.nn.Flatten(), "bfloat16")
    assert read(reader(models.build("tiny", 10), "bfloat16"), torch.zeros(2, 3, 16, 16)).dtype == torch.float32


def test_flops_of_a_step_are_those_of_its_passes() -> None:
    """A KD step: a forward pass of the teacher; the student's, and its backward pass but for the images' gradient."""
    (spec,) = sweep.grid(pair="tiny/tiny", epochs=1)
    counter = torch.utils.flop_counter.FlopCounterMode(display=False)
    model, x = models.build("tiny", 10, 16), torch.zeros(spec.batch_size, 3, 16, 16)
    with counter, torch.no_grad():
        model.eval()(x)
    forward = counter.get_total_flops()
    stem = 2 * 8 * 3 * 9 * 16 * 16 * spec.batch_size
    assert estimate.cost(spec).step_flops == pytest.approx(4 * forward - stem)


def test_an_estimate_counts_steps_and_leaves_no_trace(tmp_path: Path) -> None:
    specs = sweep.grid(pair="tiny/tiny", scheme=["none", "cutmix", "mixup"], epochs=4, teacher_epochs=2)
    state = torch.random.get_rng_state()
    began = time.perf_counter()
    table = estimate.estimate(sweep.plan(specs, Store(tmp_path / "store")).values())
    took = time.perf_counter() - began
    assert list(table["pair"]) == ["tiny", "tiny/tiny", "tiny/tiny"]
    assert list(table.runs) == [1, 1, 2]
    assert list(table.steps) == [2 * 16, 4 * 16, 8 * 16]
    assert table.schemes[2] == "cutmix mixup"
    assert (table.step_seconds < took).all()
    assert ((table.hours * 3600 - table.steps * table.step_seconds).abs() < 1e-9).all()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not (tmp_path / "store").exists()


def test_the_full_grid_counts_each_training_of_the_paper_once() -> None:
    kinds = paper_costs.trainings()
    assert not kinds.duplicated(["dataset", *paper_costs.KIND]).any()
    pair = kinds[(kinds.dataset == "cifar100") & (kinds.teacher == "resnet56") & (kinds.student == "resnet20")]
    counted = pair.set_index(["method", "views"])
    # Table 3's seven schemes other than CutMixPick; the last two, and CutMixPick for 960 epochs; KD for 240 and 960
    assert counted.loc[("kd", "x, x'"), ["runs", "epochs"]].tolist() == [3 * 7, 3 * 7 * 240]
    assert counted.loc[("kd", "x, pool"), ["runs", "epochs"]].tolist() == [3 * 3, 3 * (2 * 240 + 960)]
    assert counted.loc[("kd", "x"), ["runs", "epochs"]].tolist() == [3 * 2, 3 * (240 + 960)]
    assert (kinds[kinds.method == "ce"].teacher == "").all()


def test_flops_of_few_images_tell_those_of_many() -> None:
    kind = {"teacher": "resnet8", "student": "vgg8", "method": "kd", "views": "x, pool"}
    few, many = (
        estimate.measure(paper_costs._spec(kind, n), paper_costs.noise(32, 100), 100, timed_steps=1).step_flops
        for n in (2, 16)
    )
    assert many == 8 * few


def test_the_grid_is_its_steps_times_a_measured_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def price(spec: RunSpec, dataset: data.Dataset, *_: object) -> estimate.Cost:
        return estimate.Cost(2.0, 1e9 * spec.batch_size * dataset.image_size**2, 782)

    monkeypatch.setattr(paper_costs, "measure", price)
    table = paper_costs.full_grid().set_index(["dataset", *paper_costs.KIND])
    row = table.loc[("tinyimagenet", "resnet56", "resnet20", "kd", "x")]
    assert (row.step_seconds, row.step_gflops) == (4 * 2.0, 64 * 64**2)
    assert row.hours == pytest.approx(row.epochs * 100_000 / 64 * 8.0 / 3600)
    assert f"{table.hours.sum():,.0f} hours" in paper_costs.total(table)
