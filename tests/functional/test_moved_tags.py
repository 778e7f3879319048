"""The reporter, when a tag has moved on before the event of an image is processed: the event's own tags count."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from fake_aws import FakeImage, FakeScan, digest_of, finding
from support.invocations import scan_event
from support.reporter_harness import ReporterHarness, document
from support.virtual_time import TIME

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
KNOWN = [finding(f"CVE-2026-{number:04}", "HIGH", f"known-{number}") for number in range(2)]
# Most of what it has is new, so that its findings alone do not tell what it replaces.
REBUILT = KNOWN + [finding(f"CVE-2027-{number:04}", "HIGH", f"new-{number}") for number in range(5)]


def push(inbox: ReporterHarness, name: str, at: datetime, tags: tuple[str, ...], found: list[Any]) -> dict[str, Any]:
    """Push an image whose scan ends a minute later; return its event, which has the tags of the push."""
    repository, digest = inbox.aws.registry.repository("app"), digest_of(name)
    repository.put(FakeImage(digest, tags, pushed_at=at))
    repository.scans[digest] = FakeScan("COMPLETE", at + MINUTE, findings=found)
    return scan_event(digest, at + MINUTE, {"HIGH": len(found)}, tags)


@pytest.mark.parametrize("scanned_again", [False, True])
def test_event_whose_tag_has_moved_on_brings_no_old_news(inbox: ReporterHarness, scanned_again: bool) -> None:
    inbox.aws.registry.add("app")
    start = TIME.now().replace(microsecond=0) - DAY
    assert inbox.report(push(inbox, "first", start, ("prod",), KNOWN), now=start + 2 * MINUTE) == []
    later = start + 60 * MINUTE
    events = [push(inbox, "second", later, ("prod",), REBUILT)]
    # Nobody has scanned the third one yet.
    inbox.aws.registry.repository("app").put(FakeImage(digest_of("third"), ("prod",), pushed_at=later + MINUTE))
    if scanned_again:
        inbox.aws.registry.repository("app").scans[digest_of("second")] = FakeScan(
            "COMPLETE", later + 9 * MINUTE, findings=REBUILT
        )
        events.append(scan_event(digest_of("second"), later + 9 * MINUTE, {"HIGH": len(REBUILT)}, ()))
    assert inbox.report(*events, now=later + 10 * MINUTE) == []
    images = [image for report in inbox.reports() for image in document(report)["images"]]
    assert Counter(entry["id"] for image in images for entry in image["changes"]["new"]) == Counter(
        str(found["name"]) for found in REBUILT
    )
