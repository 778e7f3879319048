"""Makes the overviews, publishes them with their subjects and attributes, and remembers what they said."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.sns import MAX_MESSAGE, MAX_SUBJECT, Attributes, Publication, ReportMessage
from ecr_scan_reporter.errors import AwsError, InputError
from ecr_scan_reporter.memory.lost_events import LostEvent, lost_events
from ecr_scan_reporter.memory.snapshots import LastOverview, RepositorySnapshot, SnapshotMemory
from ecr_scan_reporter.memory.summaries import summaries
from ecr_scan_reporter.reporting.delivery import queue_rejected
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies
from ecr_scan_reporter.reporting.formatting import to_ascii, truncate
from ecr_scan_reporter.reporting.overviews import chat, document, email
from ecr_scan_reporter.reporting.overviews.notices import notices_by_group
from ecr_scan_reporter.reporting.overviews.overview import Overview, OverviewPage, build_overviews, with_notices
from ecr_scan_reporter.reporting.overviews.wording import headline
from ecr_scan_reporter.reporting.paging import entry_size, room_for_entries, split
from ecr_scan_reporter.reporting.registry_state import RepositoryLine

logger = logging.getLogger(__name__)

# Lost events that are counted.
_MAX_LOST = 1000
# The lease outlives the deadline of the invocation by this much. Lambda repeats a failed asynchronous invocation after
# a minute at the earliest; the lease must have ended by then.
_LEASE_MARGIN = timedelta(seconds=30)
# Clocks differ: a schedule's event may be from this far in the future.
_MAX_AHEAD = timedelta(minutes=15)
# Bytes of repositories in an answer; Lambda's limit is 6 MB.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MAX_ANSWER = 4_000_000
# How many texts each list of the document has at most, besides that of the repositories: the first of these numbers
# that leaves half of the first message for the repositories. The last one always does.
_TEXTS_PER_LIST = (300, 20, 5, 1)
# Characters of a group's name in the subject, at least; below that it is left out.
_MIN_GROUP_IN_SUBJECT = 8


class OverviewRequest(NamedTuple):
    """A request for an overview.

    Args:
        publish: whether it is published and remembered; otherwise only returned.
        scheduled_at: the time of the schedule's event; None if someone asks for an overview.
    """

    publish: bool = True
    scheduled_at: datetime | None = None

    @classmethod
    def parse(cls, event: Mapping[str, Any], now: datetime) -> "OverviewRequest":
        """Parse the input of an invocation, such as `{"overview": true, "publish": false}`.

        Raises:
            InputError: a value, or a name, is not one that is expected.
        """
        if unknown := sorted(event.keys() - {"overview", "publish", "time"}):
            expected = 'only "overview", "publish" and "time"'
            raise InputError(f"the input of an overview is {', '.join(unknown)!r}; expected {expected}")
        publish, time = event.get("publish", True), event.get("time")
        if event["overview"] is not True:
            raise InputError(f"overview is {event['overview']!r}; expected true")
        if type(publish) is not bool:
            raise InputError(f"publish is {publish!r}; expected true or false")
        return cls(publish, None if time is None else _parse_time(time, now))


def make_overviews(
    request: OverviewRequest, deps: ReporterDependencies, deadline: Deadline, now: datetime
) -> dict[str, Any]:
    """Publish the overviews of all groups, or only return them.

    They are published first and remembered afterwards. What SNS rejects goes to the reports queue. If something fails
    before they are remembered, the next attempt for the same event publishes only what is not out yet.

    Args:
        request: whether to publish, and the time of the schedule's event.

    Returns:
        How many messages were published; the overviews as text and JSON if they are only to be returned.

    Raises:
        AwsError: DynamoDB rejected a call, or SNS and SQS rejected a message; or the schedule's event was sent before,
            and its overview is not published yet.
    """
    memory = SnapshotMemory(deps.table)
    if not request.publish:
        overviews, _ = _build(memory, memory.last(now), deps, now)
        return {"published": 0, "overviews": _answer(overviews)}
    lease = now + timedelta(seconds=max(deadline.remaining, 0)) + _LEASE_MARGIN
    last = memory.claim(now, lease, request.scheduled_at)
    if last is None:
        if request.scheduled_at and not memory.has_published(request.scheduled_at):
            # It may have been killed. Lambda repeats this invocation, and its event reaches the DLQ in the end.
            raise AwsError("another invocation has begun this overview, and has not published it")
        logger.info("another invocation is making this overview, or has published it")
        return {"published": 0, "reason": "another invocation is making this overview, or has published it"}
    try:
        overviews, snapshot = _build(memory, last, deps, now, request.scheduled_at)
        published = _publish(overviews, last.sent, memory.note_sent, deps, deadline)
        memory.store(snapshot, last, now, request.scheduled_at)
    except BaseException:
        with suppress(AwsError):  # the lease ends by itself
            memory.release(last.lease)
        raise
    logger.info("overview published", extra={"groups": len(overviews), "messages": published})
    return {"published": published}


def _build(
    memory: SnapshotMemory,
    last: LastOverview,
    deps: ReporterDependencies,
    now: datetime,
    scheduled_at: datetime | None = None,
) -> tuple[list[Overview], dict[str, RepositorySnapshot]]:
    before = memory.snapshot(last)
    unreadable: set[str] = set()
    found = summaries(deps.table, deps.ecr.id, now, unreadable)
    states = deps.runs.states()
    waiting = {state.repository: state.waiting_since or now for state in states if not state.updated_at}
    lost = _lost_events(last.published_at, deps, now)
    overviews, snapshot = build_overviews(
        found, before, last.published_at, deps.settings, now, unreadable, waiting, lost
    )
    begun = f"{last.published_at} {scheduled_at or now.date()}"
    overviews = [each._replace(id=_id(each.group, begun)) for each in overviews]
    return with_notices(overviews, notices_by_group(overviews, unreadable, deps, now)), snapshot


def _lost_events(since: datetime | None, deps: ReporterDependencies, now: datetime) -> list[LostEvent]:
    """Return the events that were lost since the last overview; one alone is no reason to act, as AWS promises none."""
    max_age, run_interval = deps.settings.max_age, deps.settings.run_interval
    lost = lost_events(deps.table, deps.ecr.id, max_age, run_interval, now, _MAX_LOST)
    return [event for event in lost if len(lost) > 1 and (since is None or event.at > since)]


def _id(group: str | None, begun: str) -> str:
    """Return the id of an overview: the same if Lambda repeats its event, or someone asks again on the same day."""
    return sha256(json.dumps([group, begun]).encode()).hexdigest()[:20]


def _publish(
    overviews: Sequence[Overview],
    sent: frozenset[str],
    note_sent: Callable[[str], None],
    deps: ReporterDependencies,
    deadline: Deadline,
) -> int:
    """Publish all messages, each once; return how many. What SNS rejects or there is no time for is queued.

    Args:
        sent: the names of messages that are out since an earlier attempt.
        note_sent: notes that a message is out.
    """
    published = 0
    for overview in overviews:
        for page in build_pages(overview):
            message = build_message(page)
            names = {f"{message.attributes['id']} {each.topic}": each for each in message.publications}
            published += not names.keys() <= sent
            for name, publication in names.items():
                if name in sent:
                    continue
                rejection = deps.publisher.publish(publication, deadline, "could not publish an overview")
                if rejection:
                    queue_rejected([rejection], partial(_smaller, page), deps.reports_queue)
                note_sent(name)
    return published


def _smaller(page: OverviewPage, whole: Publication) -> list[Publication]:
    """Return the publication of a page without repositories, which takes half of a message at most."""
    less = build_message(_without_repositories(page)._replace(most=_TEXTS_PER_LIST[-1]))
    return [publication for publication in less.publications if publication.topic == whole.topic]


def _without_repositories(page: OverviewPage) -> OverviewPage:
    return page._replace(repositories=(), omitted=len(page.repositories))


def _answer(overviews: Sequence[Overview]) -> list[dict[str, Any]]:
    """Return overviews as text and JSON, without repositories where they would exceed Lambda's limit."""
    answers, room = [], _MAX_ANSWER
    for overview in overviews:
        page = OverviewPage(overview, overview.state.repositories)
        values = document.document(page)
        size = len(json.dumps(values))
        if size > room:
            page = _without_repositories(page)
            values = document.document(page)
        else:
            room -= size
        text = email.render(page)
        answers.append({"group": overview.group, "subject": subject(overview), "text": text, "document": values})
    return answers


