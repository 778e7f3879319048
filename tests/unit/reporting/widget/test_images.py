"""Lists the images of a repository, the worst first."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.memory.images import ImageRecord
from ecr_scan_reporter.reporting.widget import images as module
from ecr_scan_reporter.reporting.widget.images import repository_images
from ecr_scan_reporter.shared.durations import Duration

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = Duration(0, 0, 7)


def test_images_are_sorted_by_what_is_open_and_old_ones_are_counted() -> None:
    def record(days: float, **values: Any) -> ImageRecord:
        return ImageRecord(event_at=NOW - days * DAY, **values)

    images = repository_images(
        [
            ("sha256:1", record(1)),
            ("sha256:2", record(1, counts={"HIGH": 5})),
            ("sha256:3", record(6.9, counts={"CRITICAL": 1})),
            ("sha256:4", record(7.1, counts={"CRITICAL": 9})),
            ("sha256:5", ImageRecord()),
        ],
        WEEK,
        NOW,
    )
    assert [digest for digest, _ in images.recent] == ["sha256:3", "sha256:2", "sha256:1"]
    assert (images.older, images.more) == (2, False)


def test_images_that_are_read_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_IMAGES", 3)
    records = ((f"sha256:{number}", ImageRecord(event_at=NOW)) for number in range(5))
    images = repository_images(records, WEEK, NOW)
    assert (len(images.recent), images.older, images.more) == (3, 0, True)
    # The last one was not read.
    assert len(list(records)) == 1
