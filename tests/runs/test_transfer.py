"""What comes from another store or a packed file is left out if it is not what it claims to be."""

import copy
import json
import os
import zipfile

import pytest
import torch

from kdutils.errors import UserError
from kdutils.report.recorded_runs import RESULTS
from kdutils.runs import RunSpec, Store, transfer
from kdutils.runs.store import CHECKPOINT, RESULT, WEIGHTS
from tests.runs.contents import CONTENT, KEY, answer, changed, question


@pytest.fixture
def theirs(tmp_path):
    return Store(tmp_path / "theirs")


@pytest.fixture
def ours(tmp_path):
    return Store(tmp_path / "ours")


def listing(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("packed", [True, False])
def test_a_result_that_is_no_answer_to_its_key_is_left_out_and_the_others_come(packed, theirs, ours, tmp_path):
    theirs.write(KEY, changed(result=None))
    theirs.write(question(1).key(), answer(2))
    theirs.write(question(3).key(), answer(3))
    before, source = listing(theirs.folder), theirs.folder
    if packed:
        source = tmp_path / "packed.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for path in theirs.folder.glob("*/*"):
                archive.write(path, path.relative_to(theirs.folder))
    with pytest.warns(UserWarning, match="is left out") as told:
        merged = transfer.merge(source, ours)
    assert len(told) == 2
    assert merged == transfer.Merged(added=[question(3).key()])
    assert transfer.table(ours).seed.tolist() == [3]
    assert listing(theirs.folder) == before  # somebody else's store stays as it is


@pytest.mark.parametrize("state", [{"student": {}}, {"losses": [1.0], "key": "f" * 16}, 3])
def test_a_checkpoint_that_is_none_is_left_out(state, theirs, ours):
    theirs.path(KEY, CHECKPOINT).parent.mkdir(parents=True)
    torch.save(state, theirs.path(KEY, CHECKPOINT))
    with pytest.warns(UserWarning, match=r"checkpoint\.pt cannot be used .* is left out"):
        assert transfer.merge(theirs.folder, ours) == transfer.Merged()
    assert not ours.path(KEY, CHECKPOINT).exists()


def test_weights_come_only_with_the_result_that_names_them(theirs, ours):
    theirs.write(KEY, CONTENT)
    theirs.path(KEY, WEIGHTS).write_bytes(b"of another run")
    assert transfer.merge(theirs.folder, ours).added == [KEY]
    assert not ours.path(KEY, WEIGHTS).exists()


def test_a_result_that_measured_more_is_the_same_answer_and_is_taken(theirs, ours):
    fuller = answer(0)
    fuller["result"] |= {"ece": 3.0, "ace": 0.5}
    for have, come in ((CONTENT, fuller), (fuller, CONTENT)):
        ours.write(KEY, have)
        theirs.write(KEY, come)
        assert transfer.merge(theirs.folder, ours) == transfer.Merged(same=[KEY])
        assert ours.read(KEY)["result"] == fuller["result"]
    other = copy.deepcopy(fuller)
    other["result"]["ece"] = 4.0
    theirs.write(KEY, other)
    assert transfer.merge(theirs.folder, ours) == transfer.Merged(differing=[KEY])


def test_the_results_that_come_with_the_book_are_answers_to_the_questions_of_today(ours):
    merged = transfer.merge(RESULTS / "store.zip", ours)
    with zipfile.ZipFile(RESULTS / "store.zip") as archive:
        assert len(merged.added) == sum(name.endswith(RESULT) for name in archive.namelist()) > 20
    for _, content in ours.results():
        if "result" in content:
            spec = transfer.asked(content, teacher_weights="{teacher}.pth")
            files = {"teacher_weights", content["spec"]["dataset"]}  # what these held is in the identity instead
            plain = {name: value for name, value in content["spec"].items() if name not in files}
            assert RunSpec.model_dump(spec, exclude={"data_dir", "teacher_weights"}, exclude_defaults=True) == plain


def spoiled_archive(path, spoil):
    """A packed store of which the bytes, from the compressed result on, are changed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{KEY}/{RESULT}", json.dumps(CONTENT))
    content = bytearray(path.read_bytes())
    spoil(content, 30 + len(f"{KEY}/{RESULT}"))
    path.write_bytes(content)


def set_everywhere(content, signature, offset, value):
    """Set a field of both headers of the archive's only member."""
    for at in (content.find(signature), content.find(b"PK\1\2")):
        content[at + offset + (2 if at else 0)] = value


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content, begin: content.__setitem__(slice(begin, begin + 8), b"\xff" * 8),  # no deflated data
        lambda content, begin: set_everywhere(content, b"PK\3\4", 6, 1),  # encrypted
        lambda content, begin: set_everywhere(content, b"PK\3\4", 8, 99),  # an unknown compression
        lambda content, begin: set_everywhere(content, b"PK\3\4", 8, 14),  # LZMA, which it is not
        lambda content, begin: content.__delitem__(slice(begin + 4, None)),
    ],
    ids=["torn", "encrypted", "unknown", "lzma", "cut"],
)
def test_an_archive_that_cannot_be_unpacked_is_one_line(spoil, ours, tmp_path):
    spoiled_archive(tmp_path / "packed.zip", spoil)
    with pytest.raises(UserError, match=r"packed\.zip is no packed store \(.*\): make it with") as told:
        transfer.merge(tmp_path / "packed.zip", ours)
    assert len(str(told.value).splitlines()) == 1


def test_what_is_no_file_is_refused_at_once(ours, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for name, why in (("pipe", "not a regular file"), ("nowhere", "No such file"), ("x" * 300, "File name too long")):
        with pytest.raises(UserError, match=f"cannot read .*: {why}"):
            transfer.merge(tmp_path / name, ours)


def test_a_bad_result_does_not_end_a_listing(ours):
    spec = RunSpec(student="tiny", method="ce", epochs=2, seed=5)
    ours.write(spec.key(), {**CONTENT, "spec": spec.identity()})
    ours.write(KEY, changed(result_test_loss="low"))
    with pytest.warns(UserWarning, match="cannot be used"):
        assert transfer.table(ours).seed.tolist() == [5]
    assert transfer.origin(ours, [spec.key(), KEY])["date"] == "2026-01-01; not recorded"
