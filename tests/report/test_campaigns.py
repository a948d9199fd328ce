"""The campaigns: their files are valid grids of the sizes they say, and their state is what is recorded."""

import re
import shlex
from collections import Counter

import pandas as pd
import pytest
from typer.testing import CliRunner

from kdutils import data, paper, report, sweep
from kdutils.cli import app
from kdutils.cli.sweep import grids, read_file
from kdutils.report import campaigns, recorded_runs
from kdutils.runs import teacher_spec

FOLDER = campaigns.CAMPAIGNS.parent


def specs(path, **given):
    return [spec for values in grids(path, given) for spec in sweep.grid(**values)]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_a_file_holds_as_many_different_runs_as_its_row_says(path, tmp_path):
    given = {}
    if read_file(path)["dataset"] == "folder":  # whose images, and the weights, the command names
        weights = tmp_path / "teacher.pth"
        weights.write_bytes(b"a teacher")
        images = data.folder.write(data.load("digits"), tmp_path / "images")
        given = {"teacher_weights": [str(weights)], "data_dir": [str(images)]}
    row = campaigns.planned().set_index(campaigns.planned()["recorded"].str[0]).loc[path.stem]
    assert f"--file book/campaigns/{path.name}" in row.command
    assert len({spec.key() for spec in specs(path, **given)}) == row.runs


@pytest.mark.parametrize("path", sorted(FOLDER.glob("few_*.toml")), ids=lambda path: path.stem)
def test_a_file_of_weights_per_teacher_is_named_for_runs_with_a_teacher_only(path):
    asked = specs(path, data_dir=["images"], teacher_weights=["{teacher}.pth"])
    assert [spec.teacher_weights for spec in asked] == [spec.teacher and f"{spec.teacher}.pth" for spec in asked]


def test_table_1_asks_for_three_runs_of_every_cell_that_is_distilled():
    cells = paper.table(1)
    cells = cells[cells["method"] != "ce"]
    wanted = {(c.teacher, c.student, c.method, c.scheme or "none", int(c.epochs)): 3 for c in cells.itertuples()}
    asked = Counter((s.teacher, s.student, s.method, s.scheme, s.epochs) for s in specs(FOLDER / "table1.toml"))
    assert asked == wanted


def test_the_short_students_have_the_teachers_that_are_trained_first():
    trained = {spec.key() for spec in specs(FOLDER / "teachers.toml")}
    taught = {teacher_spec(spec).key() for spec in specs(FOLDER / "short.toml")}
    assert taught < trained  # resnet32x4 waits for Table 1's pairs


def test_table_1_finishes_its_first_pair_before_it_begins_the_others():
    pairs = [(spec.teacher, spec.student) for spec in specs(FOLDER / "table1.toml")]
    first = pairs.count(("resnet56", "resnet20"))
    assert set(pairs[:first]) == {("resnet56", "resnet20")}


@pytest.mark.parametrize("row", list(campaigns.planned().itertuples()), ids=lambda row: row.recorded[0])
def test_every_command_names_flags_that_exist(row):
    name, *words = shlex.split(row.command)[1:]
    flags = {word for word in words if word.startswith("--")}
    if name == "run-notebook":
        return  # its flags are the notebook's parameters, which its own tests check
    told = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"}).output
    assert flags <= set(re.findall(r"--[a-z-]+", told))


def test_the_state_counts_students_and_files(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    assert set(campaigns.planned()["done"]) == {0}
    report.write_recorded("fewshot", pd.DataFrame({"test_loss": [1.0, 2.0]}), report.provenance())
    report.write_recorded("fewshot_rank", pd.DataFrame({"t_stddev": [1.0, 2.0]}), report.provenance())
    table = campaigns.planned().set_index("title")
    row = next(table.loc[title] for title in table.index if title.startswith("Few-shot"))
    assert (row.done, campaigns.state(row.done, row.runs)) == (3, "3 of 28 runs recorded")
    assert "3 of 28 runs recorded" in campaigns.page()


def test_what_is_recorded_belongs_to_a_campaign_or_measures_the_machine():
    known = {name for names in campaigns.planned()["recorded"] for name in names}
    assert set(report.recorded_names()) - known <= {"bench", "costs", "growth"}


def test_how_much_is_there_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    frame = pd.DataFrame({"a": [1]})
    assert campaigns.how_much("one") == "not recorded yet"
    assert recorded_runs.or_empty("one", "a", "b").columns.tolist() == ["a", "b"]
    report.write_recorded("one", frame, {"runs": 1, "planned_runs": 2})
    assert campaigns.how_much("one") == "1 of 2 runs recorded"
    assert recorded_runs.or_empty("one", "a", "b")["a"].tolist() == [1]
    report.write_recorded("one", frame, {"runs": 2, "planned_runs": 2})
    assert campaigns.how_much("one") == "all recorded"


def test_the_commands_shown_are_those_of_what_is_missing():
    table = campaigns.planned()
    blocks = campaigns.page().split("```console\n")[1:]
    shown = {" ".join(block.split("```")[0].replace("\\\n", " ").split()) for block in blocks}
    for row in table.itertuples():  # whole: after_taught's command begins that of after_taught_mixup
        assert (row.command in shown) is (row.done < row.runs)
    assert max(map(len, campaigns.page().split("```console\n")[1].split("```")[0].splitlines())) <= 86


def test_a_recorded_run_has_the_title_and_the_size_of_its_campaign():
    assert set(campaigns.planned()["size"]) == {"laptop", "short", "paper"}
    assert campaigns.size_of("short_rank_vgg13") == "short"
    assert campaigns.size_of("bench") == ""
    assert campaigns.title_of("bad_resnet56") == "The appendix's bad augmentation, in both readings (laptop size)."
    assert campaigns.title_of("bench") == "A measurement of the machine."


def test_the_size_and_title_of_a_run_are_known_without_reading_any():
    assert campaigns.size_of("fewshot") == "laptop"
    assert campaigns.title_of("fewshot").endswith("(laptop size).")
    assert recorded_runs.used() == {}
