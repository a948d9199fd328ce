"""Runs through the store: the same question has the same answer, and teachers are found or trained once."""

import copy

import pytest
import torch

from kdutils import augment, models, runs, training
from kdutils.errors import UserError
from kdutils.runs import Store, students, transfer
from kdutils.runs.store import WEIGHTS
from tests.runs.helpers import EPOCHS


def test_a_run_is_fixed_by_its_specification(make, undisturbed, tmp_path):
    spec, result = undisturbed("cutmixpick_s")
    assert runs.run(spec, tmp_path) == result
    other = runs.run(make("cutmixpick_s", seed=1), tmp_path)
    assert other.test_loss != result.test_loss
    assert len(result.train_losses) == EPOCHS


def test_what_is_known_is_not_trained_again(make, tmp_path, monkeypatch):
    spec = make(epochs=1)
    first = runs.run(spec, tmp_path)
    monkeypatch.setattr(students, "_train", lambda *args: pytest.fail("trained again"))
    assert runs.run(spec, tmp_path) == first


def test_the_result_is_what_the_stored_student_gives(make, tmp_path, digits):
    spec = make("cutmix", epochs=2)
    result = runs.run(spec, tmp_path)
    student = runs.load_student(spec, tmp_path)
    assert not student.training
    found = training.evaluate(student, digits, digits.test)
    assert found[:2] == (result.test_loss, result.test_accuracy)
    assert found[2:] == pytest.approx((result.ece, result.ace), rel=1e-6)
    followed = training.fidelity(student, runs.load_teacher(spec, tmp_path), digits, digits.test)
    recorded = result.agreement, result.teacher_kl, result.teacher_accuracy
    assert followed == pytest.approx(recorded, rel=1e-5)  # the teacher was frozen then
    teachers = training.evaluate(runs.load_teacher(spec, tmp_path), digits, digits.test).accuracy
    assert followed.teacher_accuracy == pytest.approx(teachers)


def test_a_result_from_before_calibration_was_measured_is_still_one(make, tmp_path):
    spec = make(epochs=1)
    runs.run(spec, tmp_path)
    shelf = Store(tmp_path)
    forget(shelf, spec)
    assert runs.run(spec, tmp_path).agreement is None
    assert transfer.table(shelf).loc[0, "ece":"teacher_kl"].isna().all()


def forget(shelf, spec, names=("ece", "ace", "agreement", "teacher_kl")):
    """Make the result one of a version that did not measure this."""
    content = shelf.read(spec.key())
    for name in names:
        del content["result"][name]
    shelf.write(spec.key(), content)


def test_what_was_not_measured_is_measured_again_and_the_rest_stays(make, tmp_path):
    spec, shelf = make(epochs=1, seed=3), Store(tmp_path)
    first = runs.run(spec, tmp_path)
    forget(shelf, spec, ["ece", "ace", "agreement", "teacher_kl"])
    assert [key for key, _ in transfer.lacking(shelf)] == [spec.key()]
    again = runs.evaluate_again(spec, tmp_path)
    new = {"ece", "ace", "agreement", "teacher_kl"}
    assert again.model_dump(include=new) == pytest.approx(first.model_dump(include=new), rel=1e-5)
    assert again.model_dump(exclude=new) == first.model_dump(exclude=new)
    assert runs.run(spec, tmp_path) == again
    assert list(transfer.lacking(shelf)) == []


def test_only_the_student_of_the_result_is_evaluated_again(make, tmp_path):
    spec, shelf = make(epochs=1, seed=3), Store(tmp_path)
    runs.run(spec, tmp_path)
    content = shelf.read(spec.key())
    content["result"]["test_loss"] *= 1.01
    shelf.write(spec.key(), content)
    with pytest.raises(UserError, match=r"its test loss was .* now, as if of other images"):
        runs.evaluate_again(spec, tmp_path)
    shelf.path(spec.key(), WEIGHTS).unlink()
    with pytest.raises(UserError, match="its weights are not in"):
        runs.evaluate_again(spec, tmp_path)


def test_a_run_is_quiet_where_there_is_no_terminal(make, tmp_path, capfd):
    runs.run(make(epochs=1), tmp_path)
    assert capfd.readouterr() == ("", "")


# --- Teachers -----------------------------------------------------------------------------------------------------


def test_a_teacher_with_weights_is_read_from_its_file(make, teacher, tmp_path):
    found = runs.load_teacher(make(), tmp_path)
    assert all(torch.equal(value, teacher.state_dict()[name]) for name, value in found.state_dict().items())
    assert not found.training
    assert list(tmp_path.iterdir()) == []


