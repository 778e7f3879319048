"""The reporter with a fake of AWS (`fake_aws`), and its publications.

It runs the handler with real boto3 clients against the fake's ECR, with all forms of a scan's result, faults of each
service, and counted calls. `world`, in memory, has none of these, but a queue that delivers messages again.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ecr_scan_reporter import reporter
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.messages.reports_queue import CHECK
from ecr_scan_reporter.models.severities import SEVERITIES
from ecr_scan_reporter.reporter import report_batch
from fake_aws import FakeAws, FakeImage, FakeRepository, FakeScan, Publication, digest_of, finding
from support import schemas
from support.configuration import CHAT as CHAT
from support.configuration import TOPIC as TOPIC
from support.invocations import Context, scan_event, sqs_records
from support.virtual_time import TIME

TOPICS = Path(__file__).parents[2] / "topics.tf"
_SCANNED_AT = datetime(2026, 11, 23, 9, 14, tzinfo=UTC)
UNSUPPORTED = "UnsupportedImageError: The operating system and/or package manager are not supported."


def enhanced(name: str, severity: str, package: str, fixed: str = "", **fields: Any) -> dict[str, Any]:
    """A finding of enhanced scanning."""
    vulnerable = {"name": package, "version": "1.0", **({"fixedInVersion": fixed} if fixed else {})}
    details = {"vulnerabilityId": name, "sourceUrl": f"https://example.com/{name}", "vulnerablePackages": [vulnerable]}
    return {
        "severity": severity,
        "status": "ACTIVE",
        "fixAvailable": "YES" if fixed else "NO",
        "exploitAvailable": "NO",
        "packageVulnerabilityDetails": details,
        **fields,
    }


class ReporterHarness:
    """The reporter, configured for a fake of AWS, and what it published."""

    def __init__(self, aws: FakeAws) -> None:
        self.aws = aws

    @property
    def repositories(self) -> dict[str, FakeRepository]:
        return {repository.name: repository for repository in self.aws.registry.repositories}

    def image(
        self,
        repository: str,
        *tags: str,
        scan: FakeScan | None = None,
        name: str = "",
        event: dict[str, Any] | None = None,
        pushed_at: datetime | None = None,
        at: datetime = _SCANNED_AT,
    ) -> dict[str, Any]:
        """Put an image into the registry, pushed now; returns the event of its scan with the counts of its findings."""
        digest = digest_of(name or f"{repository}{tags}")
        held = self.aws.registry.listing.get(repository) or self.aws.registry.add(repository)
        held.put(FakeImage(digest, tags, pushed_at=pushed_at or TIME.now()))
        counts: dict[str, int] = {}
        if scan:
            held.scans[digest] = scan
            for entry in (*scan.findings, *scan.enhanced_findings):
                if entry.get("status", "ACTIVE") == "ACTIVE":
                    counts[str(entry["severity"])] = counts.get(str(entry["severity"]), 0) + 1
        made = scan_event(digest, at, counts, tags, repository=repository)
        made["detail"] |= event or {}
        return made

    def report(self, *events: Any, receives: int = 1, seconds: float = 60, now: datetime | None = None) -> list[str]:
        """Invoke the function with a batch of events, at a time other than now; return which messages failed."""
        records = sqs_records(*events, receives=receives)
        if now:
            response: Any = report_batch(records, reporter.dependencies(), Deadline(seconds), now)
        else:
            response = reporter.handler({"Records": records}, Context(seconds))
        for publication in self.reports():
            schemas.REPORT.validate(document(publication))
            for image in document(publication)["images"]:
                check_balance(image)
            assert publication.subject is not None
            assert 0 < len(publication.subject) < 100
            assert publication.subject.isascii()
            assert publication.subject.isprintable()
        return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]

    def images_reported(self, now: datetime, *events: Any) -> list[dict[str, Any]]:
        """Report events at a time; return the images of the new reports."""
        before = len(self.reports())
        assert self.report(*events, now=now) == []
        return [image for report in self.reports()[before:] for image in document(report)["images"]]

    def check(self, now: datetime) -> None:
        """Let the message arrive that asks what is to be published, at a time."""
        assert report_batch(sqs_records(CHECK), reporter.dependencies(), Deadline(300), now) == {
            "batchItemFailures": []
        }

    def reports(self) -> list[Publication]:
        return [publication for publication in self.aws.publications() if publication.topic == TOPIC]

    def chats(self) -> list[dict[str, Any]]:
        return [json.loads(publication.message) for publication in self.aws.publications() if publication.topic == CHAT]


def document(publication: Publication) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(json.loads(publication.message)["default"])
    return parsed


def check_balance(image: dict[str, Any]) -> None:
    """Check that the books of an image balance."""
    totals = image["totals"]
    gained = sum(totals[word] for word in ("new", "back", "no_longer_ignored", "known_here"))
    assert image["open_now"] == image["open_before"] + gained - totals["fixed"] - totals["withdrawn"]
    # What could not be read has the counts of its event. A severity that ECR adds is not among the counts.
    unknown = sum(entry["severity"] not in SEVERITIES for entry in findings_of(image))
    assert image["findings_error"] or sum(image["counts"].values()) + unknown == image["open_now"]


def findings_of(image: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for found in image["changes"].values() for finding in found]


def mail(publication: Publication) -> str:
    text: str = json.loads(publication.message)["email"]
    return text


def is_mailed(publication: Publication) -> bool:
    """Return whether the filter policy of the email subscriptions in topics.tf lets a message through."""
    policy = re.search(r'first_part_only = jsonencode\(\{ (\w+) = \[\{ suffix = "(.+?)" \}\] \}\)', TOPICS.read_text())
    assert policy
    return publication.attributes[policy[1]][1].endswith(policy[2])


def found(*severities: str) -> FakeScan:
    return FakeScan(findings=[finding(f"CVE-2026-{n:04}", severity) for n, severity in enumerate(severities, start=1)])
