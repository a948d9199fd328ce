"""`python -m tests.faults`: run every bad or odd input of the table, and count what becomes of them.

The exit status is 1 if an outcome is not the expected one.
"""

import argparse
import collections
import os
import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from tests.faults import table
from tests.faults.case import OUTCOMES, run


def main() -> int:
    """Print the counts by kind, and each outcome that was not expected."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("--only", default="", help="only cases whose name has this regular expression")
    parser.add_argument("--show", action="store_true", help="also print what each case ended in")
    asked = parser.parse_args()
    chosen = [(number, case) for number, case in enumerate(table.CASES) if re.search(asked.only, str(case))]
    if not chosen:
        parser.error("no case is named so")
    counts = collections.Counter()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(asked.jobs) as pool:
        table.material()
        outcomes = pool.map(lambda each: run(each[1], each[0], Path(folder) / str(each[0])), chosen)
        unexpected = 0
        for (_, case), outcome in zip(chosen, outcomes, strict=True):
            counts[case.kind, outcome.name] += 1
            unexpected += not outcome.expected
            if asked.show or not outcome.expected:
                print(f"{case}\n    {outcome.name}: {outcome.said[:1500]!r}", flush=True)
    frame = pd.Series(counts).unstack(fill_value=0).reindex(columns=OUTCOMES, fill_value=0)
    frame.loc["together"] = frame.sum()
    print(frame.assign(cases=frame.sum(axis=1)).to_string())
    print(f"{unexpected} not as expected")
    return int(unexpected > 0)


if __name__ == "__main__":
    sys.exit(main())
