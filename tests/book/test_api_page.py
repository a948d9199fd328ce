"""The page of the package, built alone by Sphinx as the book builds it: every warning is an error."""

import re
import shutil
import subprocess
import sys

import pytest
import yaml

import kdutils
from kdutils._files import ROOT

PAGE = ROOT / "book" / "api.md"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
NEEDED = (
    "default_role",
    "nitpick_ignore_regex",
    *(name for name in CONFIG if name.startswith("autodoc")),
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page as text."""
    folder = tmp_path_factory.mktemp("api")
    shutil.copyfile(PAGE, folder / "index.md")
    lines = [
        "extensions = ['myst_parser', 'kdutils.book.api_page']",
        *(f"{name} = {CONFIG[name]!r}" for name in NEEDED),
    ]
    (folder / "conf.py").write_text("\n".join(lines), encoding="utf-8")
    # In a process of its own, as autodoc changes the signatures of what it documents (to keep defaults as written).
    command = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", "-b", "text", str(folder), str(folder / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (folder / "out" / "index.txt").read_text(encoding="utf-8")


def test_every_public_part_is_on_it(page: str) -> None:
    assert sorted(re.findall(r"automodule:: kdutils\.(\w+)", PAGE.read_text(encoding="utf-8"))) == sorted(dir(kdutils))
    assert "kdutils.book.api_page" in CONFIG["extensions"]
    for part in dir(kdutils):
        for name in getattr(getattr(kdutils, part), "__all__", ()):
            thing = getattr(getattr(kdutils, part), name)
            if callable(thing) and hasattr(thing, "__name__") and getattr(thing, "__doc__", None):
                assert f"kdutils.{part}.{name}" in page, f"{part}.{name}"


def test_docstrings_read_as_they_are_written(page: str) -> None:
    words = " ".join(page.split())
    assert '"teacher" maps normalised images to logits [N, C], and is put into eval mode' in words
    assert "|f_s - f_t|" in words
    assert "class kdutils.runs.RunSpec" in words
    assert '"alpha" = "0.9" weight of the teacher\'s term (Eq. 1)' in words
    assert "fit_line(x: ArrayLike, y: ArrayLike, at: ArrayLike" in words
    assert "_NestedSequence" not in words
    assert "Alias for field number" not in words
    assert "Set multiple properties at once" not in words  # of matplotlib's Figure
