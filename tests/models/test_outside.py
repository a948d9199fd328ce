"""Networks from elsewhere: built by name, read as teachers, trained as students, refused with a reason."""

import pytest
import torch

from kdutils import data, metrics, models, runs, sweep
from kdutils.errors import UserError
from kdutils.inference import for_inference, read

FILE = """
import torch
from neighbour import WIDTH

def small(num_classes):
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, WIDTH, 3, stride=2, bias=False), torch.nn.BatchNorm2d(WIDTH), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(WIDTH, num_classes),
    )

class Tuple(torch.nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.inner = small(num_classes)

    def forward(self, x):
        return self.inner(x), x

class ReadsOut(Tuple):
    def forward(self, x):
        return super().forward(x)[0] * float(x.sum().item() >= 0 or 1)

def twice(num_classes): return small(2 * num_classes)
def nothing(num_classes): return None
def fails(num_classes): return 1 / 0
def without(): return small(10)
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "nets.py").write_text(FILE, encoding="utf-8")
    (tmp_path / "neighbour.py").write_text("WIDTH = 8", encoding="utf-8")
    return tmp_path / "nets.py"


def seeded(make):
    torch.manual_seed(0)
    return make().eval()


def waves(size):
    return torch.linspace(-2, 2, 2 * 3 * size * size).view(2, 3, size, size).sin()


@pytest.mark.parametrize(
    "name", ["timm:test_resnet", "timm:test_vit.r160_in1k", "torchvision:squeezenet1_1", "torchvision:regnet_y_400mf"]
)
def test_a_network_by_name_is_the_librarys(name):
    source, _, wanted = name.partition(":")
    library = pytest.importorskip(source, reason=f"needs {source}")
    make = library.create_model if source == "timm" else library.models.get_model
    theirs = seeded(lambda: make(wanted, num_classes=7))
    ours = seeded(lambda: models.build(name, 7, 64))
    with torch.no_grad():
        torch.testing.assert_close(ours(waves(64)), theirs(waves(64)), rtol=0, atol=0)
        torch.testing.assert_close(read(for_inference(ours), waves(64)), theirs(waves(64)), rtol=1e-3, atol=1e-4)


def test_its_batchnorm_is_folded_as_the_zoos_is():
    frozen = for_inference(models.build("torchvision:resnet18", 7, 64))
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in frozen.modules())


def test_its_weights_bear_the_librarys_names(tmp_path):
    timm = pytest.importorskip("timm", reason="needs timm")
    theirs = timm.create_model("test_resnet", num_classes=7)
    torch.save(theirs.state_dict(), tmp_path / "timm.pth")
    ours = models.load_pretrained(models.build("timm:test_resnet", 7, 64), tmp_path / "timm.pth")
    models.save_weights(ours, tmp_path / "again.safetensors")
    assert models.weights.read_weights(tmp_path / "again.safetensors").keys() == theirs.state_dict().keys()
    cut = models.load_weights(models.build("timm:test_resnet", 2, 64), tmp_path / "timm.pth", classes=[6, 0]).eval()
    with torch.no_grad():
        torch.testing.assert_close(cut(waves(64)), theirs.eval()(waves(64))[:, [6, 0]])


@pytest.mark.filterwarnings("ignore:the teacher agrees with")  # it is not trained
def test_a_function_in_a_file_makes_a_teacher_and_a_student(file, tmp_path):
    teacher, student = f"{file}:small", f"{file}:Tuple"
    models.save_weights(models.build(teacher, 10, 32), tmp_path / "teacher.safetensors")
    given = {"teacher": teacher, "teacher_weights": str(tmp_path / "teacher.safetensors")}
    spec = runs.RunSpec(**given, student=student, scheme="cutmixpick_t", epochs=1)
    result = runs.run(spec, tmp_path / "store")
    assert result.test_loss > 0
    again = runs.load_student(spec, tmp_path / "store")
    assert isinstance(again, models.OutsideNetwork)
    ranking = metrics.rank_schemes(runs.load_teacher(spec), data.load("digits"), ["identity", "flip"], steps=15)
    assert (ranking["t_stddev"] > 0).all()


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_a_torchscript_network_is_copied_as_any_other(tmp_path):
    made = "    return torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, num_classes)))\n"
    (tmp_path / "scripted.py").write_text(f"import torch\nfrom torch import nn\n\n\ndef net(num_classes):\n{made}")
    network = models.build(f"{tmp_path / 'scripted.py'}:net", 10, 8).eval()
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    frozen = for_inference(network)
    torch.testing.assert_close(read(frozen, x), network(x))
    assert not any(weights.requires_grad for weights in frozen.parameters())
    assert all(weights.requires_grad for weights in network.parameters())


def test_worker_processes_know_a_network_from_elsewhere_too(file, tmp_path):
    names = [f"{file}:small", "torchvision:resnet18"]
    table = sweep.sweep(
        sweep.grid(student=names, method="ce", epochs=1, images_per_class=2), tmp_path / "store", workers=1
    )
    assert table["status"].tolist() == ["done", "done"], table["error"].tolist()


def test_a_key_knows_what_a_file_says_and_not_where_it_lies(file, tmp_path):
    def key(path):
        return runs.RunSpec(student=f"{path}:small", method="ce").key()

    (tmp_path / "copy").mkdir()
    moved = tmp_path / "copy" / "nets.py"
    moved.write_text(file.read_text())
    before = key(file)
    assert key(moved) == before
    moved.write_text(file.read_text().replace("stride=2", "stride=1"))
    assert key(moved) != before


def test_a_network_that_reads_its_values_is_checked_too(file):
    """As `meta` has no values, it is seen to work on the CPU, before a teacher is trained."""
    runs.students.check(runs.RunSpec(student=f"{file}:ReadsOut", method="ce"))


def test_a_feature_method_needs_a_network_with_features(file):
    spec = runs.RunSpec(teacher="tiny", student=f"{file}:small", method="at")
    with pytest.raises(UserError, match=r"small gives logits and no features: choose a method that needs only these"):
        runs.students.check(spec)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torchvision:resnet19", r"unknown network of torchvision 'resnet19'\. Did you mean 'resnet1"),
        ("keras:resnet18", r"no network keras:resnet18: a network from elsewhere is written timm:NAME, torchvision"),
        ("nowhere.py:small", r"no network nowhere\.py:small"),
        ("{file}:smal", r"nets\.py defines no function 'smal'"),
        ("{file}:without", r"nets\.py:without cannot be called with num_classes="),
        ("{file}:twice", r"twice gives \(2, 20\) for 2 images; expected logits \(2, 10\)"),
        ("{file}:nothing", r"nothing returns a NoneType; expected a torch\.nn\.Module"),
        ("{file}:fails", r"fails cannot be built for 10 classes: ZeroDivisionError"),
        ("torchvision:vit_b_16", r"vit_b_16 takes no images of 64 x 64 pixels: "),
    ],
)
def test_what_is_no_network_for_these_images_is_refused_in_one_line(file, name, message):
    with pytest.raises(UserError, match=message) as told:
        models.build(name.format(file=file), 10, 64)
    assert "\n" not in str(told.value)


def test_a_file_without_its_function_is_told_the_form():
    with pytest.raises(UserError, match=r"no network nets\.py: a network from elsewhere is written timm:NAME"):
        models.build("nets.py", 10)


def test_a_file_that_cannot_be_imported_is_named(tmp_path):
    (tmp_path / "broken.py").write_text("import nosuchmodule", encoding="utf-8")
    with pytest.raises(UserError, match=r"broken\.py cannot be imported: ModuleNotFoundError: No module named"):
        models.build(f"{tmp_path / 'broken.py'}:small", 10)


def test_timms_many_names_are_not_listed():
    pytest.importorskip("timm", reason="needs timm")
    with pytest.raises(UserError, match=r"unknown network of timm 'resnet180'\. Did you mean 'resnet18.*others$"):
        models.build("timm:resnet180", 10, 64)
    with pytest.raises(UserError, match=r"timm:resnet18\.a9_in1k is unknown: Invalid pretrained tag"):
        models.build("timm:resnet18.a9_in1k", 10, 64)


def test_a_folder_is_normalised_as_timm_says_of_the_teacher():
    timm = pytest.importorskip("timm", reason="needs timm")

    def normalised(teacher, dataset="folder", **more):
        spec = runs.RankSpec(dataset=dataset, teacher=teacher, **{"teacher_weights": "teacher.pth", **more})
        return spec.mean, spec.std

    stated = timm.create_model("test_vit").pretrained_cfg
    assert normalised("timm:test_vit") == tuple(" ".join(map(str, stated[name])) for name in ("mean", "std"))
    assert normalised("timm:test_vit") == ("0.5 0.5 0.5", "0.5 0.5 0.5")
    assert normalised("timm:test_vit", mean="0.4 0.4 0.4") == ("0.4 0.4 0.4", "")
    nothing = "", ""
    assert normalised("timm:resnet18") == normalised("torchvision:resnet18") == nothing
    assert normalised("timm:test_vit", dataset="digits") == normalised("timm:test_vit", teacher_weights="") == nothing


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import sys; sys.exit()", r"leaves\.py cannot be imported: SystemExit"),
        ("import sys\ndef f(num_classes): sys.exit()", r"leaves\.py:f cannot be built for 10 classes: SystemExit"),
    ],
)
def test_a_file_that_leaves_python_is_an_error_and_no_quiet_end(tmp_path, source, message):
    (tmp_path / "leaves.py").write_text(source, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        models.build(f"{tmp_path / 'leaves.py'}:f", 10, 16)
