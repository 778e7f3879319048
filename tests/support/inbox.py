"""The reporter, configured for a fake of AWS, and what it published."""

import json
from datetime import datetime
from typing import Any

from ecr_scan_reporter import reporter
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.messages.publication import CHECK
from ecr_scan_reporter.reporting.pipeline import report_batch
from fake_aws import FakeAws, FakeImage, FakeScan, Publication, digest_of, finding
from support import schemas
from support.virtual_time import TIME

TOPIC, CHAT = (f"arn:aws:sns:eu-west-1:123456789012:{name}" for name in ("reports", "chat"))
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
        self.repositories: dict[str, Any] = {}

    def image(
        self,
        repository: str,
        *tags: str,
        scan: FakeScan | None = None,
        name: str = "",
        event: dict[str, Any] | None = None,
        pushed_at: datetime | None = None,
    ) -> dict[str, Any]:
        """Put an image into the registry, pushed now; returns the event of its scan with the counts of its findings."""
        digest = digest_of(name or f"{repository}{tags}")
        held = self.repositories.get(repository) or self.aws.registry.add(repository)
        self.repositories[repository] = held
        held.put(FakeImage(digest, tags, pushed_at=pushed_at or TIME.now()))
        counts: dict[str, int] = {}
        if scan:
            held.scans[digest] = scan
            for entry in (*scan.findings, *scan.enhanced_findings):
                if entry.get("status", "ACTIVE") == "ACTIVE":
                    counts[str(entry["severity"])] = counts.get(str(entry["severity"]), 0) + 1
        detail = {
            "scan-status": "COMPLETE",
            "repository-name": repository,
            "finding-severity-counts": counts,
            "image-digest": digest,
            "image-tags": list(tags),
            **(event or {}),
        }
        return {
            "detail-type": "ECR Image Scan",
            "source": "aws.ecr",
            "account": "123456789012",
            "time": "2026-11-23T09:14:00Z",
            "region": "eu-west-1",
            "detail": detail,
        }

    def report(self, *events: Any, receives: int = 1, seconds: float = 60, now: datetime | None = None) -> list[str]:
        """Invoke the function with a batch of events, at a time other than now; return which messages failed."""
        records: Any = [
            {
                "messageId": str(number),
                "receiptHandle": f"handle-{number}",
                "body": event if isinstance(event, str) else json.dumps(event),
                "attributes": {"ApproximateReceiveCount": str(receives)},
            }
            for number, event in enumerate(events)
        ]
        context: Any = type("Context", (), {"get_remaining_time_in_millis": lambda _: int(seconds * 1000)})()
        if now:
            response: Any = report_batch(records, reporter.dependencies(), Deadline(seconds), now)
        else:
            response = reporter.handler({"Records": records}, context)
        for publication in self.reports():
            schemas.REPORT.validate(document(publication))
            assert publication.subject is not None
            assert 0 < len(publication.subject) < 100
            assert publication.subject.isascii()
            assert publication.subject.isprintable()
        return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]

    def check(self, now: datetime) -> None:
        """Let the message arrive that asks what is to be published, at a time."""
        record: Any = {"messageId": "1", "body": CHECK}
        assert report_batch([record], reporter.dependencies(), Deadline(300), now) == {"batchItemFailures": []}

    def reports(self) -> list[Publication]:
        return [publication for publication in self.aws.publications() if publication.topic == TOPIC]

    def chats(self) -> list[dict[str, Any]]:
        return [json.loads(publication.message) for publication in self.aws.publications() if publication.topic == CHAT]


def document(publication: Publication) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(json.loads(publication.message)["default"])
    return parsed


def findings_of(image: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for found in image["changes"].values() for finding in found]


def mail(publication: Publication) -> str:
    text: str = json.loads(publication.message)["email"]
    return text


def found(*severities: str) -> FakeScan:
    return FakeScan(findings=[finding(f"CVE-2026-{n:04}", severity) for n, severity in enumerate(severities, start=1)])
