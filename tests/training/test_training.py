"""The schedule, evaluation against scikit-learn, and what a resumed epoch gives."""

import copy

import pytest
import scipy.stats
import torch
from sklearn.metrics import accuracy_score, log_loss

from kdutils import data, stats, training
from kdutils.errors import UserError
from kdutils.training import Schedule, Training, evaluate
from tests.training.short import BATCH, EPOCHS, make, same, tiny, weights

# --- The schedule -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [240, 480, 720])
def test_the_rate_falls_where_the_paper_says(epochs):
    """0.05, divided by ten after 150, 180 and 210 of 240 epochs; the epochs scale with their number (Sec. 5)."""
    schedule, scale = Schedule(epochs), epochs // 240
    rates = [schedule.learning_rate(epoch) for epoch in range(epochs)]
    expected = [0.05] * 150 * scale + [0.005] * 30 * scale + [0.0005] * 30 * scale + [0.00005] * 30 * scale
    assert rates == pytest.approx(expected, rel=1e-12)


def test_short_schedules_keep_the_shares():
    rates = [Schedule(20, lr=1.0).learning_rate(epoch) for epoch in range(20)]
    assert rates == pytest.approx([1] * 12 + [0.1] * 3 + [0.01] * 3 + [0.001] * 2)


def test_the_optimizer_follows_the_schedule(few):
    progress = make(few, None, method="ce", schedule=Schedule(4, lr=0.03, batch_size=BATCH))
    for epoch in range(4):
        progress.epoch()
        assert progress.optimizer.param_groups[0]["lr"] == progress.schedule.learning_rate(epoch)
    assert progress.schedule.learning_rate(3) < progress.schedule.learning_rate(0) / 50


# --- Evaluation ---------------------------------------------------------------------------------------------------


def test_evaluation_is_scikit_learns_loss_and_accuracy(teacher, digits):
    found = evaluate(teacher, digits, digits.test)
    with torch.no_grad():
        p = torch.softmax(teacher(digits.normalise(digits.test.images)).double(), 1).numpy()
    y = digits.test.labels.numpy()
    assert found.loss == pytest.approx(log_loss(y, p), rel=1e-5)
    assert found.accuracy == pytest.approx(100 * accuracy_score(y, p.argmax(1)), rel=1e-12)
    assert 70 < found.accuracy < 99
    assert found.ece == pytest.approx(100 * stats.calibration_error(p.max(1), p.argmax(1) == y), abs=1e-4)
    assert found.ace == pytest.approx(100 * stats.adaptive_calibration_error(p, y), abs=1e-4)


def test_a_student_that_is_its_teacher_follows_it_and_another_does_not(teacher, digits):
    accuracy = evaluate(teacher, digits, digits.test).accuracy
    assert training.fidelity(teacher, teacher, digits, digits.test) == pytest.approx((100, 0, accuracy), abs=1e-6)
    student = tiny(1).train()
    found = training.fidelity(student, teacher, digits, digits.test)
    with torch.no_grad():
        x = digits.normalise(digits.test.images)
        q, p = (torch.softmax(net.eval()(x).double(), 1).numpy() for net in (student, teacher))
    assert found.agreement == pytest.approx(100 * accuracy_score(p.argmax(1), q.argmax(1)), rel=1e-12)
    assert found.teacher_kl == pytest.approx(scipy.stats.entropy(p, q, axis=1).mean(), rel=1e-5)
    assert found.teacher_accuracy == pytest.approx(accuracy)


def test_evaluation_reads_in_eval_mode_and_leaves_the_network_as_it_was(teacher, digits):
    network = copy.deepcopy(teacher).train()
    before = weights(network)
    assert evaluate(network, digits, digits.test) == evaluate(teacher, digits, digits.test)
    assert network.training
    assert same(weights(network), before)


# --- Learning -----------------------------------------------------------------------------------------------------


