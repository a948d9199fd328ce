"""What chapters conclude (`Verdict`), the recorded runs that they rest on, and the scoreboard of all claims."""

from kdutils.report import campaigns, recorded_runs, rules, sizes
from kdutils.report.evidence import EVIDENCE, EVIDENCE_LABELS, SIGNS, Evidence, Finding, awaited, deciding, kind_of
from kdutils.report.recorded_runs import (
    check_name,
    provenance,
    recorded,
    recorded_names,
    recorded_provenance,
    write_recorded,
)
from kdutils.report.rules import Word
from kdutils.report.scoreboard import counts, later_markdown, matrix, scoreboard_markdown, scoreboard_summary
from kdutils.report.verdict import (
    KEY,
    Record,
    Verdict,
    beside_paper,
    mean_std,
    plus_minus,
    reads,
    record,
    sources,
    verdict_on,
    verdicts,
)

__all__ = [
    "EVIDENCE",
    "EVIDENCE_LABELS",
    "KEY",
    "SIGNS",
    "Evidence",
    "Finding",
    "Record",
    "Verdict",
    "Word",
    "awaited",
    "beside_paper",
    "campaigns",
    "check_name",
    "counts",
    "deciding",
    "kind_of",
    "later_markdown",
    "matrix",
    "mean_std",
    "plus_minus",
    "provenance",
    "reads",
    "record",
    "recorded",
    "recorded_names",
    "recorded_provenance",
    "recorded_runs",
    "rules",
    "scoreboard_markdown",
    "scoreboard_summary",
    "sizes",
    "sources",
    "verdict_on",
    "verdicts",
    "write_recorded",
]
