"""The store: a result that is written comes back or is set aside."""

import errno
import json
import math
import os

import pytest

from kdutils.errors import UserError
from kdutils.runs import Store, store
from kdutils.runs.identities import canonical, digest
from kdutils.runs.store import CHECKPOINT, RESULT, WEIGHTS
from tests.runs.contents import CONTENT, KEY, RANKING, ROWS, answer, changed, question

# --- Hashes -------------------------------------------------------------------------------------------------------


def test_equal_content_gives_equal_text_whatever_its_order():
    assert canonical({"b": 1, "a": [1.0, "x"]}) == canonical({"a": [1.0, "x"], "b": 1}) == '{"a":[1.0,"x"],"b":1}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1}) != digest({"a": 2, "b": 1.5})


def test_a_digest_survives_being_written_and_read():
    content = {"tuple": (1, 2), "float": 0.1, "nan": float("nan"), "text": "τ"}
    assert digest(json.loads(json.dumps(content))) == digest(content)


# --- Results ------------------------------------------------------------------------------------------------------


def test_a_result_comes_back_as_it_was_written(shelf):
    assert shelf.read(KEY) is None
    shelf.write(KEY, CONTENT)
    assert shelf.read(KEY) == CONTENT
    assert [path.name for path in (shelf.folder / KEY).iterdir()] == [RESULT]


def test_what_is_not_a_number_comes_back_in_a_ranking(shelf):
    shelf.write(RANKING.key(), {"spec": RANKING.identity(), "rows": ROWS})
    found = shelf.read(RANKING.key())["rows"]
    assert found[0] == ROWS[0]
    assert math.isnan(found[1]["t_stddev"])


def test_a_result_ends_the_checkpoint_that_led_to_it(shelf):
    shelf.write_checkpoint(KEY, {"losses": []})
    shelf.write(KEY, CONTENT)
    assert not shelf.path(KEY, CHECKPOINT).exists()


def edited(text):
    return text.replace("3.0", "2.0")


@pytest.mark.parametrize(
    "spoil",
    [
        edited,
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: '["digest"]',
        lambda text: "null",
        lambda text: '"text"',
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "digest"}),
        lambda text: text + "}",
        lambda text: "[" * 100_000,
    ],
)
def test_a_result_that_cannot_be_trusted_is_set_aside_with_a_warning(spoil, shelf):
    shelf.write(KEY, CONTENT)
    path = shelf.path(KEY, RESULT)
    spoiled = spoil(path.read_text())
    assert spoiled != path.read_text()
    path.write_text(spoiled)
    with pytest.warns(UserWarning, match=r"result\.json cannot be used \(.*set aside as result\.json\.damaged"):
        assert shelf.read(KEY) is None
    assert not path.exists()
    assert path.with_name("result.json.damaged").read_text() == spoiled
    assert shelf.read(KEY) is None


def test_bytes_that_are_no_text_are_set_aside(shelf):
    shelf.write(KEY, CONTENT)
    shelf.path(KEY, RESULT).write_bytes(b"\xff\xfe\x00")
    with pytest.warns(UserWarning, match="cannot be used"):
        assert shelf.read(KEY) is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (answer(1), "it answers another question than its key says"),
        (changed(spec_seed=1), "it answers another question"),
        (changed(result=None), "result: Input should be an object"),
        (changed(result="x"), "result: Input should be an object"),
        (changed(spec=None), "spec: Input should be an object"),
        ({"result": CONTENT["result"]}, "spec: Field required"),
        (changed(result_test_loss="0.3"), "result.test_loss: Input should be a valid number"),
        (changed(result_test_loss=True), "result.test_loss: Input should be a valid number"),
        (changed(result_test_loss=math.nan), "result.test_loss: Input should be a finite number"),
        (changed(result_test_loss=-1.0), "result.test_loss: Input should be greater than or equal to 0"),
        (changed(result_test_accuracy=400.0), "result.test_accuracy: Input should be less than or equal to 100"),
        (changed(result={"loss": 0.3, **CONTENT["result"], "test_loss": None}), "result.test_loss: "),
        (changed(result_train_losses=[1.0]), "it has 1 losses for 2 epochs"),
        (changed(result_weights_sha256="none"), "result.weights_sha256: "),
        (changed(spec_student="\x1b]0;"), "spec.student: text with control characters"),
        (changed(spec_epochs="2"), "spec.epochs: Input should be a valid integer"),
        (changed(made={"date": 3}), "made.date: Input should be a valid string"),
        ({"spec": RANKING.identity(), "rows": ROWS}, "it answers another question"),
    ],
)
def test_a_well_signed_result_that_is_no_answer_to_its_key_is_set_aside(content, why, shelf):
    """Its digest says only that the file is as it was written."""
    shelf.write(KEY, content)
    with pytest.warns(UserWarning, match="cannot be used") as told:
        assert shelf.read(KEY) is None
    assert f"({why}" in str(told[0].message)
    assert len(str(told[0].message).splitlines()) == 1


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (ROWS[:1], "its rows are not the schemes asked for"),
        (ROWS[::-1], "its rows are not the schemes asked for"),
        ([ROWS[0], {**ROWS[1], "entropy": "high"}], "rows.1.entropy: Input should be a valid number"),
        ([{"t_stddev": 0.1}], "rows.0.scheme: Field required"),
        (None, "rows: Input should be a valid array"),
    ],
)
def test_a_ranking_of_another_form_is_set_aside(rows, why, shelf):
    shelf.write(RANKING.key(), {"spec": RANKING.identity(), "rows": rows})
    with pytest.warns(UserWarning, match="cannot be used") as told:
        assert shelf.read(RANKING.key()) is None
    assert f"({why}" in str(told[0].message)


