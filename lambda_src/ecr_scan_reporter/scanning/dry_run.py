"""Says what a run would do with each image of a repository, and why, without starting a scan."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from typing import Any, NamedTuple

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.errors import DeadlineExceededError, SettingError
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.scans import Scan, StartOutcome
from ecr_scan_reporter.scanning.context import ScanContext, ScanDependencies
from ecr_scan_reporter.scanning.decisions import Decision
from ecr_scan_reporter.scanning.repository import RepositoryScan

# Bytes of the images in an answer. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html has 6 MB.
_MAX_ANSWER = 5_000_000


class DryRunRequest(NamedTuple):
    """Asks what a run would do with the images of a repository."""

    repository: str

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> "DryRunRequest":
        """Parse the input of the function.

        Raises:
            SettingError: it is something else.
        """
        match event:
            case {"repository": str() as name, "dryRun": True, **rest} if name and not rest:
                return cls(name)
        given = json.dumps(event, default=str)[:200]
        raise SettingError(
            "the input", given, 'a batch of the images queue, or {"repository": "<name>", "dryRun": true}'
        )


def dry_run(request: DryRunRequest, deps: ScanDependencies, deadline: Deadline, now: datetime) -> dict[str, Any]:
    """Return what a run would do with each image of a repository now; starts nothing.

    It does remember what image indexes consist of, because ECR counts each read of an index as a pull.

    Returns:
        The images: first those that can be scanned, then the others, each in the order of their digests. And how many
        images were left out of the answer, because it would be too large or the time was too short.

    Raises:
        DeadlineExceededError: the repository has too many images to list in the remaining time.
        AwsError: ECR rejected a call for a reason that concerns the whole repository.
    """
    message = RepositoryMessage(request.repository, enhanced=not deps.ecr.supports_manual_scans())
    scan = RepositoryScan(ScanContext(message, deps, deadline, now))
    skipped: list[tuple[str, str, Decision]] = []
    scan.list_images(skipped)
    images: list[dict[str, Any]] = []
    size = 0
    for entry in chain(_entries(scan), _skipped_entries(skipped)):
        size += len(json.dumps(entry)) + 2
        if size > _MAX_ANSWER:
            break
        images.append(entry)
    omitted = len(scan.listing.candidates) + len(skipped) - len(images)
    return {"repository": request.repository, "dryRun": True, "images": images, "omitted": omitted}


def _entries(scan: RepositoryScan) -> Iterator[dict[str, Any]]:
    with suppress(DeadlineExceededError):
        for chunk in scan.chunks():
            scan.look_up(chunk)
            for standing in chunk.read:
                digest, tag = standing.image.digest, standing.image.tag
                if standing.source:
                    decision = "scan" if standing.due else "skip"
                    yield _entry(digest, tag, decision, standing.decision, standing.dated, standing.source)
                else:
                    reason = StartOutcome.IMAGE_NOT_FOUND if digest in chunk.gone else "look_up_failed"
                    yield _entry(digest, tag, "unknown", reason)


def _skipped_entries(skipped: list[tuple[str, str, Decision]]) -> Iterator[dict[str, Any]]:
    for digest, tag, reason in sorted(skipped):
        yield _entry(digest, tag, "skip", reason, None, "DescribeImages")


def _entry(
    digest: str, tag: str, decision: str, reason: str, scan: Scan | None = None, known_from: str | None = None
) -> dict[str, Any]:
    completed_at = scan.completed_at.astimezone(UTC) if scan and scan.completed_at else None
    time = f"{completed_at:%Y-%m-%dT%H:%M:%SZ}" if completed_at else None
    return {
        "digest": digest,
        "tag": tag or None,
        "decision": decision,
        "reason": str(reason),
        "last_scan": {"status": scan.status, "time": time} if scan else None,
        "known_from": known_from,
    }
