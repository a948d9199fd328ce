"""What can be asked for: names and values that are refused, and which questions are the same question."""

import json

import pytest

from kdutils import data, runs
from kdutils.errors import UserError
from kdutils.runs import RankSpec, RunSpec, specs

RESNET20 = "0d7818eb35f95925455f13e548a72cfd79faf9174e293faefba0dd56cef1e164"


@pytest.fixture
def weights(tmp_path):
    """Write a weights file; its content is all that a key depends on."""

    def write(name="teacher.pth", content=b"weights"):
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


def run_spec(**changed):
    return RunSpec(**{"teacher": "tiny", "student": "resnet8", "scheme": "cutmixpick_t", **changed})


def rank_spec(**changed):
    return RankSpec(**{"teacher": "tiny", **changed})


# --- Keys ---------------------------------------------------------------------------------------------------------


def test_a_known_run_keeps_its_key(monkeypatch):
    """Recorded students are found by it: a change here would train all of them again."""
    monkeypatch.setattr(specs, "weights_sha256", lambda network, source: RESNET20)
    spec = RunSpec(
        dataset="cifar100",
        images_per_class=50,
        teacher="resnet20",
        teacher_weights="cifar100_resnet20.pth",
        student="resnet8",
        scheme="identity",
        epochs=20,
        seed=0,
    )
    assert spec.key() == "107c6955ee42a2c5"


@pytest.mark.parametrize(
    "changed",
    [
        {"dataset": "cifar100"},
        {"images_per_class": 7},
        {"teacher": "resnet8"},
        {"teacher_epochs": 9},
        {"granularity": "sample"},
        {"batch_size": 32},
        {"seed": 1},
        {"student": "tiny"},
        {"method": "ce"},
        {"scheme": "cutmix"},
        {"standard": "flip"},
        {"pick_ratio": 0.25},
        {"epochs": 20},
        {"lr": 0.01},
        {"tau": 2.0},
        {"alpha": 0.5},
        {"mean": (0.5, 0.5, 0.5)},
        {"std": "0.2 0.2 0.2"},
    ],
)
def test_what_changes_a_run_changes_its_key(changed):
    assert run_spec(**changed).key() != run_spec().key()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"data_dir": "/somewhere/else"}),
        ({}, {"lr": 0.05, "tau": 4, "alpha": 0.9, "pick_ratio": 0.5}),  # the defaults, said aloud
        ({"scheme": "cutmix"}, {"scheme": "cutmix", "pick_ratio": 0.25}),
        ({"scheme": "none"}, {"scheme": "none", "pick_ratio": 0.25}),
        ({"epochs": 20}, {"epochs": "20"}),
        ({"mean": (0.5, 0.25, 1)}, {"mean": " .5  0.250 1.0"}),
    ],
)
def test_what_changes_nothing_keeps_the_key(one, other):
    assert run_spec(**one).key() == run_spec(**other).key()


def test_weights_count_by_their_content_not_by_their_name(weights):
    first = run_spec(teacher_weights=weights("a.pth"))
    assert first.key() == run_spec(teacher_weights=weights("b.pth")).key()
    assert first.key() != run_spec(teacher_weights=weights("c.pth", b"other")).key()
    assert first.key() != run_spec().key()


def test_epochs_of_a_teacher_that_is_not_trained_do_not_count(weights):
    path = weights()
    assert run_spec(teacher_weights=path).key() == run_spec(teacher_weights=path, teacher_epochs=9).key()


def test_weights_that_are_replaced_make_another_question(weights):
    spec = run_spec(teacher_weights=weights(content=b"before"))
    before = spec.key()
    weights(content=b"after")
    assert spec.key() != before


def test_weights_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no weights at .*nowhere\.pth: name a file that exists, or one of: crd"):
        run_spec(teacher_weights=str(tmp_path / "nowhere.pth")).key()


@pytest.mark.parametrize(
    "changed", [{"schemes": ("flip",)}, {"steps": 30}, {"epochs": 3}, {"k": 256}, {"temperature": 4.0}, {"seed": 1}]
)
def test_what_changes_a_ranking_changes_its_key(changed):
    assert rank_spec(**changed).key() != rank_spec().key()


def test_steps_stand_in_for_epochs():
    assert rank_spec(steps=30, epochs=3).key() == rank_spec(steps=30).key()


def test_a_run_and_a_ranking_are_never_the_same_question():
    shared = {"teacher": "tiny", "student": "tiny"}
    assert RunSpec(**shared).key() != RankSpec(**shared, student_weights=__file__).key()


def test_an_identity_is_plain_and_holds_no_path(weights):
    identity = run_spec(teacher_weights=weights(), data_dir="/somewhere").identity()
    assert json.loads(json.dumps(identity)) == identity
    assert "/" not in json.dumps(identity)


def test_a_specification_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        run_spec().seed = 3


