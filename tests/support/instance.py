"""A whole instance of the module with a fake of AWS: all functions, and the messages that they send each other."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ecr_scan_reporter import images_scanner, reporter, repositories_scanner
from fake_aws import FakeImage, digest_of, index_image
from support.configuration import forget_dependencies
from support.invocations import Context, sqs_records
from support.reporter_harness import ReporterHarness, document, found
from support.virtual_time import TIME


class Instance:
    """All functions of an instance, and the repositories app and other."""

    def __init__(self, inbox: ReporterHarness) -> None:
        self.inbox, self.aws, self._read, self.invocations = inbox, inbox.aws, 0, 0
        self.failed: list[tuple[str, object]] = []
        self._waiting: list[tuple[datetime, str, str]] = []
        self.aws.start_over()
        child = digest_of("child")
        index = index_image(digest_of("index"), {child: "linux/amd64"}, ("1.0",))
        self.aws.registry.add("index", [index, FakeImage(child)])
        forget_dependencies()

    def scan(self, repository: str, build: int, *severities: str) -> None:
        """Report the scan of a build, which ends now."""
        scan = replace(found(*severities), completed_at=TIME.now())
        event = self.inbox.image(repository, f"1.{build}", name=f"{repository} {build}", scan=scan, at=TIME.now())
        self.deliver("reports", event)

    def deliver(self, queue: str, body: object) -> None:
        """Deliver a message; if it fails, it waits for what SQS would deliver again."""
        handler = reporter.handler if queue == "reports" else images_scanner.handler
        response: Any = handler({"Records": sqs_records(body)}, Context(300))
        if response["batchItemFailures"]:
            self.failed.append((queue, body))

    def run(self) -> None:
        """Let the schedule start a run."""
        repositories_scanner.handler({}, None)

    def let_pass(self, hours: float) -> None:
        """Deliver the messages that the functions send, when they are due."""
        end = TIME.now() + timedelta(hours=hours)
        while TIME.now() < end:
            sent = self.aws.messages()[self._read :]
            self._read += len(sent)
            due = {(TIME.now() + timedelta(seconds=each.delay), each.queue, each.body) for each in sent}
            self._waiting = sorted({*self._waiting, *due})
            if not self._waiting or self._waiting[0][0] > end:
                TIME.sleep((end - TIME.now()).total_seconds())
                return
            at, queue, body = self._waiting.pop(0)
            TIME.sleep(max((at - TIME.now()).total_seconds(), 0))
            self.invocations += 1
            self.deliver(queue, body)

    def publish_overview(self) -> None:
        """Let the schedule ask for an overview."""
        event = {"overview": True, "time": f"{TIME.now():%Y-%m-%dT%H:%M:%SZ}"}
        assert reporter.handler(event, Context(300))["published"] == 1

    def items(self) -> list[dict[str, Any]]:
        """Return all items of memory."""
        scanned: Any = self.aws.client("dynamodb").scan(TableName="memory")
        return list(scanned["Items"])

    def told_ids(self, repository: str, first: int) -> list[str]:
        """Return the ids of the new findings in a repository that the reports say from one on, as often as they do."""
        reports = map(document, self.inbox.reports()[first:])
        images = [image for report in reports for image in report.get("images", ())]
        found = [
            entry["id"] for image in images if image["repository"] == repository for entry in image["changes"]["new"]
        ]
        return sorted(found)

    def told(self, first: int = 0) -> dict[str, set[str]]:
        """Return what the reports say from one on, by repository: new findings, "inventory" and "unreadable"."""
        told: dict[str, set[str]] = {"app": set(), "other": set()}
        for report in map(document, self.inbox.reports()[first:]):
            if report["schema"].startswith("ecr-scan-overview"):
                continue
            for image in report["images"]:
                told[image["repository"]] |= {entry["id"] for entry in image["changes"]["new"]}
                told[image["repository"]] |= {"unreadable"} if image["findings_error"] else set()
            for entry in (report["inventory"] or {"repositories": ()})["repositories"]:
                told.setdefault(entry["repository"], set()).add("inventory")
        return told
