"""Where a command may write is settled before its work, and nothing that is not ours is replaced."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from kdutils import _files, cli, report
from kdutils.book import build
from kdutils.cli import output, rank
from kdutils.errors import UserError
from kdutils.report import recorded_runs

TABLE = pd.DataFrame({"a": [1]})


def run(*words):
    done = CliRunner().invoke(cli.app, [str(word) for word in words])
    return done.exit_code, done.stderr


def test_a_table_of_ours_is_replaced(tmp_path):
    path = tmp_path / "rank.csv"
    output.check_output(path)
    output.write_table(path, TABLE, {"command": "kdutils rank"})
    output.check_output(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", "x,y"), ("a.json", "{}"), ("a.json", "no json"), ("a.json", '{"command": 3}'), ("a.json", "[" * 10_000)],
)
def test_a_file_of_somebody_elses_is_kept(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=f"{name} was not written by kdutils, so it is kept"):
        output.check_output(tmp_path / "a.csv")


RANKING = pd.DataFrame({"scheme": ["flip", "mine"], "t_stddev": [0.02, 0.01], "t_stddev_se": [0.001, 0.002]})


@pytest.mark.parametrize("suffix", output.FIGURES)
def test_a_figure_of_ours_is_replaced_and_another_is_kept(tmp_path, suffix):
    path = tmp_path / f"rank{suffix}"
    output.check_plot(path)
    rank.write_plot(path, RANKING, "kdutils rank tiny, digits")
    output.check_plot(path)
    path.write_bytes(b"my own picture")
    with pytest.raises(UserError, match="was not written by kdutils, so it is kept"):
        output.check_plot(path)


def test_a_figure_has_a_known_form(tmp_path):
    with pytest.raises(UserError, match=r"rank\.jpg must end in one of: \.svg, \.png, \.pdf"):
        output.check_plot(tmp_path / "rank.jpg")


def test_a_table_is_no_folder_and_no_device(tmp_path):
    (tmp_path / "a.csv").mkdir()
    (tmp_path / "b.json").mkdir()
    for name in ("a.csv", "b.csv"):
        with pytest.raises(UserError, match="is a folder"):
            output.check_output(tmp_path / name)


def test_the_bench_looks_at_its_output_first(tmp_path, monkeypatch):
    from kdutils.cli import bench

    monkeypatch.setattr(bench.processors, "bench", lambda *given: pytest.fail("the work began"))
    (tmp_path / "package.json").write_text("{}", encoding="utf-8")
    for place in (tmp_path / "package.json", "/proc/x", tmp_path):
        status, said = run("bench", "--out", place)
        assert (status, len(said.splitlines())) == (1, 1), said
    assert run("bench", "--threads", "²")[0] == 1


def test_an_export_keeps_what_is_no_packed_store(tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for place in (tmp_path / "notes.txt", "/dev/null", tmp_path):
        status, said = run("results", "export", place, "--store", store)
        assert (status, len(said.splitlines())) == (1, 1), said
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_nothing_is_recorded_without_a_clone(tmp_path, monkeypatch):
    monkeypatch.setattr(_files.repository, "__defaults__", (tmp_path,))
    output.check_record("")
    for ask in (lambda: output.check_record("mine"), lambda: report.write_recorded("mine", TABLE, {})):
        with pytest.raises(UserError, match="needs the project's repository"):
            ask()


@pytest.mark.parametrize("port", ["65536", "-1", "0"])
def test_a_port_that_is_none_is_one_line(port):
    status, said = run("serve", "--port", port)
    assert (status, len(said.splitlines())) == (2, 1), said


def test_a_file_in_the_place_of_the_build_folder_is_one_line(tmp_path):
    for name in ("_build", "_config.yml"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match="cannot build into"):
        build.build(tmp_path)


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"", b"[" * 100_000])
@pytest.mark.parametrize("ending", ["csv", "json"])
def test_a_recording_that_cannot_be_read_is_one_line(tmp_path, monkeypatch, damage, ending):
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    report.write_recorded("mine", TABLE, {"command": "kdutils rank"})
    (tmp_path / f"mine.{ending}").write_bytes(damage)
    with pytest.raises(UserError, match="record it again"):
        recorded_runs.recorded("mine")
