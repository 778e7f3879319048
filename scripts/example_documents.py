"""Write docs/report.example.json, docs/overview.example.json and docs/export.example.ndjson, of a made-up registry."""

import json
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "lambda_src"), str(ROOT / "tests")]

from ecr_scan_reporter.memory.coverage import Coverage
from ecr_scan_reporter.memory.exploited import Catalog, CatalogMemory
from ecr_scan_reporter.memory.images import ImageRecord, KnownExploited, Ledger, Update
from ecr_scan_reporter.memory.summaries import ExploitedFinding, OverdueInImage, RepositorySummary
from ecr_scan_reporter.models.exploited import CatalogEntry
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.images import Image, ImageId
from ecr_scan_reporter.models.scans import BASIC, ENHANCED, ScanResult
from ecr_scan_reporter.models.severities import SEVERITIES
from ecr_scan_reporter.reporting.comparison.changes import IgnoredBy, KnownFinding
from ecr_scan_reporter.reporting.export.lines import Listed, lines, to_json
from ecr_scan_reporter.reporting.overviews.overview import Notices, build_overviews
from ecr_scan_reporter.reporting.overviews.publishing import build_message, build_pages
from fake_aws import digest_of
from support.invocations import scan_event
from support.reporter_settings import SETTINGS
from support.world import World

DOCS = ROOT / "docs"
UNSUPPORTED = "UnsupportedImageError: The operating system and/or package manager are not supported."
FIRST, SECOND = (datetime(2026, 11, day, 9, 14, tzinfo=UTC) for day in (9, 24))
NOW, WEEK = datetime(2026, 11, 23, 7, tzinfo=UTC), timedelta(days=7)
RULE = {"id": "CVE-2026-3456", "reason": "The function is not called.", "owner": "team-a", "expires": "2026-12-31"}


def _finding(id_: str, severity: str, package: str, version: str, fixed: str = "", **others: Any) -> Finding:
    fixes = (fixed,) if fixed else ()
    url = f"https://nvd.nist.gov/vuln/detail/{id_}"
    known = {"cvss_score": 9.8 if severity == "CRITICAL" else 7.5, "url": url, **others}
    return Finding(id_, severity, package, (version,), fixes, fix_available=bool(fixes), **known)


OPENSSL = _finding("CVE-2026-1234", "CRITICAL", "openssl", "3.0.1-r2", "3.0.15-r0")
BUSYBOX = _finding("CVE-2026-3456", "HIGH", "busybox", "1.36.1")
CURL = _finding("CVE-2026-5678", "MEDIUM", "curl", "8.5.0-r0", "8.9.1-r2")
LIBXML = _finding("CVE-2026-9012", "CRITICAL", "libxml2", "2.11.8", "2.11.9", exploit_available=True)
LOG4J = _finding("CVE-2026-7001", "HIGH", "log4j-core", "2.14.1", "2.17.1", aliases=("GHSA-jfh8-c2jp-5v3q",))


_ENTRY = CatalogEntry(FIRST.date() + timedelta(days=3), 14, ransomware=True, since=FIRST, changed_at=FIRST)
CATALOG = Catalog({LIBXML.id: _ENTRY}, FIRST, FIRST, FIRST)


class _Registry(World):
    """The reporter, and scans that end at times of their own."""

    def scan(self, at: datetime, repository: str, tag: str, *findings: Finding, failure: str = "") -> None:
        """Push an image and end its first scan an hour later."""
        digest, self.now = digest_of(f"{repository}:{tag}"), at
        pushed_at = at - timedelta(hours=1)
        self.registry.images[digest] = Image(repository, digest, (tag,), pushed_at=pushed_at)
        status = "FAILED" if failure else "COMPLETE"
        scanner = BASIC if failure else ENHANCED
        self.registry.results[digest] = ScanResult(status, failure, findings, at, scanner=scanner)
        counts = {severity: sum(one.severity == severity for one in findings) for severity in SEVERITIES}
        self.send(scan_event(digest, at, {key: n for key, n in counts.items() if n}, (tag,), status, repository))


def report_message(*, short: bool = False) -> dict[str, Any]:
    """Return a report as SNS gets it.

    It has a new image with news, an overdue and an ignored finding; unless it is to be short, another image, and a
    failed scan, and one of the new findings is known to be exploited.
    """
    fix_within = '{"CRITICAL": 14, "HIGH": 30, "EXPLOITED": 3}'
    settings = {"FIX_WITHIN": fix_within, "REPORT_WINDOW_SECONDS": "60", "KNOWN_EXPLOITED": str(not short).lower()}
    world = _Registry(settings)
    CatalogMemory(world.deps.table).write(CATALOG)
    world.deps.table.put_many([{"pk": "IGNORED", "sk": "0", "rules": json.dumps([RULE])}])
    world.scan(FIRST, "team-a/checkout", "4.1.9", OPENSSL, BUSYBOX, CURL)
    world.deliver(FIRST + timedelta(hours=1))
    world.scan(SECOND, "team-a/checkout", "4.2.0", OPENSSL, BUSYBOX, LIBXML)
    if not short:
        world.scan(SECOND, "team-b/api", "1.7.0", LOG4J)
        world.scan(SECOND, "team-b/legacy", "1.0", failure=UNSUPPORTED)
    world.deliver(SECOND + timedelta(hours=1))
    return world.published[-1][1]


