"""Training against a plain step written out here, evaluation against scikit-learn, and what a resumed epoch gives."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from kdutils import augment, data, losses, models, seeds
from kdutils.augment import SCHEMES
from kdutils.errors import UserError
from kdutils.training import Schedule, Training, evaluate

BATCH, EPOCHS = 32, 8


@pytest.fixture(scope="module")
def few(digits):
    """100 training images: three batches of 32 and a last one of 4."""
    return data.first_per_class(digits, 10)


def tiny(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return models.build("tiny", 10, 16)


def make(few, teacher, scheme=None, method="kd", **options):
    """A training that begins; the student always starts from the same weights."""
    return Training(
        student=tiny(1),
        method=losses.build(method),
        dataset=few,
        schedule=options.pop("schedule", Schedule(EPOCHS, lr=0.02, batch_size=BATCH)),
        teacher=teacher,
        scheme=scheme and SCHEMES[scheme],
        **options,
    )


def weights(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


# --- The schedule -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [240, 480, 720])
def test_the_rate_falls_where_the_paper_says(epochs):
    """0.05, divided by ten after 150, 180 and 210 of 240 epochs; the epochs scale with their number (Sec. 5)."""
    schedule, scale = Schedule(epochs), epochs // 240
    rates = [schedule.rate(epoch) for epoch in range(epochs)]
    expected = [0.05] * 150 * scale + [0.005] * 30 * scale + [0.0005] * 30 * scale + [0.00005] * 30 * scale
    assert rates == pytest.approx(expected, rel=1e-12)


def test_short_schedules_keep_the_shares():
    rates = [Schedule(20, lr=1.0).rate(epoch) for epoch in range(20)]
    assert rates == pytest.approx([1] * 12 + [0.1] * 3 + [0.01] * 3 + [0.001] * 2)


def test_the_optimizer_follows_the_schedule(few):
    progress = make(few, None, method="ce", schedule=Schedule(4, lr=0.03, batch_size=BATCH))
    for epoch in range(4):
        progress.epoch()
        assert progress.optimizer.param_groups[0]["lr"] == progress.schedule.rate(epoch)
    assert progress.schedule.rate(3) < progress.schedule.rate(0) / 50


# --- Evaluation ---------------------------------------------------------------------------------------------------


def test_evaluation_is_scikit_learns_loss_and_accuracy(teacher, digits):
    found = evaluate(teacher, digits, digits.test)
    with torch.no_grad():
        p = torch.softmax(teacher(digits.normalise(digits.test.images)).double(), 1).numpy()
    y = digits.test.labels.numpy()
    assert found.loss == pytest.approx(log_loss(y, p), rel=1e-5)
    assert found.accuracy == pytest.approx(100 * accuracy_score(y, p.argmax(1)), rel=1e-12)
    assert 70 < found.accuracy < 99


def test_evaluation_reads_in_eval_mode_and_leaves_the_network_as_it_was(teacher, digits):
    network = copy.deepcopy(teacher).train()
    before = weights(network)
    assert evaluate(network, digits, digits.test) == evaluate(teacher, digits, digits.test)
    assert network.training
    assert same(weights(network), before)


# --- A step, written out ------------------------------------------------------------------------------------------


class Double(data.Dataset):
    """Images in double precision: what rounding changes in one step, later steps would make large."""

    def normalise(self, x):
        return super().normalise(x).double()


def plain_epoch(
    student, teacher, few, scheme, granularity="batch", pick_ratio=0.5, alpha=0.9, tau=4.0, lr=0.02, seed=0
):
    """One epoch of distillation as Fig. 3(b) draws it, with SGD by hand; `student` is changed."""
    settings = augment.settings(few, granularity)
    velocity = [torch.zeros_like(p) for p in student.parameters()]
    order = torch.randperm(len(few.train), generator=seeds.generator(seed, "order", 0))
    found = []
    for step, index in enumerate(order.split(BATCH)):
        generator = seeds.generator(seed, "step", 0, step)
        x = augment.crop_flip(few.train.images[index], len(index), generator, settings)
        x_prime = scheme and make_x_prime(scheme, x, generator, settings, few, student, teacher, pick_ratio)
        student.train()
        loss = on_x(student, teacher, few.normalise(x), few.train.labels[index], alpha, tau)
        if scheme:
            loss = loss + alpha * kl(student(x_prime), teacher(x_prime), tau)
        gradients = torch.autograd.grad(loss, list(student.parameters()))
        with torch.no_grad():
            for p, v, g in zip(student.parameters(), velocity, gradients, strict=True):
                v.copy_(0.9 * v + g + 5e-4 * p)
                p -= lr * v
        found.append(float(loss.detach()))
    return np.mean(found)


def on_x(student, teacher, x, y, alpha, tau):
    logits = student(x)
    hard = -torch.log(torch.softmax(logits, 1)[torch.arange(len(y)), y]).mean()
    return hard if teacher is None else (1 - alpha) * hard + alpha * kl(logits, teacher(x), tau)


def kl(student_logits, teacher_logits, tau):
    p, q = torch.softmax(teacher_logits.detach() / tau, 1), torch.softmax(student_logits / tau, 1)
    return tau**2 * (p * (p.log() - q.log())).sum(1).mean()


def make_x_prime(scheme, x, generator, settings, few, student, teacher, pick_ratio):
    """x' as the networks take it: of 1 / r pools one after another, those that surprise most."""
    runs = round(1 / pick_ratio) if SCHEMES[scheme].pick else 1
    pool = few.normalise(torch.cat([SCHEMES[scheme](x, generator, settings).x.float() for _ in range(runs)]))
    if runs == 1:
        return pool
    with torch.no_grad():
        p = torch.softmax({"student": student.eval(), "teacher": teacher}[SCHEMES[scheme].pick](pool), 1)
    surprise = -(p * p.log()).sum(1)
    return pool[surprise.argsort(descending=True)[: len(x)].sort().values]


