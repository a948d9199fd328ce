"""Views are the images that `rank_schemes` measures, image by image, and mixed images are counted as it counts them."""

import pytest
import torch
from torch import nn

from kdutils import augment, data, metrics
from kdutils.augment import Scheme
from kdutils.data import Dataset
from kdutils.errors import UserError
from kdutils.metrics import responses

STEPS = 6


class Brightness(nn.Module):
    """A teacher of three classes that looks at the mean of each third of the image."""

    def forward(self, x):
        return torch.stack([part.mean((1, 2, 3)) for part in x.chunk(3, dim=2)], dim=1) * 3


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (100, 3, 12, 12), generator=generator, dtype=torch.uint8)
    images[:, :, :, ::2] //= torch.randint(1, 4, (100, 1, 1, 1), generator=generator, dtype=torch.uint8)
    labels = Brightness()(images.float()).argmax(1)
    split = data.MemorySplit(images, labels)
    return Dataset("noise", split, split, ("a", "b", "c"), 12, (0.4,) * 3, (0.2,) * 3, 2, 4, "cifar10")


@pytest.fixture(scope="module")
def teacher() -> nn.Module:
    return Brightness()


@pytest.mark.filterwarnings("ignore:the outputs for 'blank' collapse")
@pytest.mark.parametrize("scheme", augment.SCHEMES)
def test_views_are_what_rank_schemes_measures(scheme, teacher, dataset):
    options = dict(batch_size=8, seed=3, student=teacher)
    (row,) = metrics.rank_schemes(teacher, dataset, scheme, steps=STEPS, k=32, **options).to_dict("records")
    seen = responses.collect(responses.views(teacher, dataset, scheme, STEPS, **options))
    assert len(seen.lam) == STEPS * 8
    assert float(seen.entropy().mean()) == pytest.approx(row["entropy"], rel=1e-5)
    assert responses.answers(seen)["disagrees"].mean() == pytest.approx(row["label_disagreement"])


@pytest.mark.parametrize("scheme", ["identity", "autoaugment", "cutmixpick_t"])
def test_windows_of_mean_probabilities_give_t_stddev(scheme, teacher, dataset):
    (row,) = metrics.rank_schemes(teacher, dataset, scheme, steps=STEPS, batch_size=8, k=32, seed=3).to_dict("records")
    means = responses.mean_probabilities(teacher, dataset, scheme, STEPS, batch_size=8, seed=3)
    (whole,) = responses.growing(means, 2, [3]).to_dict("records")
    assert whole["t_stddev"] == pytest.approx(row["t_stddev"], rel=1e-5)
    assert whole["t_stddev_se"] == pytest.approx(row["t_stddev_se"], rel=1e-4)
    assert (whole["n_u"], whole["steps"]) == (3, 6)


def test_windows_drop_what_is_left_over():
    means = torch.arange(7.0).unsqueeze(1)
    assert responses.windows(means, 3).flatten().tolist() == [1, 4]


def test_distance_is_the_probability_that_moves(teacher, dataset):
    (same,) = responses.views(teacher, dataset, "identity", 1, batch_size=8)
    assert same.distance().tolist() == [0] * 8
    p, q = torch.tensor([[0.7, 0.2, 0.1]]), torch.tensor([[0.1, 0.2, 0.7]])
    assert same.take([0])._replace(p=p, p_prime=q).distance().item() == pytest.approx(0.6)


def test_a_users_scheme_is_taken_as_it_is(teacher, dataset):
    rolled = Scheme("rolled", "Rolled", lambda x: x.roll(1, 0))
    (view,) = responses.views(teacher, dataset, rolled, 1, batch_size=8)
    assert torch.equal(view.x_prime, view.x.roll(1, 0))


def mixed(own, partner, said, lam):
    """Views that only say what was mixed and what the teacher predicts (of three classes, with 80 %)."""
    p = torch.full((len(lam), 3), 0.1).scatter(1, torch.tensor(said).unsqueeze(1), 0.8)
    own, partner, empty = torch.tensor(own), torch.tensor(partner), torch.zeros(len(lam))
    return responses.Views(empty, empty, p, p, empty, own, partner, torch.tensor(lam))


def test_answers_name_what_the_teacher_sees():
    table = responses.answers(
        mixed(own=[0, 0, 0, 1, 2], partner=[1, 1, 1, 1, 0], said=[0, 1, 2, 1, 2], lam=[0.9, 0.9, 0.4, 0.2, 0.5])
    )
    assert table["answer"].tolist() == ["own", "partner", "neither", "own", "own"]
    assert table["mixed_label"].tolist() == [0, 0, 1, 1, 2]
    assert table["disagrees"].tolist() == [False, True, True, False, False]
    assert table["confidence"].tolist() == pytest.approx([0.8] * 5)


def test_another_networks_answers_replace_the_teachers():
    seen = mixed(own=[0], partner=[1], said=[0], lam=[0.9])
    (row,) = responses.answers(seen, torch.tensor([[0.2, 0.7, 0.1]])).to_dict("records")
    assert (row["answer"], row["disagrees"], row["confidence"]) == ("partner", True, pytest.approx(0.7))


def test_by_lambda_counts_each_image_once():
    seen = mixed(own=[0] * 6, partner=[1] * 6, said=[0, 1, 2, 1, 0, 2], lam=[0.0, 0.15, 0.35, 0.95, 1.0, 0.55])
    table = responses.by_lambda(responses.answers(seen), bins=2)
    assert table["n"].tolist() == [3, 3]
    assert table[["own", "partner", "neither"]].to_numpy() == pytest.approx(1 / 3)
    assert table["disagreement"].tolist() == pytest.approx([2 / 3, 2 / 3])
    assert table["low"].iloc[0] == pytest.approx(0.2077, abs=1e-3)  # Wilson's interval of 2 in 3
    assert responses.by_lambda(responses.answers(seen), bins=10)["n"].tolist() == [1, 1, 1, 1, 2]


def test_captions_name_the_likeliest_classes_above_one_per_cent():
    p = torch.tensor([[0.2, 0.75, 0.05], [0.001, 0.005, 0.994]])
    assert responses.top_answers(p, ("cat", "dog", "cow"), top=2) == ["dog 75%\ncat 20%", "cow 99%"]


@pytest.mark.parametrize(
    ("scheme", "options", "message"),
    [
        ("flip", {"steps": 0}, "at least 1 is needed, got 0"),
        ("cutmx", {}, "Did you mean 'cutmix'"),
        ("cutmixpick_s", {}, "give a student"),
        ("flip", {"batch_size": 101}, "fewer than one mini-batch of 101"),
    ],
)
def test_what_cannot_be_viewed_is_refused(scheme, options, message, teacher, dataset):
    with pytest.raises(UserError, match=message):
        next(responses.views(teacher, dataset, scheme, **{"steps": 1, **options}))
