"""A notebook runs within its limits, in a room of its own; the gradebook is afterwards what it was before."""

import sys
import tempfile
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from kdutils.book.course import execution, sandbox
from kdutils.book.course.execution import Limits
from kdutils.book.course.runner import Runner
from kdutils.errors import UserError
from tests.book.course.pupils import graded_cell

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the processes of a submission are tested on Linux")

LIMITS = Limits(cell_seconds=100, notebook_seconds=300)
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


@pytest.fixture
def course(tmp_path: Path) -> Path:
    (tmp_path / "gradebook.db").write_text("grades")
    return tmp_path


def run(course: Path, *codes: str, test: str = "assert True", limits: Limits = LIMITS, kind: str = "") -> list:
    """The outputs of cells of these codes and of a test, and the words about them."""
    cells = [*map(new_code_cell, codes), graded_cell(test, points=1)]
    notebook = new_notebook(cells=cells, metadata=KERNEL)
    executed, _ = Runner(course, sandbox.Sandbox(kind), limits)(notebook, {})
    return [*(cell.outputs for cell in executed.cells), execution.trouble(executed)]


def run_elsewhere(*given: object) -> None:
    """`execution.run` in a process whose temporary files have a place already, as torch's compiler gives it one."""
    tempfile.tempdir = "/var/tmp"
    execution.run(*given)


def names(outputs: list) -> list[str]:
    return [output.get("ename", output.output_type) for output in outputs]


def test_a_kernel_in_namespaces_finds_its_connection_file(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sandbox.choose([]).kind != "namespaces":
        pytest.skip("no namespaces here: everything can be read")
    monkeypatch.setattr(execution, "run", run_elsewhere)
    cell, test, words = run(course, "2", kind="namespaces")
    assert (cell[0].data["text/plain"], names(test), words) == ("2", [], [])


def test_the_time_of_the_notebook_is_not_exceeded_however_many_cells_there_are(course: Path) -> None:
    *cells, test, words = run(course, *["while True:\n    pass"] * 40, limits=Limits(1, 3))
    assert sum(names(cell) == ["TimeLimit"] for cell in cells) <= 4, "and not forty seconds"
    assert names(cells[-1]) == names(test) == ["NotRun"]
    assert "before the exercises: a cell ran into the time limit" in words


def test_memory_is_limited(course: Path) -> None:
    hungry = "hoard = [bytearray(b'x' * 10**8) for _ in range(30)]"
    cell, test, words = run(course, hungry, limits=Limits(100, 300, memory=1e9))
    assert names(cell) == ["MemoryLimit"]
    assert names(test) == ["NotRun"]
    assert words[0] == "before the exercises: a cell took too much memory"


def test_what_processes_share_counts_once(course: Path) -> None:
    """As in a pool of workers, each of which seems to have all that the notebook has."""
    pool = "hoard = b'x' * (3 * 10**8)\nfor _ in range(8):\n    if os.fork() == 0:\n        time.sleep(600)"
    cell, test, words = run(course, f"import os, time\n{pool}\ntime.sleep(2)", limits=Limits(100, 300, memory=1e9))
    assert (names(cell), names(test), words) == ([], [], [])


def test_what_is_written_to_stderr_fails_no_test(course: Path) -> None:
    test = "import sys\nassert print('100%', file=sys.stderr) is None"
    graded, words = run(course, test=test)
    assert ([each.name for each in graded], words) == (["stdout"], [])


def test_a_variable_with_the_name_of_a_built_in_fails_no_test(course: Path) -> None:
    cell, test, words = run(course, "sum = 0", test="assert sum([1, 2]) == 3")
    assert (names(cell), names(test), words) == ([], [], [])


def test_output_is_limited_by_cell_and_by_notebook_and_tests_still_count(course: Path) -> None:
    show = "from IPython.display import HTML, display\nfor _ in range(9):\n    display(HTML('x' * 10**6))"
    *cells, test, words = run(course, "print('x' * 6_000_000)", *[show] * 5, "1")
    assert names(cells[0]) == ["OutputLimit"]
    assert names(cells[1])[-1] == "OutputLimit"
    total = sum(len(str(output)) for cell in cells for output in cell)
    assert total < 1.1 * execution.OUTPUT
    assert test == []
    assert words == ["before the exercises: a cell printed too much"]


def test_each_notebook_has_a_store_and_a_profile_of_its_own(course: Path) -> None:
    (course / "store").mkdir()
    (course / "store" / "teacher").write_text("as trained")
    spoil = (
        "import os, pathlib\nstore = pathlib.Path(os.environ['KDUTILS_STORE'])\n"
        "profile = pathlib.Path(os.environ['IPYTHONDIR'], 'profile_default', 'startup')\n"
        "profile.mkdir(parents=True, exist_ok=True)\n(profile / '0.py').write_text('spoilt = True')\n"
        "(store / 'teacher').write_text('spoilt')"
    )
    look = "import os, pathlib\npathlib.Path(os.environ['KDUTILS_STORE'], 'teacher').read_text(), 'spoilt' in globals()"
    run(course, spoil)
    cell, _, _ = run(course, look)
    assert cell[0].data["text/plain"] == "('as trained', False)"
    assert (course / "store" / "teacher").read_text() == "as trained"


@pytest.mark.parametrize("change", ["open({book!r}, 'w').write('5 points')", "import os\nos.remove({book!r})"])
def test_a_notebook_that_changes_the_gradebook_is_refused_and_the_gradebook_put_back(course: Path, change: str) -> None:
    book = course / "gradebook.db"
    with pytest.raises(RuntimeError, match="the gradebook was changed while this notebook ran, and has been put back"):
        run(course, change.format(book=str(book)))
    assert book.read_text() == "grades"
    assert (course / "gradebook.changed.db").is_file()


def test_what_stands_before_the_exercises_is_run_once_and_its_networks_are_kept(course: Path) -> None:
    train = (
        "import os, pathlib\nstore = pathlib.Path(os.environ['KDUTILS_STORE'])\n"
        "store.mkdir()\n(store / 'teacher').write_text('trained')"
    )
    release = new_notebook(cells=[new_code_cell(train), graded_cell("1 / 0", points=1)], metadata=KERNEL)
    runner = Runner(course, sandbox.Sandbox(""), LIMITS)
    runner.prepare("sums", release)
    assert (course / "store" / "teacher").read_text() == "trained"
    (course / "store" / "teacher").unlink()
    runner.prepare("sums", release)
    assert not (course / "store" / "teacher").exists(), "once"
    broken = new_notebook(cells=[new_code_cell("import no_such_module")], metadata=KERNEL)
    with pytest.raises(
        UserError, match="other does not run here: before its exercises, ModuleNotFoundError: No module"
    ):
        runner.prepare("other", broken)
