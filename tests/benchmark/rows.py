"""A line of the table in RESULTS.md."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table; `met` is None where there is no target."""

    case: str
    measured: str
    target: str = ""
    met: bool | None = None


def faster(case: str, serial: float, took: float, target: int) -> Row:
    """How many times faster than the serial baseline, both in seconds."""
    measured = f"{serial / took:.1f} times faster than serial ({took:.1f} s against {serial:.0f} s)"
    return Row(case, measured, f"at least {target} times", serial / took >= target)