def test_a_network_learns_a_few_images_by_heart(digits):
    few = data.first_per_class(digits, 4)
    progress = make(few, None, method="ce", standard="none", schedule=Schedule(30, lr=0.05, batch_size=20))
    loss = [progress.epoch() for _ in range(30)]
    assert loss[-1] < 0.2 < 2 < loss[0]
    assert evaluate(progress.student, few, few.train).accuracy == 100


def test_a_student_comes_to_answer_as_its_teacher(digits, teacher):
    progress = make(data.first_per_class(digits, 40), teacher, "cutmix", schedule=Schedule(5, batch_size=BATCH))
    for _ in range(5):
        progress.epoch()
    with torch.no_grad():
        student = progress.student.eval()
        answers = [network(digits.normalise(digits.test.images)).argmax(1) for network in (student, teacher)]
    assert float((answers[0] == answers[1]).float().mean()) > 0.5  # untrained: about 0.1


# --- Repeating and resuming ---------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_student_and_another_seed_another(few, teacher):
    before = torch.get_rng_state()
    first, again, other = (make(few, teacher, "autoaugment", seed=seed) for seed in (0, 0, 1))
    for progress in (first, again, other):
        progress.epoch()
    assert same(weights(first.student), weights(again.student))
    assert not same(weights(first.student), weights(other.student))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("scheme", [None, "cutmixpick_s"])
def test_a_resumed_training_goes_on_bit_for_bit(scheme, few, teacher, tmp_path):
    undisturbed = make(few, teacher, scheme)
    for _ in range(4):
        undisturbed.epoch()
    broken_off = make(few, teacher, scheme)
    for _ in range(2):
        broken_off.epoch()
    torch.save(broken_off.state(), tmp_path / "state.pt")
    resumed = make(few, teacher, scheme)
    torch.rand(7)  # whatever else happened
    resumed.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    assert resumed.epochs_done == 2
    for _ in range(2):
        resumed.epoch()
    assert resumed.losses == undisturbed.losses
    assert same(weights(resumed.student), weights(undisturbed.student))


def test_a_training_is_quiet_where_there_is_no_terminal(few, capfd):
    make(few, None, method="ce").epoch()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_loss_that_is_not_finite_stops_the_training(value, few, monkeypatch):
    progress = make(few, None, method="ce")
    progress.epoch()
    monkeypatch.setattr(Training, "_step", lambda self, *args: torch.tensor(float(value)))
    with pytest.raises(UserError, match=f"the training loss became {value} in epoch 2; try a lower learning rate"):
        progress.epoch()
    assert (progress.epochs_done, len(progress.losses)) == (1, 1)


def test_a_rate_that_is_far_too_high_ends_in_that_error(few):
    progress = make(few, None, method="ce", schedule=Schedule(EPOCHS, lr=1e30, batch_size=BATCH))
    with pytest.raises(UserError, match="the training loss became nan in epoch 1"):
        progress.epoch()


def test_an_impossible_share_or_granularity_is_refused_before_training(few, teacher):
    with pytest.raises(UserError, match="pick_ratio"):
        make(few, teacher, "cutmixpick_t", pick_ratio=0.4)
    with pytest.raises(UserError, match="unknown granularity"):
        make(few, teacher, "cutmix", granularity="pixel")


def test_a_student_in_bfloat16_learns_nearly_the_same_and_keeps_its_weights_in_float32(few, teacher):
    made = {name: make(few, teacher, "mixup", student_precision=name) for name in ("float32", "bfloat16")}
    exact, short = (progress.epoch() for progress in made.values())
    assert 0 < abs(exact - short) < 0.02 * exact
    assert {weights.dtype for weights in made["bfloat16"].student.parameters()} == {torch.float32}


def test_an_unknown_precision_of_the_student_is_refused(few, teacher):
    with pytest.raises(UserError, match=r"float16.*float32, bfloat16"):
        make(few, teacher, "mixup", student_precision="float16")