def _parse_time(value: object, now: datetime) -> datetime:
    time = None
    with suppress(ValueError):
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    time = time if time is None or time.tzinfo else time.replace(tzinfo=UTC)
    if time is None or time > now + _MAX_AHEAD:
        expected = 'the time of the schedule\'s event, such as "2026-11-23T07:00:00Z", and not in the future'
        raise InputError(f"time is {value!r}; expected {expected}")
    return time


def build_pages(overview: Overview) -> list[OverviewPage]:
    """Split an overview into as few pages as fit; every repository is on exactly one of them."""

    def size_of(line: RepositoryLine) -> int:
        return entry_size(document.repository(line, overview))

    silent = overview._replace(settings=overview.settings._replace(chat_topic_arn=""))
    for most in _TEXTS_PER_LIST:
        empty = OverviewPage(silent, (), most=most)
        first_room = room_for_entries(build_message(empty))
        if first_room >= MAX_MESSAGE // 2:
            break
    room = room_for_entries(build_message(empty._replace(part=2, parts=2)))
    chunks = list(split(overview.state.repositories, size_of, first_room, room))
    return [OverviewPage(overview, chunk, number, len(chunks), most) for number, chunk in enumerate(chunks, start=1)]


def build_message(page: OverviewPage) -> ReportMessage:
    """Render a page in every format."""
    return ReportMessage(
        subject=subject(page.overview, f" ({page.part}/{page.parts})" if page.part > 1 else ""),
        email=email.render(page),
        document=document.render(page),
        chat=chat.render(page),
        attributes=_attributes(page),
    )


