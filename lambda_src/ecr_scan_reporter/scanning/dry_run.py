"""Says what a run would do with each image of a repository, and why, without starting a scan."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.errors import InputError
from ecr_scan_reporter.memory.scans import ScanMemory
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.scans import Scan, StartOutcome
from ecr_scan_reporter.scanning import repository
from ecr_scan_reporter.scanning.decisions import Decision
from ecr_scan_reporter.scanning.plan import ScanPlan
from ecr_scan_reporter.scanning.rate_limiter import AdaptiveRateLimiter
from ecr_scan_reporter.scanning.selection import Candidates
from ecr_scan_reporter.scanning.tally import Tally
from ecr_scan_reporter.shared import clock

# Bytes of the images in an answer. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html has 6 MB.
_MAX_ANSWER = 5_000_000


class DryRunRequest(NamedTuple):
    """Asks what a run would do with the images of a repository."""

    repository: str

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> "DryRunRequest":
        """Parse the input of the function.

        Raises:
            InputError: it is something else.
        """
        match event:
            case {"repository": str() as name, "dryRun": True, **rest} if name and not rest:
                return cls(name)
        given = json.dumps(event, default=str)[:200]
        expected = 'a batch of the images queue, or {"repository": "<name>", "dryRun": true}'
        raise InputError(f"the input is {given!r}; expected {expected}")


def dry_run(request: DryRunRequest, deps: repository.ScanDependencies, deadline: Deadline) -> dict[str, Any]:
    """Return what a run would do with each image of a repository now; starts nothing.

    It does remember what image indexes consist of, because ECR counts each read of an index as a pull.

    Returns:
        The images: first those that can be scanned, then the others, each in the order of their digests. And how many
        images were left out of the answer, because it would be too large or the time was too short.

    Raises:
        DeadlineExceededError: the repository has too many images to list in the remaining time.
        AwsError: ECR rejected a call for a reason that concerns the whole repository.
    """
    enhanced = not deps.ecr.supports_manual_scans()
    now, message = clock.now(), RepositoryMessage(request.repository, enhanced=enhanced)
    tally = Tally(message, now)
    skipped: list[tuple[str, str, Decision]] = []
    candidates, _ = repository.list_candidates(message, deps, now, deadline, tally, skipped)
    images: list[dict[str, Any]] = []
    size = 0
    for entry in _entries(candidates, skipped, message, deps, deadline, tally, now):
        size += len(json.dumps(entry)) + 2
        if size > _MAX_ANSWER:
            break
        images.append(entry)
    omitted = len(candidates) + len(skipped) - len(images)
    return {"repository": request.repository, "dryRun": True, "images": images, "omitted": omitted}


def _entries(
    candidates: Candidates,
    skipped: list[tuple[str, str, Decision]],
    message: RepositoryMessage,
    deps: repository.ScanDependencies,
    deadline: Deadline,
    tally: Tally,
    now: datetime,
) -> Iterator[dict[str, Any]]:
    settings = deps.settings
    plan = ScanPlan(message.repository, "", ScanMemory(deps.table), deps.writers, settings, now)
    limiter = AdaptiveRateLimiter(repository.FIRST_LOOK_UP_RATE, deadline.clock)
    calls = repository.ConcurrentCalls(deps.pool, limiter, deadline, tally)
    for chunk in candidates.chunks(repository.CHUNK_SIZE):
        plan.read(chunk, candidates)
        known = plan.known(chunk.images)
        looked_up = repository.look_up_scans(chunk.images, known, message.repository, deps.ecr, calls)
        scans = {**known, **plan.dated(looked_up.scans)}
        decisions = repository.decide_all(scans, message.repository, settings, now, enhanced=message.enhanced)
        for image in chunk.images[: looked_up.done]:
            digest = image.digest
            if digest not in scans:
                reason = StartOutcome.IMAGE_NOT_FOUND if digest in looked_up.gone else "look_up_failed"
                yield _entry(digest, image.tag, "unknown", reason)
                continue
            scan = scans[digest]
            decision = decisions[digest]
            source = "ECR" if digest in looked_up.scans else "DescribeImages" if image.last_scan else "memory"
            yield _entry(digest, image.tag, "scan" if decision.due else "skip", decision, scan, source)
        if looked_up.done < len(chunk.images):
            break
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
