"""Small notebooks for the tests of what runs notebooks."""

from pathlib import Path

import nbformat

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def write(path: Path, *sources: str, parameters: str = "") -> Path:
    """A notebook with a parameters cell, if any, and code cells."""
    cells = [nbformat.v4.new_markdown_cell("# A title")]
    if parameters:
        cells.append(nbformat.v4.new_code_cell(parameters.strip(), metadata={"tags": ["parameters"]}))
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), path)
    return path
