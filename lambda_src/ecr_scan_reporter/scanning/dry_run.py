"""Says what a run would do with each image of a repository, and why, without starting a scan."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.errors import DeadlineExceededError, InputError
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.scans import Scan, StartOutcome
from ecr_scan_reporter.scanning.context import ScanContext, ScanDependencies, Tally
from ecr_scan_reporter.scanning.images import Candidate, SkippedImage
from ecr_scan_reporter.scanning.repository import RepositoryScan

EXPECTED = 'a batch of the images queue, or {"repository": "<name>", "dryRun": true}'
# Bytes of the images in an answer. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html has 6 MB.
_MAX_ANSWER = 5_000_000


def dry_run(event: Mapping[str, Any], deps: ScanDependencies, deadline: Deadline, now: datetime) -> dict[str, Any]:
    """Return what a run would do with each image of a repository now; starts nothing.

    It does remember what image indexes consist of, because ECR counts each read of an index as a pull.

    Args:
        event: names the repository: `{"repository": "team-a/app", "dryRun": true}`.
        deps: the settings and clients.
        deadline: of the invocation.
        now: aware.

    Returns:
        The images: first those that can be scanned, then the others, each in the order of their digests. And how many
        images were left out of the answer, because it would be too large or the time was too short.

    Raises:
        InputError: the input is something else.
        DeadlineExceededError: the repository has too many images to list in the remaining time.
        AwsError: ECR rejected a call for a reason that concerns the whole repository.
    """
    match event:
        case {"repository": str() as name, "dryRun": True, **rest} if name and not rest:
            message = RepositoryMessage(deps.ecr.id, name, enhanced=not deps.ecr.supports_manual_scans())
        case _:
            given = json.dumps(event, default=str)[:200]
            raise InputError(f"the input is {given!r}; expected {EXPECTED}")
    scan = RepositoryScan(ScanContext(message, deps, deadline, now, Tally(name)))
    skipped: list[SkippedImage] = []
    scan.list_images(skipped)
    images: list[dict[str, Any]] = []
    size = 0
    others = (_entry(image, "skip", image.reason, "DescribeImages") for image in sorted(skipped))
    for entry in chain(_entries(scan), others):
        size += len(json.dumps(entry)) + 2
        if size > _MAX_ANSWER:
            break
        images.append(entry)
    omitted = len(scan.listing.candidates) + len(skipped) - len(images)
    return {"repository": name, "dryRun": True, "images": images, "omitted": omitted}


def _entries(scan: RepositoryScan) -> Iterator[dict[str, Any]]:
    with suppress(DeadlineExceededError):
        for chunk in scan.chunks():
            scan.look_up(chunk)
            for standing in chunk.read:
                image, last = standing.image, standing.dated
                if standing.source:
                    yield _entry(image, "scan" if standing.due else "skip", standing.decision, standing.source, last)
                else:
                    gone = image.digest in chunk.gone
                    yield _entry(image, "unknown", StartOutcome.IMAGE_NOT_FOUND if gone else "look_up_failed")


def _entry(
    image: Candidate | SkippedImage, decision: str, reason: str, source: str | None = None, last: Scan | None = None
) -> dict[str, Any]:
    time = f"{last.completed_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if last and last.completed_at else None
    return {
        "digest": image.digest,
        "tag": image.tag or None,
        "decision": decision,
        "reason": str(reason),
        "last_scan": {"status": last.status, "time": time} if last else None,
        "known_from": source,
    }
