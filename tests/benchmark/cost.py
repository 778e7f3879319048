"""Print what the module costs per month, computed from what the benchmark measured. Needs nothing but Python.

`cost.py IMAGES` is for a registry with that many images, each of which is scanned once a week by a daily run, in
repositories of 50 images with 200 findings each. figures.json has what one image, one scan and one run consume; the
case `cost` of the benchmark writes it. Free tiers are left out. `cost.py --document` writes the table in docs/cost.md.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).parent / "figures.json"
PAGE = Path(__file__).parents[2] / "docs" / "cost.md"
# Dollars in us-east-1. All of them are third-party quotes of 2025 and 2026: the tables of AWS's own pricing pages could
# not be read. Compare them with https://aws.amazon.com/<service>/pricing before a decision depends on them.
#   dynamodb: on demand; several quotes agree, one of which cites aws.amazon.com/dynamodb/pricing/on-demand
#   lambda:   arm64, the default; cloudchipr.com/blog/aws-lambda-pricing
#   sqs:      standard queue; cloudburn.io, March 2026
#   sns:      factualminds.com, June 2026
#   logs:     the first tier of ingestion; several quotes
#   metrics, alarms: CloudWatch's first tier, and a standard alarm; quoted from memory
PRICES = {
    "dynamodb write unit": 0.625e-6,
    "dynamodb read unit": 0.125e-6,
    "dynamodb GB-month": 0.25,
    "dynamodb point-in-time recovery GB-month": 0.20,
    "lambda request": 0.20e-6,
    "lambda GB-second": 0.0000133334,
    "sqs request": 0.40e-6,
    "sns request": 0.50e-6,
    "sns email": 2.00e-5,
    "logs GB": 0.50,
    "metric": 0.30,
    "alarm": 0.10,
}
# Of one instance: what the functions write (docs/how-it-works.md), and what alarms.tf has. A test counts both. By
# default, and with `detailed_monitoring`.
METRICS, ALARMS = 6, 11
DETAILED_METRICS, DETAILED_ALARMS = 27, 16
DAYS = 365 / 12
SCANS = DAYS / 7
# AWS gives a function one vCPU per 1,769 MB. https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
_VCPU_MB = 1769
# Assumed, not measured: seconds per call of an AWS API; how many scans ECR starts per second, and how many seconds one
# takes; seconds for which Lambda fills a batch of events; and requests of a month with which five pollers of Lambda ask
# each of the two queues, 20 seconds a request.
_CALL_SECONDS, _STARTS_PER_SECOND, _SCAN_SECONDS, _BATCH_SECONDS = 0.020, 10, 300, 20
_IDLE_REQUESTS = 2 * 5 * DAYS * 24 * 3600 / 20
# SNS counts requests of 64 KB. https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html
_SNS_REQUEST, _MESSAGE = 64 * 1024, 256 * 1024
# Between two checks whether a run is complete.
_CHECK_SECONDS = 30
_GB = 1024**3


@dataclass(frozen=True)
class Use:
    """What one image or one scan consumes. Waiting is the number of calls that come one after the other."""

    reads: float = 0
    writes: float = 0
    table_requests: float = 0
    sqs_requests: float = 0
    cpu_seconds: float = 0
    waiting: float = 0
    log_bytes: float = 0
    report_bytes: float = 0

    def combine(self, other: "Use", operator: Callable[[float, float], float]) -> "Use":
        """Apply an operator to each pair of values."""
        return Use(**{name: operator(value, vars(other)[name]) for name, value in vars(self).items()})

    def __add__(self, other: "Use") -> "Use":
        return self.combine(other, lambda mine, its: mine + its)

    def __sub__(self, other: "Use") -> "Use":
        return self.combine(other, lambda mine, its: mine - its)

    def __mul__(self, factor: float) -> "Use":
        return Use(**{name: value * factor for name, value in vars(self).items()})


@dataclass(frozen=True)
class Figures:
    """What was measured.

    Args:
        run: per image and run in which its scan is not due; both scanners.
        due: per scan that the images scanner asks for.
        unchanged: per scan that found what was known, in the reporter.
        changed: per scan that found something else, in the reporter, which reports it.
        daily_pass: per image in which nothing is due, and day, in the reporter.
        stored_bytes: per image.
        state_bytes: per repository, of what a run remembers of it.
        images_per_repository: as it was measured.
        memory: MB of the functions by name.
    """

    run: Use
    due: Use
    unchanged: Use
    changed: Use
    daily_pass: Use
    stored_bytes: float
    state_bytes: float
    images_per_repository: int
    memory: Mapping[str, int]

    def to_json(self) -> str:
        """Return what `from_json` reads."""
        values = {name: vars(value) if isinstance(value, Use) else value for name, value in vars(self).items()}
        return json.dumps(
            json.loads(json.dumps(values), parse_float=lambda text: float(f"{float(text):.3g}")), indent=2
        )

    @classmethod
    def from_json(cls, text: str) -> "Figures":
        """Parse what `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        for name in ("run", "due", "unchanged", "changed", "daily_pass"):
            values[name] = Use(**values[name])
        return cls(**values)


@dataclass(frozen=True)
class Line:
    """One line of the bill. `amount` is per month."""

    service: str
    what: str
    amount: float
    dollars: float


def monthly_cost(figures: Figures, images: int, changed: float, subscribers: int) -> list[Line]:
    """Return the bill of a month.

    Args:
        figures: what was measured.
        images: in the registry, each scanned once a week.
        changed: the share of scans that find something else than the scan before.
        subscribers: addresses that receive each report by email.
    """
    scans, repositories = images * SCANS, images / figures.images_per_repository
    scanners = figures.run * (images * DAYS) + figures.due * scans
    reporter = figures.unchanged * (scans * (1 - changed)) + figures.changed * (scans * changed)
    reporter += figures.daily_pass * (images * DAYS)
    used = scanners + reporter
    batches = min(scans, DAYS * 24 * 3600 / _BATCH_SECONDS)
    # While the results of a run come, the reporter checks whether the run is complete. It reads what the run asked for
    # in each repository when as many results came as it knew of: they lag behind by the time that a scan takes.
    seconds_of_runs = min(images / 7 / _STARTS_PER_SECOND, 24 * 3600) * DAYS
    checks = seconds_of_runs / _CHECK_SECONDS
    states = repositories * figures.state_bytes / 4096 * seconds_of_runs / _SCAN_SECONDS
    reads = used.reads + 2 * checks + states
    stored = images * figures.stored_bytes / _GB
    messages = max(used.report_bytes / _MESSAGE, min(DAYS, scans * changed))
    functions = {
        "images_scanner": (scanners, repositories * DAYS),
        "reporter": (reporter, batches + checks),
    }
    gb_seconds, requests = 0.0, 0.0
    for function, (use, invocations) in functions.items():
        memory = figures.memory[function]
        gb_seconds += (use.cpu_seconds * _VCPU_MB / memory + use.waiting * _CALL_SECONDS) * memory / 1024
        requests += invocations
    sqs = used.sqs_requests + scans * 1.2 + checks * 3 + _IDLE_REQUESTS
    amounts = [
        ("DynamoDB", "write units", "dynamodb write unit", used.writes + checks),
        ("DynamoDB", "read units", "dynamodb read unit", reads),
        ("DynamoDB", "GB stored", "dynamodb GB-month", stored),
        ("DynamoDB", "GB in point-in-time recovery", "dynamodb point-in-time recovery GB-month", stored),
        ("Lambda", "requests", "lambda request", requests),
        ("Lambda", "GB-seconds", "lambda GB-second", gb_seconds),
        ("SQS", "requests", "sqs request", sqs),
        ("SNS", "requests of 64 KB", "sns request", max(used.report_bytes / _SNS_REQUEST, messages)),
        ("SNS", "emails", "sns email", messages * subscribers),
        ("CloudWatch", "GB of logs", "logs GB", used.log_bytes / _GB),
        ("CloudWatch", "metrics", "metric", METRICS),
        ("CloudWatch", "alarms", "alarm", ALARMS),
    ]
    return [Line(service, what, amount, amount * PRICES[price]) for service, what, price, amount in amounts]


def table_requests(figures: Figures, images: int, changed: float) -> float:
    """Return how many requests the memory table gets in a month."""
    scans = images * SCANS
    of_scan = figures.due + figures.unchanged * (1 - changed) + figures.changed * changed
    return ((figures.run + figures.daily_pass) * (images * DAYS) + of_scan * scans).table_requests


def daily_pass_cost(figures: Figures, images: int) -> float:
    """Return what the daily pass costs in a month, in dollars: the bill with it, less the bill without it."""
    without = dataclasses.replace(figures, daily_pass=Use())
    bills = [monthly_cost(each, images, changed=0.1, subscribers=10) for each in (figures, without)]
    with_pass, others = (sum(line.dollars for line in bill) for bill in bills)
    return with_pass - others


def documented(page: str, figures: Figures) -> str:
    """Return docs/cost.md with the table that the figures give, between its two marks."""
    before, start, rest = page.partition("<!-- cost.py --document -->\n")
    _, end, after = rest.partition("<!-- end -->\n")
    sizes = (1_000, 100_000, 1_000_000)
    services: dict[str, list[float]] = {}
    for column, images in enumerate(sizes):
        for line in monthly_cost(figures, images, changed=0.1, subscribers=10):
            services.setdefault(line.service, [0.0] * len(sizes))[column] += line.dollars
    rows = {**services, "**all**": [sum(column) for column in zip(*services.values(), strict=True)]}
    lines = ["| per month | " + " | ".join(f"{images:,} images" for images in sizes) + " |", "|---|---:|---:|---:|"]
    lines += [f"| {name} | " + " | ".join(f"${dollars:.2f}" for dollars in row) + " |" for name, row in rows.items()]
    return before + start + "\n".join(lines) + "\n" + end + after


def main() -> None:
    """Print the bill, or write the table in the document."""
    if sys.argv[1:] == ["--document"]:
        PAGE.write_text(documented(PAGE.read_text(), Figures.from_json(FIGURES.read_text())))
        return
    parser = argparse.ArgumentParser(description="Print what the module costs per month, in us-east-1.")
    parser.add_argument("images", type=int, help="images in the registry, each scanned once a week")
    parser.add_argument(
        "--changed", type=float, default=0.1, help="share of the scans that find something else (default: 0.1)"
    )
    parser.add_argument("--subscribers", type=int, default=10, help="email addresses (default: 10)")
    arguments = parser.parse_args()
    figures = Figures.from_json(FIGURES.read_text())
    bill = monthly_cost(figures, arguments.images, arguments.changed, arguments.subscribers)
    print(f"{arguments.images:,} images, each scanned once a week; {arguments.changed:.0%} of the scans find a change;")
    print(f"{arguments.subscribers} email addresses. Prices: third-party quotes for us-east-1, without free tiers.\n")
    print("| service | per month | | dollars |")
    print("|---|---:|---|---:|")
    for line in bill:
        print(
            f"| {line.service} | {line.amount:,.{0 if line.amount >= 100 else 2}f} | {line.what} | {line.dollars:.2f} |"
        )
    print(f"| **sum** | | | **{sum(line.dollars for line in bill):.2f}** |")


if __name__ == "__main__":
    main()
