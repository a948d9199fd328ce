"""Sweeps on a real Dask cluster of processes on this machine."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from kdutils import sweep
from kdutils.errors import UserError
from kdutils.runs import Store
from kdutils.sweep import on_dask
from kdutils.sweep.jobs import Board

distributed = pytest.importorskip("distributed", reason="the extra kdutils[cluster] is not installed")

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("default")]  # Dask warns of many things of its own
TINY = {"student": "tiny", "method": "ce", "images_per_class": 13}


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator["distributed.LocalCluster"]:
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        local_directory=str(tmp_path_factory.mktemp("dask")),
        silence_logs="CRITICAL",
    ) as made:
        yield made


def test_a_worker_killed_in_the_middle_changes_nothing(
    dask: "distributed.LocalCluster", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, killed, ends = Board.take, [], []

    def kill_one_after_an_epoch(board: Board, event: object) -> None:
        if event.kind == "epoch" and event.epochs == 2 and not killed:
            killed.append(next(iter(dask.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)
        if event.kind == "done":
            ends.append(event.key)
        take(board, event)

    monkeypatch.setattr(Board, "take", kill_one_after_an_epoch)
    specs = sweep.grid(**TINY, epochs=12, scheme=["none", "cutmix"], seed=[0, 1])
    table = sweep.sweep(specs, tmp_path / "cluster", scheduler=dask.scheduler_address)
    assert len(killed) == 1
    assert sorted(ends) == sorted(spec.key() for spec in specs)
    pd.testing.assert_frame_equal(table, sweep.sweep(specs, tmp_path / "here", workers=0))


def test_a_budget_stops_the_runs_on_a_cluster_with_their_checkpoints(
    dask: "distributed.LocalCluster", tmp_path: Path
) -> None:
    with distributed.Client(dask, set_as_default=False) as client:
        client.run(warm_up, TINY, str(tmp_path / "{}"))  # so that the budget goes into epochs
    (spec,) = sweep.grid(**TINY, epochs=100_000)
    table = sweep.sweep([spec], tmp_path, scheduler=dask.scheduler_address, budget=3)
    assert table.status[0] == "stopped"
    assert len(Store(tmp_path).read_checkpoint(spec.key())["losses"]) > 0
    with Store(tmp_path).lock(spec.key(), timeout=100):
        pass  # nobody works on it any more


def warm_up(values: dict, store: str) -> None:
    """Import and read, in a worker, all that a run needs."""
    from kdutils.sweep.worker import perform

    perform(values | {"epochs": 1}, store.format(os.getpid()))


def test_what_goes_wrong_on_a_worker_fails_its_run_in_its_own_words(
    dask: "distributed.LocalCluster", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where kdutils is not installed there; it is no death, and not tried again."""
    monkeypatch.setattr(on_dask, "perform_on_worker", divide)
    with pytest.warns(UserWarning, match="1 of 1 runs failed"):
        table = sweep.sweep(sweep.grid(**TINY, epochs=1), tmp_path, scheduler=dask.scheduler_address)
    assert table.error[0] == "on its Dask worker: ZeroDivisionError: division by zero"


def divide(task: dict, topic: str) -> float:
    return 1 / 0


def test_workers_get_whole_paths_of_what_lies_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    assert on_dask._absolute("data") == str(tmp_path / "data")
    assert [on_dask._absolute(name) for name in ("crd", "")] == ["crd", ""]  # a publisher of weights; the default


def test_workers_build_a_network_that_a_file_of_this_folder_holds(
    dask: "distributed.LocalCluster", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is named from this folder, in which the workers are not."""
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(
        "from torch import nn\n\n\ndef linear(num_classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(768, num_classes))\n"
    )
    (spec,) = sweep.grid(**TINY | {"student": "own.py:linear"}, epochs=1)
    table = sweep.sweep([spec], tmp_path / "cluster", scheduler=dask.scheduler_address)
    assert list(table.status) == ["done"], table.error[0]
    assert list(table.key) == [spec.key()]
    assert sweep.sweep([spec], tmp_path / "here", workers=0).test_loss[0] == table.test_loss[0]


def test_a_scheduler_without_workers_is_said_to_be_waited_for(tmp_path: Path) -> None:
    with distributed.LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", silence_logs="CRITICAL") as empty:
        specs = sweep.grid(**TINY, epochs=1)
        with pytest.warns(UserWarning, match="has no workers yet; waiting"):
            table = sweep.sweep(specs, tmp_path, scheduler=empty.scheduler_address, budget=1)
    assert list(table.status) == ["waiting"]


def test_a_scheduler_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_dask, "CONNECT_SECONDS", 0.2)
    with pytest.raises(UserError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        sweep.sweep(sweep.grid(**TINY), tmp_path, scheduler="tcp://127.0.0.1:9")
    with pytest.raises(UserError, match="neither an address"):
        sweep.sweep(sweep.grid(**TINY), tmp_path, scheduler=str(tmp_path / "none.json"))


def test_without_dask_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_dask, "distributed", None)
    with pytest.raises(UserError, match=r"kdutils\[cluster\]"):
        sweep.sweep(sweep.grid(**TINY), tmp_path, scheduler="tcp://127.0.0.1:9")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"address": 5}', '"tcp://127.0.0.1:9"'])
def test_a_scheduler_file_that_names_none_is_refused_in_a_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "dask.json").write_text(text)
    with pytest.raises(UserError, match=r"dask\.json is no scheduler file: `dask scheduler --scheduler-file` writes"):
        sweep.sweep(sweep.grid(**TINY), tmp_path, scheduler=str(tmp_path / "dask.json"))


@pytest.mark.parametrize("address", ["tls://127.0.0.1:9", "ucx://127.0.0.1:9", "tcp://", "tcp://127.0.0.1", "x://y:1"])
def test_an_address_that_cannot_be_used_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(on_dask, "CONNECT_SECONDS", 0.2)
    before = {thread.ident for thread in threading.enumerate()}
    with pytest.raises(UserError, match="no Dask scheduler answers at") as caught:
        sweep.sweep(sweep.grid(**TINY), tmp_path, scheduler=address)
    assert len(str(caught.value).splitlines()) == 1
    started = [thread.name for thread in threading.enumerate() if thread.ident not in before]
    assert "IO loop" not in started, "the refused client lives on, until a garbage collection stops the next one"