def test_a_teacher_that_does_not_fit_the_images_is_warned_of_before_its_student_learns(make, teacher, tmp_path):
    other, file = copy.deepcopy(teacher), tmp_path / "other.safetensors"
    other.fc.weight.copy_(teacher.fc.weight.roll(1, 0))  # the classes in another order
    models.save_weights(other, file)
    runs.start(make(), tmp_path)
    with pytest.warns(UserWarning, match=r"the teacher agrees with .* does it have the same classes in the same order"):
        runs.start(make(teacher_weights=str(file)), tmp_path)


def test_a_teacher_without_weights_is_trained_once_on_all_images(make, tmp_path, monkeypatch):
    spec = make(teacher_weights="", teacher_epochs=1, epochs=1)
    of_teacher = runs.teacher_spec(spec)
    assert (of_teacher.student, of_teacher.method, of_teacher.epochs) == ("tiny", "ce", 1)
    assert (of_teacher.images_per_class, of_teacher.scheme, of_teacher.teacher) == (0, "none", "")
    runs.run(spec, tmp_path)
    assert Store(tmp_path).read(of_teacher.key()) is not None
    began = []
    monkeypatch.setattr(students, "_train", lambda spec, *args: began.append(spec) or pytest.fail("trained again"))
    runs.load_teacher(make(teacher_weights="", teacher_epochs=1), tmp_path)
    assert began == []


def test_a_teacher_that_answers_in_bfloat16_makes_another_run_of_nearly_the_same_loss(make, tmp_path):
    spec = make(precision="bfloat16")
    assert spec.key() != make().key()
    progress, exact = runs.start(spec, tmp_path), runs.start(make(), tmp_path)
    loss, plain = progress.epoch(), exact.epoch()
    assert loss != plain
    assert loss == pytest.approx(plain, rel=0.01)  # 8 bits of mantissa, averaged over the epoch


def never_train(monkeypatch):
    monkeypatch.setattr(training.Training, "epoch", lambda self: pytest.fail("training began"))


def test_weights_of_another_network_are_refused_before_training(make, tmp_path, monkeypatch):
    never_train(monkeypatch)
    models.save_weights(models.build("resnet8", 10, 16), tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=r"does not fit tiny: conv1\.weight is \(16, 3, 3, 3\) in the file"):
        runs.run(make(teacher_weights=str(tmp_path / "other.safetensors")), tmp_path / "store")


@pytest.fixture
def scheme():
    """Register a user's scheme under the same name again and again."""

    def scheme(fn, pick=""):
        augment.SCHEMES.pop("mine", None)
        return augment.register("mine", "Mine", fn, pick)

    yield scheme
    augment.SCHEMES.pop("mine", None)


def test_a_scheme_of_the_same_name_that_does_something_else_is_another_run(scheme, make, ranking, tmp_path):
    scheme(lambda x: x.float() * 0.5)
    ranking = ranking.model_copy(update={"schemes": ("identity", "mine")})
    dark, darks = runs.run(make("mine", epochs=1), tmp_path), runs.rank(ranking, tmp_path)
    scheme(lambda x: x.flip(2))
    assert runs.run(make("mine", epochs=1), tmp_path).train_losses != dark.train_losses
    assert runs.rank(ranking, tmp_path).t_stddev[1] != darks.t_stddev[1]
    scheme(lambda x: x.float() * 0.5)
    assert runs.run(make("mine", epochs=1), tmp_path) == dark
    key = make("mine").key()
    scheme(lambda x: x.float() * 0.5, pick="teacher")
    assert make("mine").key() != key


def test_a_scheme_that_fails_is_refused_before_a_teacher_is_trained(scheme, make, ranking, tmp_path, monkeypatch):
    never_train(monkeypatch)
    scheme(lambda x: x[::2])
    untaught = {"teacher_weights": ""}
    for start in (
        lambda: runs.run(make("mine", **untaught), tmp_path),
        lambda: runs.rank(ranking.model_copy(update={"schemes": ("mine",), **untaught}), tmp_path),
    ):
        with pytest.raises(UserError, match="'mine' must keep the shape of x"):
            start()


def test_a_store_that_cannot_be_used_is_named_before_training(make, tmp_path, monkeypatch):
    never_train(monkeypatch)
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="taken"):
        runs.run(make(), tmp_path / "taken")
