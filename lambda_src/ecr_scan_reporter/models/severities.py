"""Severities, their order, and the keys EXPLOITED and KEV that a deadline may have instead."""

from collections.abc import Mapping

# Most severe first: those of basic scanning, and UNTRIAGED, which Inspector uses in place of UNDEFINED.
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")

# The key, in place of a severity, of the deadline for findings with a known exploit.
EXPLOITED = "EXPLOITED"
# And that for findings in CISA's catalog of known exploited vulnerabilities.
KEV = "KEV"


def severity_rank(severity: str) -> int:
    """Return 0 for CRITICAL, 1 for HIGH and so on; an unknown severity comes last."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def severity_key(counts: Mapping[str, int]) -> tuple[int, ...]:
    """Return a sort key: most critical findings first, then most high ones, and so on; unknown severities last."""
    ordered = [0] * (len(SEVERITIES) + 1)
    for severity, number in counts.items():
        ordered[severity_rank(severity)] -= number
    return tuple(ordered)
