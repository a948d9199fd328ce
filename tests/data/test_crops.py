"""Random resized crops against torchvision's, and where they take the place of the padded crop."""

import math
import time

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from torchvision.transforms import RandomResizedCrop

from kdutils import data, inference, losses, metrics, models, runs, seeds, training
from kdutils.data import crops, lazy
from kdutils.data.core import batches


def boxes(width, height, n=4000):
    draws = crops.draw(n, seeds.generator(0))
    return np.array([crops.random_box(width, height, each) for each in draws])


@pytest.mark.parametrize(("width", "height"), [(500, 375), (224, 224), (300, 900)])
def test_boxes_are_distributed_as_torchvisions(width, height):
    """Areas, ratios and places of 4,000 crops each, by Kolmogorov and Smirnov's test; torchvision rounds to pixels."""
    image = torch.empty(3, height, width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        theirs = [RandomResizedCrop.get_params(image, list(crops.AREA), list(crops.RATIO)) for _ in range(4000)]
    upper, left, high, wide = np.array(theirs, dtype=float).T
    ours = boxes(width, height)
    assert (ours[:, :2] >= 0).all()
    assert (ours[:, 2:] <= np.array([width, height]) + 1e-9).all()
    w, h = (ours[:, 2:] - ours[:, :2]).T
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (4, len(upper)))  # the pixels' rounding is no difference
    pairs = [(w * h, (wide + noise[0]) * (high + noise[1])), (w / h, (wide + noise[0]) / (high + noise[1]))]
    pairs += [(ours[:, 0] + w / 2, left + noise[2] + wide / 2), (ours[:, 1] + h / 2, upper + noise[3] + high / 2)]
    assert min(stats.ks_2samp(*pair).pvalue for pair in pairs) > 0.005


def test_an_image_that_no_try_fits_is_cut_in_the_middle():
    left, upper, right, lower = crops.random_box(30, 3000, torch.ones(crops.TRIES, 4))
    assert (left, right) == (0, 30)
    assert (upper + lower) / 2 == pytest.approx(1500)
    assert lower - upper == pytest.approx(40)


def test_a_large_photograph_is_decoded_no_smaller_than_its_crop_needs(tmp_path, monkeypatch):
    """A ramp from left to right tells where a crop is from, also where a JPEG was decoded at reduced scale."""
    width, height = 2400, 1600
    ramp = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8)[None, :, None], (height, width, 3))
    path, sizes, keep = tmp_path / "ramp.jpg", [], lazy.resized
    Image.fromarray(np.ascontiguousarray(ramp)).save(path, quality=95)
    monkeypatch.setattr(lazy, "resized", lambda image, *rest: sizes.append(image.size) or keep(image, *rest))
    for draws in crops.draw(12, seeds.generator(3)):
        x = lazy.read_crop(path, 64, draws)
        left, _, right, _ = crops.random_box(width, height, draws)
        first, last = (float(x[0, :, column].float().mean()) for column in (0, -1))
        step = (right - left) / 64
        assert first == pytest.approx(255 * (left + step / 2) / width, abs=2.5)
        assert last == pytest.approx(255 * (right - step / 2) / width, abs=2.5)
        assert sizes[-1][0] * (right - left) / width >= 64
    assert min(sizes)[0] < width


def processor_time(work, times=3):
    """The least seconds that this process computes for `work`, all threads together; other processes do not count."""
    found = []
    for _ in range(times):
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return min(found)


def test_threads_suffice_as_one_forward_pass_of_the_teacher_takes_longer_than_a_crop(tmp_path):
    """JPEGs of ImageNet's usual size, and a teacher that is small for them; nine schemes take eight such passes."""
    for part in ("train", "test"):
        for number in range(16):
            (tmp_path / part / f"{number % 2}").mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng(number).integers(256, size=(47, 62, 3), dtype=np.uint8)
            Image.fromarray(noise).resize((500, 375)).save(tmp_path / part / f"{number % 2}" / f"{number}.jpg")
    dataset, index = data.load("folder", tmp_path, size=224), torch.arange(16)
    teacher = inference.for_inference(models.build("EfficientNetLite0", 2, 224))
    x = dataset.normalise(dataset.train.batch(index)[0])
    reading = processor_time(lambda: dataset.for_standard(dataset.train, index, seeds.generator(0)))
    assert processor_time(lambda: inference.read(teacher, x)) > reading


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder of 40 JPEGs of 260 x 300 pixels of noise, in two classes."""
    folder, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for part in ("train", "test"):
        for name in ("a", "b"):
            (folder / part / name).mkdir(parents=True)
            for number in range(10):
                noise = rng.integers(256, size=(38, 33, 3), dtype=np.uint8)
                Image.fromarray(noise).resize((260, 300)).save(folder / part / name / f"{number}.jpg")
    return folder


def test_they_are_the_crop_of_large_folders_only(photographs):
    large, small = (data.load("folder", photographs, size=size) for size in (224, 128))
    assert (large.resized_crops, small.resized_crops) == (True, False)
    assert data.load("folder", photographs).resized_crops
    index = torch.arange(4)
    plain, cropped = large.train.batch(index)[0], large.for_standard(large.train, index, seeds.generator(0))
    assert cropped.shape == plain.shape == (4, 3, 224, 224)
    assert not torch.equal(plain, cropped)
    again, _, _ = next(batches(large.train, [index], seeds.generator(0)))
    assert torch.equal(cropped, again)
    assert torch.equal(small.for_standard(small.train, index, seeds.generator(0)), small.train.batch(index)[0])


@pytest.mark.filterwarnings("ignore:the teacher agrees")
def test_a_teacher_is_ranked_and_a_student_trained_on_them(photographs, monkeypatch):
    dataset, seen, keep = data.load("folder", photographs, size=224), [], lazy.read_crop
    monkeypatch.setattr(lazy, "read_crop", lambda *given: seen.append(given) or keep(*given))
    network = torch.nn.Sequential(torch.nn.AvgPool2d(56), torch.nn.Flatten(), torch.nn.Linear(48, 2))
    torch.nn.init.constant_(network[2].bias, -9)  # outputs that all lie in 0..1 by chance are warned of
    ranking = metrics.measure(network, dataset, ["identity", "flip"], steps=3, batch_size=8, k=16)
    assert len(seen) == 24
    assert math.isfinite(ranking.frame()["t_stddev"].sum())
    seen.clear()
    student = models.build("resnet10", 2, 224)
    method = losses.build("ce", 4, 0.9, 0, "kl", None)
    progress = training.Training(student, method, dataset, training.Schedule(1, 0.01, 8))
    progress.epoch()
    assert len(seen) == 20


def test_results_on_padded_crops_are_no_answers_to_the_same_question_now(photographs):
    spec = {"dataset": "folder", "data_dir": str(photographs), "student": "resnet10", "method": "ce"}
    contents = [runs.RunSpec(**spec, image_size=size).identity() for size in (0, 224, 128)]
    assert [content.get("crop") for content in contents] == ["resized", "resized", None]