# --- Mistakes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dataset": "cifar10"}, r"unknown dataset 'cifar10'\. Did you mean 'cifar100'\? Choose one of: digits"),
        ({"teacher": "resnet21"}, r"unknown network 'resnet21'\. Did you mean 'resnet"),
        ({"student": "resnet9"}, r"unknown network 'resnet9'"),
        ({"student": ""}, "name the student's network, one of: tiny, "),
        ({"method": "kdd"}, r"unknown method 'kdd'\. Did you mean 'kd'"),
        ({"scheme": "cutmx"}, r"unknown scheme 'cutmx'\. Did you mean 'cutmix'\? Choose one of: none, identity"),
        ({"standard": "crop"}, r"unknown standard augmentation 'crop'"),
        ({"sheme": "flip"}, r"unknown parameter 'sheme'\. Did you mean 'scheme'"),
        ({"granularity": "image"}, r"granularity: Input should be 'batch' or 'sample' \(got 'image'\)"),
        ({"epochs": 0}, r"epochs: Input should be greater than or equal to 1 \(got 0\)"),
        ({"epochs": "many"}, r"epochs: Input should be a valid integer.*\(got 'many'\)"),
        ({"lr": 0}, "lr: Input should be greater than 0"),
        ({"lr": float("nan")}, "lr: Input should be"),
        ({"lr": "1e400"}, "lr: Input should be a finite number"),
        ({"tau": float("inf")}, "tau: Input should be a finite number"),
        ({"epochs": 10**400}, r"epochs: Input should be a valid integer \(got 10{50,60}"),
        ({"batch_size": "9" * 5000}, r"batch_size: Input should be a valid integer \(got '9{50,60}"),
        ({"alpha": 1.5}, "alpha: Input should be less than or equal to 1"),
        ({"seed": 0.5}, "seed: Input should be a valid integer"),
        ({"batch_size": 1}, "batch_size: Input should be greater than or equal to 2"),
        ({"images_per_class": -1}, "images_per_class: "),
        ({"scheme": "flip+cutmx"}, r"unknown scheme 'cutmx'\. Did you mean 'cutmix'"),
        ({"scheme": "flip+cutmixpick_t", "teacher": "", "method": "ce"}, "picks by what the teacher says"),
        ({"image_size": 64}, "a size is for the dataset 'folder': the images of 'digits' have one size"),
        ({"dataset": "folder", "image_size": 4}, "a size of 4: images need at least 8 pixels"),
        ({"mean": "0.5 0.5"}, "must be three numbers each"),
        ({"mean": "0.5 0.5 half"}, r"mean: expected numbers with spaces between them \(got '0.5 0.5 half'\)"),
        ({"std": (58.4, 57.1, 57.4)}, "of images scaled to 0..1"),
        ({"teacher_classes": "0 2"}, "teacher_classes chooses among the classes of teacher_weights: name the file"),
        ({"teacher_classes": "0-2"}, "teacher_classes: expected numbers with spaces"),
        ({"pick_ratio": 0.4}, "1 divided by a whole number"),
        ({"teacher": ""}, r"the method 'kd' needs a teacher"),
        ({"teacher": "", "method": "ce"}, r"the scheme 'cutmixpick_t' picks by what the teacher says"),
    ],
)
def test_a_run_that_cannot_be_is_refused_in_one_line(changed, message):
    with pytest.raises(UserError, match=message) as told:
        run_spec(**changed)
    assert "\n" not in str(told.value)


def test_a_run_without_a_student_is_told_what_it_lacks():
    with pytest.raises(UserError, match=r"^RunSpec needs student: the student's network$"):
        RunSpec(dataset="digits")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"teacher": ""}, "a ranking needs a teacher"),
        ({"schemes": ("flip", "cutmx")}, r"unknown scheme 'cutmx'"),
        ({"schemes": ()}, "schemes: "),
        ({"schemes": ("none",)}, r"unknown scheme 'none'"),
        ({"student": "tiny"}, "student and student_weights go together"),
        ({"student_weights": "file.pth"}, "student and student_weights go together"),
        ({"student": "tinny", "student_weights": "file.pth"}, r"unknown network 'tinny'\. Did you mean 'tiny'"),
        ({"steps": -1}, "steps: "),
        ({"temperature": 0}, "temperature: "),
        ({"temperature": float("inf")}, r"temperature: Input should be a finite number \(got inf\)"),
        ({"temperature": 1e-300}, r"temperature: .*greater than or equal to 0\.001"),
        ({"k": 100}, r"k=100 must be a multiple of 2 x batch_size = 128"),
        ({"batch_size": 256}, "k=640 must be a multiple of 2 x batch_size = 512"),
        ({"steps": 14}, "14 steps are too few: take at least 15"),
        ({"schemes": ("flip", "flip")}, "'flip' is named 2 times"),
        ({"schemes": ("cutmixpick_t+flip",)}, "a scheme that picks must come last"),
    ],
)
def test_a_ranking_that_cannot_be_is_refused_in_one_line(changed, message):
    with pytest.raises(UserError, match=message) as told:
        rank_spec(**changed)
    assert "\n" not in str(told.value)


# --- Data ---------------------------------------------------------------------------------------------------------


def test_data_are_cut_to_the_transfer_set_where_it_is_asked_for():
    assert len(run_spec().load_data().train) == 1000
    few = run_spec(images_per_class=3).load_data()
    assert (len(few.train), len(few.test)) == (30, 797)


def test_a_folders_images_are_brought_to_the_size_and_normalisation_that_are_asked_for(tmp_path):
    data.folder.write(data.first_per_class(data.load("digits"), 2), tmp_path)
    given = {"dataset": "folder", "data_dir": str(tmp_path)}
    plain, asked = run_spec(**given), run_spec(**given, image_size=16, mean="0.5 0.5 0.5", std="0.25 0.25 0.25")
    assert asked.key() != plain.key()
    found = asked.load_data()
    assert (found.image_size, found.mean, found.std) == (16, (0.5,) * 3, (0.25,) * 3)
    assert plain.load_data().image_size == 32
    teacher = runs.teacher_spec(asked)  # which is trained on the same images
    assert (teacher.image_size, teacher.mean, teacher.std) == (16, asked.mean, asked.std)
