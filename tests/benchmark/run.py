"""Measure the real handlers against a fake of AWS, and write RESULTS.md.

Every time is a ratio within one case: beside each stands what a plain serial program takes, or the same work of another
size. `run.py NAME ...` runs some cases only, and prints them without writing. The cases are in cases_*.py. What a run
measured that was interrupted is kept: `run.py --resume` runs only the other cases.
"""

import json
import logging
import os
import platform
import sys
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "lambda_src"), str(ROOT / "tests")]

import cases_cost
import cases_export
import cases_overview
import cases_pass
import cases_reporting
import cases_scanning
import cases_start
from environment import LATENCY
from rows import Row

MODULES = (cases_scanning, cases_reporting, cases_overview, cases_pass, cases_export, cases_cost, cases_start)
CASES = {case.__name__: case for module in MODULES for case in module.CASES}
MEASURED = ROOT / ".build" / "benchmark.json"


def main(names: list[str]) -> None:
    """Run the cases named, all by default, and print the table."""
    logging.disable(logging.WARNING)
    resume, names = names == ["--resume"], [name for name in names if name != "--resume"]
    measured: dict[str, list[Any]] = json.loads(MEASURED.read_text()) if resume and MEASURED.exists() else {}
    for name in names or CASES:
        if name in measured:
            continue
        print(f"{name} ...", file=sys.stderr, flush=True)
        started = datetime.now(UTC)
        measured[name] = []
        for row in CASES[name]():
            measured[name].append(astuple(row))
            print(f"  {row.case}: {row.measured} (target: {row.target or 'none'})", file=sys.stderr, flush=True)
        print(f"  took {(datetime.now(UTC) - started).total_seconds():.0f} s", file=sys.stderr, flush=True)
        if not names:
            MEASURED.parent.mkdir(exist_ok=True)
            MEASURED.write_text(json.dumps(measured))
    rows = [Row(*row) for name in names or CASES for row in measured[name]]
    table = ["| case | measured | target | met |", "|---|---|---|---|"]
    marks = {True: "yes", False: "**no**", None: ""}
    table += [f"| {row.case} | {row.measured} | {row.target} | {marks[row.met]} |" for row in rows]
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    head = [
        "# Benchmark",
        "",
        "Written by `make benchmark`. The real handlers, warm unless stated, against a fake of ECR, SQS, SNS and",
        "DynamoDB. Where times are measured, it runs in a process of its own, and each call takes",
        f"{LATENCY * 1000:.0f} ms. Serial means one call and one message at a time.",
        "",
        f"{datetime.now(UTC):%d %B %Y}; {machine}.",
        "",
    ]
    text = "\n".join([*head, *table, ""])
    print(text)
    if not names:
        (Path(__file__).parent / "RESULTS.md").write_text(text)
        MEASURED.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