@pytest.mark.parametrize(
    ("scheme", "options"),
    [
        (None, {}),
        ("identity", {}),
        ("crop_flip", {}),
        ("autoaugment", {"granularity": "sample"}),
        ("mixup", {}),
        ("cutmix", {"granularity": "sample"}),
        ("cutmixpick_s", {}),
        ("cutmixpick_t", {}),
        ("cutmixpick_t", {"pick_ratio": 0.25}),
    ],
)
def test_an_epoch_is_the_plain_one(scheme, options, few, teacher):
    exact, teacher, reference = Double(**vars(few)), copy.deepcopy(teacher).double(), tiny(1).double()
    progress = make(exact, teacher, scheme, **options)
    progress.student.double()
    loss = plain_epoch(reference, teacher, exact, scheme, **options)
    assert progress.epoch() == pytest.approx(loss, rel=1e-6)
    torch.testing.assert_close(progress.student.state_dict(), reference.state_dict(), rtol=1e-6, atol=1e-8)


def test_without_a_teacher_it_is_cross_entropy(few):
    progress, reference = make(few, None, method="ce"), tiny(1)
    assert progress.epoch() == pytest.approx(plain_epoch(reference, None, few, None), rel=1e-4)


def test_batchnorm_sees_x_and_x_prime_apart(few, teacher):
    """Two student forwards a step: the running statistics are moved twice."""
    steps = len(data.shuffled(100, BATCH, torch.Generator(), drop_last=False))
    for scheme, forwards in ((None, 1), ("cutmix", 2), ("cutmixpick_s", 2)):
        progress = make(few, teacher, scheme)
        progress.epoch()
        assert int(progress.student.bn1.num_batches_tracked) == forwards * steps


def test_the_teacher_stays_as_it_was(few, teacher):
    before = weights(teacher)
    make(few, teacher, "cutmixpick_t").epoch()
    assert same(weights(teacher), before)
    assert not teacher.training


def test_x_prime_never_sees_a_label(few, teacher):
    """With alpha 1 the labels reach nothing: other labels, the same student."""
    other = replace(few, train=replace(few.train, labels=few.train.labels.flip(0)))
    found = []
    for dataset in (few, other):
        progress = make(dataset, teacher, "mixup")
        progress.method = losses.build("kd", alpha=1.0)
        progress.epoch()
        found.append(weights(progress.student))
    assert same(*found)


@pytest.mark.parametrize(("standard", "images"), [("none", 1), ("flip", 2), ("crop_flip", 30)])
def test_the_standard_augmentation_can_be_chosen(standard, images, few, monkeypatch):
    one = replace(few, train=few.train.subset(torch.zeros(64, dtype=torch.int64)))
    seen = []
    monkeypatch.setattr(Training, "_normalise", lambda self, x: seen.append(x) or few.normalise(x))
    make(one, None, method="ce", standard=standard).epoch()
    shown = {image.numpy().tobytes() for image in torch.cat(seen)}
    assert len(shown) == images if images < 30 else len(shown) > images


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