def test_names_that_this_process_does_not_know_are_no_reason_to_distrust(shelf):
    """Another process may have registered the scheme, and a later version may have more fields."""
    spec = {**question(0).identity(), "scheme": "mine", "code": {"scheme mine": "a" * 64}, "later": 3}
    key = digest({"RunSpec": spec})[:16]
    shelf.write(key, {**CONTENT, "spec": spec})
    assert shelf.read(key)["spec"] == spec


def test_all_results_are_listed_by_key_without_the_damaged(shelf):
    keys = sorted(question(seed).key() for seed in range(3))
    for seed in range(3):
        shelf.write(question(seed).key(), answer(seed))
    shelf.path(keys[1], RESULT).write_text("{")
    (shelf.folder / "a copy of mine").mkdir()
    (shelf.folder / "a copy of mine" / RESULT).write_text("{")
    with pytest.warns(UserWarning, match="cannot be used") as told:
        assert [key for key, _ in shelf.results()] == [keys[0], keys[2]]
    assert len(told) == 1
    assert (shelf.folder / "a copy of mine" / RESULT).exists()


def test_a_result_that_cannot_be_read_does_not_hide_the_others(shelf):
    for seed in range(3):
        shelf.write(question(seed).key(), answer(seed))
    shelf.path(KEY, RESULT).unlink()
    os.mkfifo(shelf.path(KEY, RESULT))
    with pytest.warns(UserWarning, match=r"left out: cannot read .*result\.json: not a regular file"):
        assert len(list(shelf.results())) == 2


def test_a_folder_that_one_may_not_look_into_is_not_empty(shelf, monkeypatch):
    def denied(folder):
        raise PermissionError(errno.EACCES, "Permission denied", folder)

    monkeypatch.setattr(os, "listdir", denied)
    with pytest.raises(UserError, match=rf"cannot read the store {shelf.folder}: Permission denied"):
        shelf.keys(RESULT)


def test_nothing_is_moved_in_somebody_elses_store(shelf):
    shelf.write(KEY, answer(1))
    shelf.path(KEY, CHECKPOINT).write_bytes(b"torn")
    before = sorted(path.name for path in shelf.path(KEY, "").iterdir())
    theirs = Store(shelf.folder, ours=False)
    with pytest.warns(UserWarning, match=r"result\.json cannot be used \(it answers another .* is left out"):
        assert theirs.read(KEY) is None
    with pytest.warns(UserWarning, match=r"checkpoint\.pt cannot be used .* is left out"):
        assert theirs.read_checkpoint(KEY) is None
    assert sorted(path.name for path in shelf.path(KEY, "").iterdir()) == before


def test_a_result_is_refused_where_its_weights_are_asked_for_and_are_not_there(shelf):
    path = shelf.path(KEY, WEIGHTS)
    path.parent.mkdir()
    path.write_bytes(b"weights")
    shelf.write(KEY, changed(result_weights_sha256=store.sha256(path)))
    assert shelf.read(KEY, weights=True) == shelf.read(KEY)
    for spoil in (lambda: path.write_bytes(b"others"), path.unlink):
        spoil()
        assert shelf.read(KEY) is not None
        assert shelf.read(KEY, weights=True) is None
    assert shelf.path(KEY, RESULT).exists()  # it is still a result


def test_a_store_that_is_not_there_is_empty(tmp_path):
    assert list(Store(tmp_path / "nowhere").results()) == []


def test_a_store_that_cannot_be_read_is_an_error_for_people(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"cannot read .*result\.json: Not a directory"):
        Store(tmp_path / "taken").read(KEY)
