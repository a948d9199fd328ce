"""nbgrader's execution of a submission, within limits of time. It needs nbgrader; see `grading`.

nbgrader takes a test cell without an error for a pass. So a cell that could not be run, because the kernel died or the
time was up, is given an error here.
"""

import time

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbgrader.preprocessors import Execute
from traitlets import Bool, Dict, Integer, Unicode

from kdutils.courses import exercise_number, grade_id

TOO_SLOW, DIED, NOT_RUN, SYNTAX = "TimeLimit", "KernelDied", "NotRun", "SyntaxError"
SPOKEN = {
    TOO_SLOW: "a cell ran into the time limit",
    DIED: "a cell ended the kernel",
    NOT_RUN: "not run after that",
    SYNTAX: "a syntax error",
    "IndentationError": "a syntax error",
    "TabError": "a syntax error",
}


class LimitedExecute(Execute):
    """Runs the cells one by one; after a cell that cannot be stopped, or that ends the kernel, all others fail."""

    notebook_seconds = Integer(600, help="the time for all cells together").tag(config=True)
    shutdown_kernel = Unicode("immediate")
    skip_cells_with_tag = Unicode("")  # a tag must not switch a test off
    record_timing = Bool(False)
    error_on_timeout = Dict(
        {"ename": TOO_SLOW, "evalue": "", "traceback": [f"{TOO_SLOW}: this cell took too long and was stopped"]}
    )

    def preprocess(self, nb: NotebookNode, resources: dict, km: object = None) -> tuple[NotebookNode, dict]:
        """Run the notebook; the clock starts now."""
        deadline, self.stopped = time.monotonic() + self.notebook_seconds, ""
        cell_seconds = self.timeout
        self.timeout_func = lambda cell: max(1, min(cell_seconds, round(deadline - time.monotonic())))
        return super().preprocess(nb, resources, km)

    def preprocess_cell(self, cell: NotebookNode, resources: dict, index: int) -> tuple[NotebookNode, dict]:
        """Run one cell, or let it fail where the kernel is gone."""
        if cell.cell_type != "code":
            return cell, resources
        if self.stopped:
            return _failed(cell, NOT_RUN, f"not run, because an earlier cell {self.stopped}"), resources
        try:
            return super().preprocess_cell(cell, resources, index)
        except CellTimeoutError:
            self.stopped = "took too long and could not be stopped"
            return _failed(cell, TOO_SLOW, f"this cell {self.stopped}"), resources
        except DeadKernelError:
            self.stopped = "ended the kernel"
            return _failed(cell, DIED, f"this cell {self.stopped}"), resources


def _failed(cell: NotebookNode, name: str, why: str) -> NotebookNode:
    cell.outputs.append(nbformat.v4.new_output("error", ename=name, evalue=why, traceback=[f"{name}: {why}"]))
    return cell


def trouble(executed: NotebookNode) -> list[str]:
    """What went wrong beyond answers that are wrong: the exercise and the kind, once each."""
    found, place = [], "before the exercises"
    for cell in executed.cells:
        number = exercise_number(grade_id(cell))
        place = place if number is None else f"exercise {number}"
        for output in cell.get("outputs", []):
            if output.output_type == "error" and output.ename in SPOKEN:
                found.append(f"{place}: {SPOKEN[output.ename]}")
    return list(dict.fromkeys(found))
