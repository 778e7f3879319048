"""Publishes the windows of the outbox that are due, one group after the other, and notes what was published."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.dynamodb import Key
from ecr_scan_reporter.aws.sns import Publication, Rejection, ReportMessage
from ecr_scan_reporter.errors import AwsError
from ecr_scan_reporter.memory.outbox import (
    INVENTORY,
    Note,
    Outbox,
    PublisherState,
    Window,
    entry_checksum,
    image_prefix,
    report_id,
)
from ecr_scan_reporter.reporting.delivery import queue_rejected
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies
from ecr_scan_reporter.reporting.reports.when_due import INVENTORY_INTERVAL, due_windows, next_check, plan_check
from ecr_scan_reporter.settings import ReporterSettings
from ecr_scan_reporter.shared import clock

if TYPE_CHECKING:
    from ecr_scan_reporter.reporting.reports.gathering import Waiting
    from ecr_scan_reporter.reporting.reports.groups import GroupKey, Page
    from ecr_scan_reporter.reporting.reports.image_report import ImageReport

logger = logging.getLogger(__name__)


class _Published(NamedTuple):
    """What was published of the windows that are due.

    Args:
        pages: how many were published.
        complete: whether nothing waits any more.
        more: whether there was more than one invocation can publish.
        inventory: whether nothing of the inventory waits any more.
    """

    pages: int
    complete: bool
    more: bool
    inventory: bool


def publish_what_is_due(deps: ReporterDependencies, now: datetime, deadline: Deadline) -> tuple[int, timedelta]:
    """Publish the windows that are due, and plan the next check for the others.

    Nothing is published while another invocation is publishing.

    Returns:
        How many pages were published, and for how long something has waited that was due before.

    Raises:
        AwsError: DynamoDB or SQS rejected a call.
    """
    outbox = Outbox(deps.table)
    open_windows = outbox.windows(now)
    state, notes = open_windows.state, open_windows.notes
    due, checks = due_windows(open_windows.windows, state, deps, now)
    done = _Published(0, not due, more=False, inventory=False)
    ends_at, is_published = now + timedelta(seconds=deadline.seconds + 60), any(note.done for note in notes)
    if (due or is_published) and (lease := outbox.lease(now, ends_at)):
        try:
            until = _begin_inventory(due, state, outbox, now)
            done = _Publisher(outbox, deps, deadline).publish(due, notes, until)
            checks += _close(due, until, done, outbox)
        finally:
            outbox.release(lease)
    waiting = timedelta() if done.complete else now - min(due.values(), default=now)
    goes_on = done.more and done.pages > 0
    if at := next_check(checks, waiting, now, is_complete=done.complete, goes_on=goes_on):
        plan_check(at, state, deps.reports_queue, outbox, now)
    return done.pages, waiting


def _begin_inventory(due: Collection[Window], state: PublisherState, outbox: Outbox, now: datetime) -> datetime | None:
    """Return until when the inventory that is due has gathered; None if none is due.

    One that was not published to the end has nothing more a day long: no group gets two on one day.
    """
    if all(window.name != INVENTORY for window in due):
        return None
    if state.inventory_at and state.unfinished and now < state.inventory_at + INVENTORY_INTERVAL:
        return state.inventory_at
    outbox.begin_inventory(now)
    return now


def _close(due: Collection[Window], until: datetime | None, done: _Published, outbox: Outbox) -> list[datetime]:
    """Close what was published to the end; return when to check again what stays open."""
    checks = list[datetime]()
    # The window of the inventory stays open for what has come since its publication began.
    later = [window for window in due if window.name == INVENTORY and until and window.last_at > until]
    if until and done.inventory:
        outbox.end_inventory()
        checks = [until + INVENTORY_INTERVAL for _ in later]
    if done.complete:
        outbox.close([window for window in due if window not in later])
    return checks


class _Publisher:
    """Publishes reports, one group after the other: what fails in one of them holds back no other."""

    def __init__(self, outbox: Outbox, deps: ReporterDependencies, deadline: Deadline) -> None:
        self._outbox, self._deps, self._deadline = outbox, deps, deadline

    def publish(
        self, windows: Collection[Window], notes: Sequence[Note], inventory_until: datetime | None
    ) -> _Published:
        """Publish the changes of windows.

        Args:
            windows: that are due.
            notes: of the reports that were begun, or published.
            inventory_until: until when the inventory has gathered; None if none is due.
        """
        # Not at the top: a batch of scan events only plans a check, and these would be a third of what it imports.
        from ecr_scan_reporter.reporting.reports.gathering import gather

        gathered = gather(windows, self._outbox, self._deps.settings.group_by, notes, inventory_until)
        is_forgotten = self._forget(gathered.published, [note for note in notes if note.done])
        begun = {note.id: note for note in notes if not note.done}
        waiting, pages = set(gathered.groups), 0
        for key, group in sorted(gathered.groups.items()):
            if self._deadline.remaining <= 0:
                break
            number, is_done = self._publish_group(key[0], group, begun)
            pages += number
            if is_done:
                waiting.remove(key)
        is_complete = is_forgotten and gathered.whole and not gathered.unreadable and not waiting
        inventory_waits = any(gathered.groups[key].inventory.repositories for key in waiting)
        return _Published(pages, is_complete, more=not gathered.whole, inventory=not inventory_waits)

    def _forget(self, keys: Collection[Key], notes: Collection[Note]) -> bool:
        """Delete changes that were published, and the notes of it; return whether that is done."""
        try:
            self._outbox.forget(keys, notes)
        except AwsError:
            logger.exception("what was published could not be deleted; it is not published again")
            return False
        return True

    def _publish_group(self, key: "GroupKey", waiting: "Waiting", begun: Mapping[str, Note]) -> tuple[int, bool]:
        """Publish the report of a group; return how many pages were published, and whether nothing of it waits."""
        is_whole, settings = True, self._deps.settings
        try:
            pages = _render(key, waiting, settings)
        except Exception:
            logger.exception("a report cannot be rendered; its images are tried one by one", extra={"group": key.name})
            pages, waiting, is_whole = *_render_rest(key, waiting, settings), False
        if not pages:
            return 0, is_whole
        # The names of the messages that are out.
        sent = set[str]()
        try:
            note = begun.get(pages[0][0].group.id) or self._outbox.begin(waiting.keys, clock.now())
            sent.update(note.sent)
            for number, (page, message) in enumerate(pages):
                rejected = self._publish_page(page, message, note, sent, is_last=number == len(pages) - 1)
                if not sent and not any(rejection.invalid for rejection in rejected):
                    # Nothing of the report is out, so it can wait in the outbox.
                    self._outbox.forget([], [note])
                    return 0, False
                # The rest of the report is out: the reports queue retries what SNS rejected.
                queue_rejected(rejected, partial(self._smaller, page), self._deps.reports_queue)
                for rejection in rejected:
                    sent.add(_name(page, rejection.publication))
                    self._outbox.note_sent(note, _name(page, rejection.publication))
            self._outbox.end(note)
        except AwsError:
            logger.exception("report not queued")
            return len({name.rpartition(" ")[0] for name in sent}), False
        return len(pages), self._forget(waiting.keys, [note]) and is_whole

    def _publish_page(
        self, page: "Page", message: ReportMessage, note: Note, sent: set[str], *, is_last: bool
    ) -> list[Rejection]:
        """Publish a page to each topic, once, and note that; return what SNS rejected.

        Of what SNS never accepts, less is published.
        """
        rejected, wanted, publisher = list[Rejection](), message.publications, self._deps.publisher
        for publication in wanted:
            name = _name(page, publication)
            if name in sent:
                continue
            if rejection := publisher.publish(publication, self._deadline):
                smaller = self._smaller(page, publication) if rejection.invalid else iter(())
                if all(publisher.publish(less, self._deadline) for less in smaller):
                    rejected.append(rejection)
                    continue
            sent.add(name)
            # After the last one, `end` notes all of them.
            if not is_last or rejected or publication is not wanted[-1]:
                self._outbox.note_sent(note, name)
        return rejected

    def _smaller(self, page: "Page", whole: Publication) -> Iterator[Publication]:
        """Yield the publication of a page with less and less of it."""
        from ecr_scan_reporter.reporting.reports.sns_messages import smaller_messages

        less = chain.from_iterable(message.publications for message in smaller_messages(page, self._deps.settings))
        return (publication for publication in less if publication.topic == whole.topic)


def _name(page: "Page", publication: Publication) -> str:
    return f"{page.part} {publication.topic}"


def _render(key: "GroupKey", waiting: "Waiting", settings: ReporterSettings) -> list[tuple["Page", ReportMessage]]:
    """Return the pages of the report of a group, each with its message."""
    from ecr_scan_reporter.reporting.reports.gathering import make_group
    from ecr_scan_reporter.reporting.reports.sns_messages import build_message, build_pages

    report = report_id(map(entry_checksum, waiting.keys))
    pages = build_pages(make_group(key, waiting.images, waiting.inventory, report), settings)
    return [(page, build_message(page, settings)) for page in pages]


def _render_rest(
    key: "GroupKey", waiting: "Waiting", settings: ReporterSettings
) -> tuple[list[tuple["Page", ReportMessage]], "Waiting"]:
    """Return the pages of a report without the images that cannot be rendered, which wait, and its content."""
    from ecr_scan_reporter.reporting.reports.gathering import Waiting
    from ecr_scan_reporter.reporting.reports.groups import Inventory

    failed = set[str]()
    for image in waiting.images:
        try:
            _render(key, Waiting([image], Inventory(), []), settings)
        except Exception as error:
            failed.add(_prefix(image))
            extra = {"repository": image.repository, "digest": image.digest, "reason": repr(error)}
            logger.error("an image cannot be reported; it stays in the outbox", extra=extra)
    images = [image for image in waiting.images if _prefix(image) not in failed]
    keys = [each for each in waiting.keys if not each[1].startswith(tuple(failed))]
    rest = Waiting(images, waiting.inventory, keys)
    try:
        return (_render(key, rest, settings) if keys else []), rest
    except Exception:
        logger.exception("a report cannot be rendered", extra={"group": key.name})
        return [], rest


def _prefix(image: "ImageReport") -> str:
    return image_prefix(image.id)
