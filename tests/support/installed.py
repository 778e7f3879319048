"""All functions as they are installed: a schedule, queues with delays and DLQs, and ECR's events, on virtual time."""

import heapq
import itertools
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ecr_scan_reporter import images_scanner, reporter, repositories_scanner
from fake_aws import FakeAws, FakeImage, digest_of
from support.invocations import Context, sqs_records
from support.reporter_harness import document
from support.virtual_time import TIME

_RETRY, _MAX_RECEIVES, _BATCH = timedelta(seconds=60), 5, 10
_HANDLERS = {"images": images_scanner.handler, "reports": reporter.handler}
# Returns after how many seconds an event arrives: never, once, or several times.
Delivery = Callable[[Mapping[str, Any]], Collection[float]]


class _Message(NamedTuple):
    at: datetime
    number: int
    queue: str
    body: str
    receives: int = 1


class Installed:
    """The functions behind a registry.

    Args:
        aws: the fake of AWS that they are configured for.
        rate: the time between two runs.
        delivery: of events; at once by default.
        passes: whether there is a daily pass.

    Attributes:
        delivery: may be changed at any time.
        dlq: the bodies of messages that failed five times.
    """

    def __init__(
        self, aws: FakeAws, rate: timedelta, delivery: Delivery = lambda _: (5,), *, passes: bool = False
    ) -> None:
        self.aws, self.rate, self.delivery = aws, rate, delivery
        self.dlq: list[str] = []
        self._numbers, self._taken, self._messages = itertools.count(), 0, list[_Message]()
        self._next_run = TIME.now()
        if passes:
            self._pass()

    def push(self, repository: str, tag: str, name: str = "") -> FakeImage:
        """Push an image with a digest of its own."""
        image = FakeImage(digest_of(name or f"{repository}:{tag}"), (tag,), pushed_at=TIME.now())
        self.aws.registry.repository(repository).put(image)
        return image

    def run_for(self, time: timedelta) -> None:
        """Let everything happen until so much time has passed."""
        end = TIME.now() + time
        while True:
            self._collect()
            dates = [self._next_run, *(message.at for message in self._messages[:1])]
            if completion := self.aws.registry.next_completion():
                dates.append(completion)
            if (at := min(dates)) > end:
                break
            TIME.sleep(max((at - TIME.now()).total_seconds(), 0))
            if self._next_run <= TIME.now():
                self._next_run += self.rate
                repositories_scanner.handler({}, None)
            elif self._messages and self._messages[0].at <= TIME.now():
                self._deliver()
        TIME.sleep(max((end - TIME.now()).total_seconds(), 0))

    def overview(self) -> dict[str, Any]:
        """Return the overview of now, which is not published."""
        answer = reporter.handler({"overview": True, "publish": False}, Context(300))
        [overview] = answer["overviews"]
        return {**overview["document"], "text": overview["text"]}

    def reported(self, change: str = "new") -> list[tuple[str, str]]:
        """Return the digest and the finding of each change that was reported, in the order of the reports."""
        images = (image for report in self.aws.publications() for image in document(report)["images"])
        return [(image["digest"], entry["id"]) for image in images for entry in image["changes"][change]]

    def _collect(self) -> None:
        for event in map(_event, self.aws.registry.take_events()):
            for seconds in self.delivery(event):
                self._put("reports", json.dumps(event), TIME.now() + timedelta(seconds=seconds))
        messages = self.aws.messages()
        for message in messages[self._taken :]:
            self._put(message.queue, message.body, TIME.now() + timedelta(seconds=message.delay))
        self._taken = len(messages)

    def _pass(self) -> None:
        at = TIME.now() + timedelta(days=1)
        self._put("reports", json.dumps({"pass": {"at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}}), at)

    def _put(self, queue: str, body: str, at: datetime, receives: int = 1) -> None:
        heapq.heappush(self._messages, _Message(at, next(self._numbers), queue, body, receives))

    def _deliver(self) -> None:
        first = heapq.heappop(self._messages)
        batch = [first, *itertools.islice(self._others(first), _BATCH - 1)]
        records = sqs_records(*(message.body for message in batch), receives=first.receives)
        if any('"at"' in message.body and '"pass"' in message.body for message in batch):
            self._pass()
        answer = _HANDLERS[first.queue]({"Records": records}, Context(300))
        for failure in answer["batchItemFailures"]:
            message = batch[int(failure["itemIdentifier"])]
            if message.receives < _MAX_RECEIVES:
                self._put(message.queue, message.body, TIME.now() + _RETRY, message.receives + 1)
            else:
                self.dlq.append(message.body)

    def _others(self, first: _Message) -> Iterator[_Message]:
        """Take the messages that are due, as long as they are of the same queue and were received as often."""
        while self._messages and self._messages[0].at <= TIME.now():
            message = self._messages[0]
            if (message.queue, message.receives) != (first.queue, first.receives):
                return
            yield heapq.heappop(self._messages)


def _event(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event that EventBridge makes of an entry of PutEvents."""
    return {
        "version": "0",
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": "123456789012",
        "time": f"{entry['Time']:%Y-%m-%dT%H:%M:%SZ}",
        "region": "eu-west-1",
        "resources": entry["Resources"],
        "detail": json.loads(entry["Detail"]),
    }
