"""Makes the digests, publishes them, and remembers what they said."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.sns import Publication, ReportMessage, ReportPublisher, publications
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.errors import AwsError, DeadlineExceededError, PublishError, SettingError
from ecr_scan_reporter.memory.digests import DigestMemory, LastDigest, RepositorySnapshot
from ecr_scan_reporter.memory.rules import RuleMemory
from ecr_scan_reporter.memory.summaries import summaries
from ecr_scan_reporter.reporting.digest import Digest, Notices, build_digests
from ecr_scan_reporter.reporting.rendering import digest_email
from ecr_scan_reporter.reporting.rendering.digest_document import document
from ecr_scan_reporter.reporting.rendering.digest_messages import build_messages, subject
from ecr_scan_reporter.reporting.rendering.page import Context, DigestPage
from ecr_scan_reporter.reporting.rule_notices import all_scanned_since, rule_notices
from ecr_scan_reporter.settings import ReporterSettings
from ecr_scan_reporter.shared.deadline import Deadline

logger = logging.getLogger(__name__)

# Seconds until a message that SNS rejected is published again.
_RETRY = 60
# Repositories that are named because their summary cannot be read.
_MAX_UNREADABLE = 20
# The lease outlives the invocation by this much. Lambda repeats a failed asynchronous invocation after a minute at the
# earliest; the lease must have ended by then.
_LEASE_MARGIN = timedelta(seconds=30)
# Clocks differ: a schedule's event may be from this far in the future.
_MAX_AHEAD = timedelta(minutes=15)
# Bytes of repositories in an answer; Lambda's limit is 6 MB.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MAX_ANSWER = 4_000_000


class DigestRequest(NamedTuple):
    """A request for a digest.

    Args:
        publish: whether it is published and remembered; otherwise only returned.
        scheduled_at: the time of the schedule's event (aware); None if someone asks for a digest.
    """

    publish: bool = True
    scheduled_at: datetime | None = None

    @classmethod
    def parse(cls, event: Mapping[str, Any], now: datetime) -> "DigestRequest":
        """Parse the input of an invocation, such as `{"digest": true, "publish": false}`.

        Raises:
            SettingError: a value, or a name, is not one that is expected.
        """
        if unknown := sorted(event.keys() - {"digest", "publish", "time"}):
            raise SettingError("the input of a digest", ", ".join(unknown), 'only "digest", "publish" and "time"')
        publish, time = event.get("publish", True), event.get("time")
        if event["digest"] is not True:
            raise SettingError("digest", event["digest"], "true")
        if type(publish) is not bool:
            raise SettingError("publish", publish, "true or false")
        return cls(publish, None if time is None else _parse_time(time, now))


class DigestDependencies(NamedTuple):
    """What the digest works with. `dlqs`: the DLQs whose messages it counts, by name."""

    settings: ReporterSettings
    table: Table
    publisher: ReportPublisher
    reports_queue: SqsQueue
    dlqs: Mapping[str, SqsQueue]
    rules: RuleMemory


def make_digests(
    request: DigestRequest,
    deps: DigestDependencies,
    deadline: Deadline,
    now: datetime,
) -> dict[str, Any]:
    """Publish the digests of all groups, or only return them.

    They are published first and remembered afterwards. What SNS rejects goes to the reports queue. If something fails
    before they are remembered, the next attempt publishes all of them again.

    Args:
        request: what is asked for.
        deps: the settings and clients.
        deadline: of the invocation.
        now: aware.

    Returns:
        How many messages were published; the digests as text and JSON if they are only to be returned.

    Raises:
        AwsError: DynamoDB rejected a call, or SNS and SQS rejected a message; or the schedule's event was sent before,
            and its digest is not published yet.
    """
    memory = DigestMemory(deps.table)
    context = Context(deps.settings.name, deps.settings.partition, deps.settings.thresholds)
    if not request.publish:
        digests, _ = _build(memory, memory.last(), deps, now)
        return {"published": 0, "digests": _answer(digests, context)}
    lease = now + timedelta(seconds=max(deadline.remaining, 0)) + _LEASE_MARGIN
    last = memory.claim(now, lease, request.scheduled_at)
    if last is None:
        if request.scheduled_at and not memory.has_published(request.scheduled_at):
            # It may have been killed. Lambda repeats this invocation, and its event reaches the DLQ in the end.
            raise AwsError("another invocation has begun this digest, and has not published it")
        logger.info("another invocation is making this digest, or has published it")
        return {"published": 0, "reason": "another invocation is making this digest, or has published it"}
    try:
        digests, snapshot = _build(memory, last, deps, now)
        published = _publish(digests, context, deps, deadline)
        memory.store(snapshot, last, now, request.scheduled_at)
    except BaseException:
        with suppress(AwsError):  # the lease ends by itself
            memory.release()
        raise
    logger.info("digest published", extra={"groups": len(digests), "messages": published})
    return {"published": published}


def _build(
    memory: DigestMemory, last: LastDigest, deps: DigestDependencies, now: datetime
) -> tuple[list[Digest], dict[str, RepositorySnapshot]]:
    before = memory.snapshot(last)
    unreadable: set[str] = set()
    found = summaries(deps.table, unreadable)
    digests, snapshot = build_digests(found, before, last.published_at, deps.settings, now, unreadable)
    notices = _notices(deps, now, enhanced=any(digest.is_enhanced for digest in digests))
    sentences = [f"Could not read what is known about {name}." for name in sorted(unreadable)[:_MAX_UNREADABLE]]
    notices = notices._replace(unreadable=[*notices.unreadable, *sentences])
    return [digest._replace(notices=notices) for digest in digests], snapshot


def _notices(deps: DigestDependencies, now: datetime, *, enhanced: bool) -> Notices:
    """Read what the digest says about the module itself; what cannot be read becomes a notice, too."""
    unreadable: list[str] = []

    def attempt(what: str, call: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return call()
        except AwsError as error:
            logger.warning("could not read part of the digest", extra={"reason": str(error)})
            unreadable.append(f"Could not {what}.")
            return otherwise

    dlqs = {name: attempt(f"count the messages in {name}", dlq.message_count, 0) for name, dlq in deps.dlqs.items()}
    unconfirmed = attempt("list the subscriptions of the reports topic", deps.publisher.unconfirmed_addresses, [])
    rules = deps.rules.read(now)
    settings = deps.settings
    since = all_scanned_since(now, settings.max_age, settings.run_interval, enhanced=enhanced)
    ignored = rule_notices(rules, deps.rules.uses(), now, since)
    return Notices(ignored, {name: number for name, number in dlqs.items() if number}, unconfirmed, unreadable)


def _publish(digests: Sequence[Digest], context: Context, deps: DigestDependencies, deadline: Deadline) -> int:
    """Publish all messages; return how many. What SNS rejects or there is no time for is queued."""
    rejected: list[Publication] = []
    published = 0
    for digest in digests:
        for message in build_messages(digest, context):
            published += 1
            for publication in publications(message):
                if not _publish_one(publication, message, deps, deadline):
                    rejected.append(publication)
    if rejected:
        deps.reports_queue.send((publication.to_json() for publication in rejected), delay=_RETRY)
    return published


def _publish_one(
    publication: Publication, message: ReportMessage, deps: DigestDependencies, deadline: Deadline
) -> bool:
    try:
        deadline.check("publishing")
        deps.publisher.publish(publication)
    except (DeadlineExceededError, PublishError) as error:
        extra = {"topic": publication.topic, "subject": message.subject, "reason": str(error)}
        logger.error("could not publish a digest", extra=extra)
        return False
    return True


def _answer(digests: Sequence[Digest], context: Context) -> list[dict[str, Any]]:
    """Return digests as text and JSON, without repositories where they would exceed Lambda's limit."""
    answers, room = [], _MAX_ANSWER
    for digest in digests:
        page = DigestPage(digest, digest.repositories)
        values = document(page, context)
        size = len(json.dumps(values))
        if size > room:
            page = page._replace(repositories=())
            values = document(page, context, omitted=len(digest.repositories))
        else:
            room -= size
        text = digest_email.render(page, context)
        answers.append({"group": digest.group, "subject": subject(digest), "text": text, "document": values})
    return answers


def _parse_time(value: object, now: datetime) -> datetime:
    expected = 'the time of the schedule\'s event, such as "2026-11-23T07:00:00Z", and not in the future'
    if not isinstance(value, str):
        raise SettingError("time", value, expected)
    try:
        time = datetime.fromisoformat(value)
    except ValueError as error:
        raise SettingError("time", value, expected) from error
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    if time > now + _MAX_AHEAD:
        raise SettingError("time", value, expected)
    return time