def subject(overview: Overview, part: str = "") -> str:
    """Return the subject, which alone says whether to open the overview."""
    prefix, words = f"{overview.settings.subject_prefix} ", headline(overview)
    room = MAX_SUBJECT - len(prefix) - len(part)
    if len(words) > room:
        words = words.replace(" scanned in time", " in time")
    free = room - len(words) - 2
    if overview.group is not None and free >= min(_MIN_GROUP_IN_SUBJECT, len(overview.group)):
        words = f"{truncate(to_ascii(overview.group), free)}: {words}"
    else:
        words = words[:1].upper() + words[1:]
    return prefix + truncate(words, room) + part


def _attributes(page: OverviewPage) -> Attributes:
    """Return the attributes that a subscriber's filter policy can match; at most ten.

    So `failed_scans` makes room for `known_exploited`.
    """
    overview = page.overview
    critical, high = (overview.changes.new_critical, overview.changes.new_high) if overview.changes else (0, 0)
    attributes: Attributes = {
        "kind": "overview",
        "severity": "CRITICAL" if critical else "HIGH" if high else "NONE",
        "new_critical": critical,
        "new_high": high,
        "overdue": overview.state.overdue,
        "account": overview.settings.registry.account,
        "region": overview.settings.registry.region,
        "id": page.id,
    }
    state = overview.state
    failed = state.coverage.counts.get("failed", 0)
    attributes |= {"known_exploited": state.exploited} if state.exploited else {"failed_scans": failed}
    return attributes | ({"group": overview.group} if overview.group else {})