def report() -> dict[str, Any]:
    """Return the JSON document of the report."""
    document: dict[str, Any] = json.loads(json.loads(report_message()["Message"])["default"])
    return document


def _summaries() -> tuple[list[RepositorySummary], list[RepositorySummary]]:
    """Return the repositories as they were a week ago, and as they are now."""
    checkout = RepositorySummary(
        "team-a/checkout",
        NOW - WEEK - timedelta(hours=3),
        Coverage({"in_time": 12}),
        {"CRITICAL": 1, "HIGH": 2, "MEDIUM": 3},
        ledger=Ledger(carried=6),
    )
    api = RepositorySummary(
        "team-b/api",
        NOW - WEEK - timedelta(hours=3),
        Coverage({"in_time": 7, "unsupported": 1, "not_selected": 2}, {"unsupported": ["1.0-scratch"]}),
        {"HIGH": 2, "LOW": 1},
        ledger=Ledger(carried=3),
    )
    openssl = Update("openssl", ("3.0.1-r2",), ("3.0.15-r0",), Counter({"CRITICAL": 1}), 12)
    libxml = Update("libxml2", ("2.11.8",), ("2.11.9",), Counter({"CRITICAL": 1, "HIGH": 1}), 2)
    log4j = Update("log4j-core", ("2.14.1",), ("2.17.1",), Counter({"HIGH": 1}), 7)
    late = OverdueInImage("4.2.0", OPENSSL.id, "openssl", "CRITICAL", NOW - timedelta(hours=7), "CRITICAL", 14)
    added, due = FIRST.date() + timedelta(days=3), NOW.date() + timedelta(days=7)
    known = KnownExploited(
        LIBXML.id, "CRITICAL", "libxml2", added, due, ransomware=True, told_at=NOW - timedelta(days=2)
    )
    urgent = ExploitedFinding("4.2.0", known)
    checkout_now = checkout._replace(
        updated_at=NOW - timedelta(hours=3),
        open={"CRITICAL": 2, "HIGH": 2, "MEDIUM": 2},
        ledger=Ledger(carried=6, new=1, new_critical=1, fixed=1),
        updates=(openssl, libxml),
        overdue=1,
        overdue_worst=(late,),
        ignored=1,
        exploited=1,
        exploited_first=(urgent,),
    )
    api_now = api._replace(
        updated_at=NOW - timedelta(hours=3),
        open={"HIGH": 1, "LOW": 1},
        ledger=Ledger(carried=3, withdrawn=1),
        updates=(log4j,),
    )
    return [checkout, api], [checkout_now, api_now]


def overview() -> dict[str, Any]:
    """Return an overview, a week after the one before."""
    earlier, now = _summaries()
    settings = SETTINGS._replace(known_exploited=True)
    _, before = build_overviews(earlier, None, None, settings, NOW - WEEK)
    [made], _ = build_overviews(now, before, NOW - WEEK, settings, NOW)
    rules = ["The rule for CVE-2026-3456 ends in 9 days."]
    notices = Notices(rules, {"ecr-scan-reporter-reports-dlq": 2}, ["team-b@example.com"])
    [message] = map(build_message, build_pages(made._replace(notices=notices)))
    document: dict[str, Any] = json.loads(message.document)
    return document


def export() -> str:
    """Return the lines of an image in an export: an open finding, an overdue and an ignored one."""
    image = ImageId("123456789012", "eu-west-1", "team-a/checkout", digest_of("team-a/checkout:4.2.0"))
    record = ImageRecord(
        scanned_at=SECOND, scanner=ENHANCED, platform="linux/arm64", pushed_at=SECOND - timedelta(hours=1)
    )
    rule = IgnoredBy(RULE["id"], RULE["reason"], RULE["owner"], date.fromisoformat(RULE["expires"]))
    found = [KnownFinding(LIBXML, SECOND), KnownFinding(OPENSSL, FIRST), KnownFinding(BUSYBOX, FIRST, ignored_by=rule)]
    settings = SETTINGS._replace(fix_within={"CRITICAL": 14, "HIGH": 30})
    listed = Listed({image.digest: ("4.2.0", "latest")}, frozenset())
    of = ("2026-11-24T04:00:00Z-1a2b3c4d", SECOND)
    return to_json(list(lines(image, record, found, listed, of, settings, CATALOG)))


def files() -> dict[Path, str]:
    """Return the content of each file."""
    made = {"report": report(), "overview": overview()}
    documents = {DOCS / f"{name}.example.json": json.dumps(value, indent=2) + "\n" for name, value in made.items()}
    return {**documents, DOCS / "export.example.ndjson": export()}


def main() -> None:
    """Write the files."""
    for path, content in files().items():
        path.write_text(content)


if __name__ == "__main__":
    main()
