"""The parts of the front matter that are made from data when the book is built, as MyST text."""

from pathlib import Path

try:
    from kdutils import paper, report
except ImportError:
    report = None


def pages(executed: list[Path]) -> dict[str, str]:
    """File name -> content, for `book/_generated/`: the scoreboard from the executed notebooks, the recorded runs."""
    if report is None:
        return {}
    verdicts = report.verdicts(executed)
    return {
        "scoreboard.md": report.scoreboard_markdown(paper.claims(), verdicts),
        "results.md": recorded_runs(),
    }


def recorded_runs() -> str:
    """One section a recorded run: what was run, on what data, with which command."""
    sections = []
    for name in report.recorded_names():
        rows = report.recorded_provenance(name)
        table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
        sections.append(f"## {name}\n\n| | |\n|---|---|\n{table}\n")
    return "\n".join(sections) or "No run has been recorded yet.\n"
