"""Sweeps on a real Dask cluster of processes on this machine."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from kdutils import cluster, sweep
from kdutils.board import Board
from kdutils.errors import UserError
from kdutils.store import Store

distributed = pytest.importorskip("distributed", reason="the extra kdutils[cluster] is not installed")

pytestmark = pytest.mark.filterwarnings("default")  # Dask warns of many things of its own
TINY = {"student": "tiny", "method": "ce", "images_per_class": 13}


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator["distributed.LocalCluster"]:
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=None,
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
    (spec,) = sweep.grid(**TINY, epochs=100_000)
    table = sweep.sweep([spec], tmp_path, scheduler=dask.scheduler_address, budget=10)
    assert table.status[0] == "stopped"
    assert len(Store(tmp_path).read_checkpoint(spec.key())["losses"]) > 0
    with Store(tmp_path).lock(spec.key(), timeout=30):
        pass  # nobody works on it any more


def test_what_goes_wrong_on_a_worker_fails_its_run_in_its_own_words(
    dask: "distributed.LocalCluster", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where kdutils is not installed there; it is no death, and not tried again."""
    monkeypatch.setattr(cluster, "perform_on_worker", divide)
    with pytest.warns(UserWarning, match="1 of 1 runs failed"):
        table = sweep.sweep(sweep.grid(**TINY, epochs=1), tmp_path, scheduler=dask.scheduler_address)
    assert table.error[0] == "on its Dask worker: ZeroDivisionError: division by zero"


def divide(task: dict, topic: str) -> float:
    return 1 / 0


def test_workers_get_whole_paths_of_what_lies_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    assert cluster._absolute("data") == str(tmp_path / "data")
    assert [cluster._absolute(name) for name in ("crd", "")] == ["crd", ""]  # a publisher of weights; the default


def test_a_scheduler_without_workers_is_said_to_be_waited_for(tmp_path: Path) -> None:
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs="CRITICAL") as empty:
        specs = sweep.grid(**TINY, epochs=1)
        with pytest.warns(UserWarning, match="has no workers yet; waiting"):
            table = sweep.sweep(specs, tmp_path, scheduler=empty.scheduler_address, budget=1)
    assert list(table.status) == ["waiting"]


def test_a_scheduler_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.2)
    with pytest.raises(UserError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        sweep.sweep(sweep.grid(**TINY), tmp_path, scheduler="tcp://127.0.0.1:9")
    with pytest.raises(UserError, match="neither an address"):
        sweep.sweep(sweep.grid(**TINY), tmp_path, scheduler=str(tmp_path / "none.json"))


def test_without_dask_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "distributed", None)
    with pytest.raises(UserError, match=r"kdutils\[cluster\]"):
        sweep.sweep(sweep.grid(**TINY), tmp_path, scheduler="tcp://127.0.0.1:9")
