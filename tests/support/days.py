"""The functions over days, of which nothing but the rules of the module and their queues start one."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, NamedTuple

from ecr_scan_reporter import images_scanner, reporter, repositories_scanner
from ecr_scan_reporter.memory.images import ImageRecord, image_record
from ecr_scan_reporter.memory.items import image_key, repository_key
from fake_aws import FakeAws, FakeImage, FakeRepository, FakeScan, Publication, digest_of
from support.invocations import REGISTRY, Context, inspector_event, scan_event, sqs_records
from support.reporter_harness import TOPIC, document
from support.virtual_time import TIME

DAY = timedelta(days=1)
APP = "team-a/app"
Configure = Callable[..., None]


class Told(NamedTuple):
    """A finding in a report: since the start, on which day it came, and what it says."""

    day: int
    image: str
    word: str
    id: str


class Days:
    """The functions, of which nothing but the rules of the module and their queues start one, over days."""

    def __init__(self, aws: FakeAws, configure: Configure) -> None:
        self.aws, self._configure, self._settings = aws, configure, dict[str, str]()
        self.reports: list[Publication] = []
        self._read, self._start = 0, TIME.now().date()
        self._published: list[tuple[int, dict[str, Any]]] = []
        self.images: dict[str, str] = {}

    def configure(self, **settings: str) -> None:
        self._settings |= settings
        self._configure(**self._settings)

    @property
    def today(self) -> date:
        return TIME.now().date()

    @property
    def day(self) -> int:
        return (self.today - self._start).days

    def day_at(self, number: int) -> str:
        """Return a day as a rule for ignored findings names it."""
        return str(self._start + number * DAY)

    def repository(self, name: str = APP) -> FakeRepository:
        """Return a repository, which is created if there is none."""
        return self.aws.registry.listing.get(name) or self.aws.registry.add(name)

    def push(self, name: str, *findings: dict[str, Any], repository: str = APP) -> dict[str, Any]:
        """Push an image and let it be scanned; return the event."""
        held = self.repository(repository)
        digest, now = digest_of(name), TIME.now()
        held.put(FakeImage(digest, (name,), pushed_at=now))
        held.scans[digest] = FakeScan("ACTIVE", now, enhanced_findings=list(findings))
        self.images[digest] = name
        counts = Counter(entry["severity"] for entry in findings)
        return inspector_event(scan_event(digest, now, counts, [name], repository=repository))

    def scan(self, name: str, *findings: dict[str, Any], repository: str = APP) -> None:
        """Push an image, and let its event arrive."""
        self.handle(self.push(name, *findings, repository=repository))

    def handle(self, *bodies: object, seconds: float = 300, receives: int = 1) -> list[str]:
        """Let messages of the reports queue arrive; return which failed."""
        before = len(self.aws.publications())
        answer: Any = reporter.handler({"Records": sqs_records(*bodies, receives=receives)}, Context(seconds))
        self.reports += (published := [each for each in self.aws.publications()[before:] if each.topic == TOPIC])
        self._published += [(self.day, document(report)) for report in published]
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def empty_the_queues(self, seconds: float = 300) -> None:
        """Let all messages arrive that the functions sent, when they are due; they are delivered again if they fail."""
        while messages := self.aws.messages()[self._read :]:
            self._read += len(messages)
            TIME.sleep(max(message.delay for message in messages))
            bodies = [message.body for message in messages if "version" not in json.loads(message.body)]
            for message in messages:
                if message.body not in bodies:
                    records = sqs_records(message.body)
                    assert images_scanner.handler({"Records": records}, Context(300)) == {"batchItemFailures": []}
            for attempt in range(1, 5):
                failed = self.handle(*bodies, seconds=seconds, receives=attempt) if bodies else []
                bodies = [bodies[int(number)] for number in failed]
                TIME.sleep(60)
            assert bodies == []

    def started(self) -> dict[str, Any]:
        """Return the message of the rule that starts a pass, now."""
        return {"pass": {"at": f"{TIME.now():%Y-%m-%dT%H:%M:%SZ}"}}

    def midnight(self) -> None:
        """Let time pass until five minutes after the next midnight."""
        now = TIME.now()
        TIME.sleep((now.replace(hour=0, minute=5, second=0, microsecond=0) + DAY - now).total_seconds())

    def nights(self, number: int, seconds: float = 300) -> None:
        """Let days pass, with a pass at the beginning of each."""
        for _ in range(number):
            self.midnight()
            self.handle(self.started(), seconds=seconds)
            self.empty_the_queues(seconds)

    def run(self) -> None:
        """Let a run of the schedule scan what is due."""
        repositories_scanner.handler({}, None)
        self.empty_the_queues()

    def told(self) -> list[Told]:
        """Return what the reports said of findings that were known before, in the order of the days."""
        return sorted(
            Told(day, self.images[image["digest"]], word, finding["id"])
            for day, report in self._published
            for image in report["images"]
            for word, found in (
                ("exploited", image["known_exploited"]),
                ("overdue", image["overdue"]),
                ("reopened", image["changes"]["no_longer_ignored"]),
            )
            for finding in found
        )

    def record(self, name: str, repository: str = APP) -> ImageRecord:
        item = reporter.dependencies().table.get(repository_key(REGISTRY, repository), image_key(digest_of(name)))
        return image_record(item or {})
