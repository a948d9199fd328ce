"""The guard that lets torchvision import beside a torch without CUDA, and stays out of the way elsewhere."""

import subprocess
import sys
from importlib.machinery import ModuleSpec

import pytest
import torch

from kdutils import _torchvision


def run_python(code):
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=300)


def test_torchvision_imports_after_the_package():
    found = run_python("import kdutils; from torchvision.transforms import v2; print(v2.AutoAugment.__name__)")
    assert (found.returncode, found.stdout.strip()) == (0, "AutoAugment"), found.stderr


def test_the_guard_leaves_when_it_has_been_asked():
    code = "import kdutils, sys; import torchvision; print([f for f in sys.meta_path if 'BeforeTorchvision' in str(f)])"
    found = run_python(code)
    assert (found.returncode, found.stdout.strip()) == (0, "[]"), found.stderr


def test_the_guard_defines_something_exactly_where_it_is_needed():
    """Without it, torchvision imports if its compiled library loads, and not otherwise."""
    import torchvision  # noqa: F401

    alone = run_python("import torchvision")
    guarded = "_SCHEMAS" in vars(_torchvision)
    assert guarded == (not _torchvision.compiled_library_loads())
    if alone.returncode != 0:
        assert "torchvision::nms does not exist" in alone.stderr
        assert guarded


@pytest.mark.parametrize("spec", [None, ModuleSpec("torchvision", None, origin=None)])
def test_where_torchvision_is_not_installed_its_own_error_is_left_to_speak(spec, monkeypatch):
    monkeypatch.setattr(_torchvision.importlib.util, "find_spec", lambda name: spec)
    assert _torchvision.compiled_library_loads()


@pytest.mark.parametrize(("libraries", "loads", "expected"), [(1, True, True), (1, False, False), (0, True, False)])
def test_the_compiled_library_is_tried(libraries, loads, expected, tmp_path, monkeypatch):
    def load(path):
        if not loads:
            raise OSError(f"{path}: cannot open shared object file")

    for i in range(libraries):
        (tmp_path / f"_C{i}.so").write_bytes(b"")
    spec = ModuleSpec("torchvision", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(_torchvision.importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setattr(torch.ops, "load_library", load)
    assert _torchvision.compiled_library_loads() is expected
