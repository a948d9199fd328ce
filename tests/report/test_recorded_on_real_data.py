"""Recorded rows, measured again on real images with other random numbers and fewer steps: they come out the same."""

from math import hypot
from pathlib import Path

import pandas as pd
import pytest

from kdutils import augment, data, metrics, models, report
from kdutils.report import recorded_runs
from kdutils.runs import RankSpec, RunSpec

pytestmark = pytest.mark.long

STEPS = 70  # 14 windows of K = 640
SCHEMES = {"again": ["identity", "cutmix", "cutmixpick_t"], "tiny_again": ["identity", "cutmixpick_t"]}  # by fixture
TINY_TEACHER = recorded_runs.RESULTS / "teachers" / "tinyimagenet_resnet20.safetensors"
WITHIN = 3.5  # standard errors of the difference; for a right value, outside once in two thousand


@pytest.fixture(scope="module")
def images(cifar100_dir: Path) -> data.Dataset:
    return data.load("cifar100", cifar100_dir)


@pytest.fixture(scope="module")
def again(images: data.Dataset, cifar100_dir: Path) -> pd.DataFrame:
    """Three schemes and the constant image for the public resnet20, with a seed that no recorded run has."""
    path = cifar100_dir / "cifar100_resnet20.pth"
    if not path.is_file():
        pytest.skip(f"no teacher weights {path.name} beside the data")
    teacher = models.load_weights(models.build("resnet20", 100), path)
    picture = images.train.images[:1]
    schemes = [*SCHEMES["again"], augment.Scheme("constant", "Constant image", lambda x: picture.expand_as(x))]
    with pytest.warns(UserWarning, match="constant"):
        return metrics.rank_schemes(teacher, images, schemes, steps=STEPS, seed=7).set_index("scheme")


@pytest.fixture(scope="module")
def tiny_again(tinyimagenet_dir: Path) -> pd.DataFrame:
    """Two schemes for the teacher of Tiny ImageNet that comes with the book."""
    teacher = models.load_weights(models.build("resnet20", 200, 64), TINY_TEACHER)
    images = data.load("tinyimagenet", tinyimagenet_dir)
    return metrics.rank_schemes(teacher, images, SCHEMES["tiny_again"], steps=60, seed=7).set_index("scheme")


RECORDED = {"again": "rank_resnet20", "tiny_again": "tiny_imagenet_rank"}


@pytest.mark.parametrize("metric", ["t_stddev", "mean_covariance", "mean_correlation"])
@pytest.mark.parametrize(("fixture", "scheme"), [(name, scheme) for name in SCHEMES for scheme in SCHEMES[name]])
def test_a_recorded_row_is_found_again_within_its_error(fixture, scheme, metric, request) -> None:
    measured = request.getfixturevalue(fixture).loc[scheme]
    recorded = report.recorded(RECORDED[fixture]).set_index("scheme").loc[scheme]
    assert abs(recorded[metric] - measured[metric]) < WITHIN * hypot(recorded[f"{metric}_se"], measured[f"{metric}_se"])


@pytest.mark.parametrize(
    ("fixture", "first", "second"),
    [
        ("again", "identity", "cutmix"),
        ("again", "cutmix", "cutmixpick_t"),
        ("tiny_again", "identity", "cutmixpick_t"),
    ],
)
def test_the_tolerance_is_smaller_than_what_it_guards(fixture, first, second, request) -> None:
    rows = request.getfixturevalue(fixture)
    error = hypot(rows.loc[first, "t_stddev_se"], rows.loc[second, "t_stddev_se"])
    assert rows.loc[first, "t_stddev"] - rows.loc[second, "t_stddev"] > WITHIN * error


def test_the_weights_in_the_repository_stay_small() -> None:
    assert 0 < sum(path.stat().st_size for path in TINY_TEACHER.parent.iterdir()) < 10e6


def test_a_constant_image_halves_t_stddev_for_this_teacher_too(again: pd.DataFrame) -> None:
    recorded = report.recorded("bad_resnet56").set_index("scheme")["t_stddev"]
    assert recorded["constant"] == pytest.approx(recorded["identity"] / 2, rel=1e-3)
    assert again.loc["constant", "t_stddev"] == pytest.approx(again.loc["identity", "t_stddev"] / 2, rel=1e-3)


def test_the_share_of_labels_that_the_teacher_refuses_is_found_again(again: pd.DataFrame) -> None:
    recorded = report.recorded("rank_resnet20").set_index("scheme")["label_disagreement"]
    n = 64 * STEPS
    for scheme in ("identity", "cutmix"):
        share = recorded[scheme]
        # one box a mini-batch makes the 64 images of a step alike: as if a step were a single draw
        error = (share * (1 - share) / (n if scheme == "identity" else STEPS)) ** 0.5
        assert abs(again.loc[scheme, "label_disagreement"] - share) < WITHIN * error


def test_recorded_keys_are_those_of_the_same_questions_on_these_data(cifar100_dir: Path) -> None:
    shared = {"dataset": "cifar100", "data_dir": str(cifar100_dir), "teacher": "resnet20"}
    weights = cifar100_dir / "cifar100_resnet20.pth"
    if not weights.is_file():
        pytest.skip(f"no teacher weights {weights.name} beside the data")
    ranking = RankSpec(**shared, teacher_weights=str(weights), steps=400)
    assert report.recorded_provenance("rank_resnet20")["key"] == ranking.key()
    studies = {"fewshot": 50, "fewshot_100": 100}
    for name in studies.keys() & set(report.recorded_names()):
        few = {"images_per_class": studies[name], "student": "resnet8", "epochs": 20, "teacher_weights": str(weights)}
        for row in report.recorded(name).itertuples():
            assert RunSpec(**shared, **few, scheme=row.scheme, seed=row.seed).key() == row.key
