"""Exports the open findings, a repository at a time: when it begins, where it goes on, and the answer it returns.

Whoever invokes the reporter for an export is answered with where it is, or with the findings themselves.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain
from math import ceil
from typing import Any

from ecr_scan_reporter.aws.clients import create_client
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.s3 import Bucket
from ecr_scan_reporter.errors import DeadlineExceededError, InputError, RepositoryNotFoundError, UploadGoneError
from ecr_scan_reporter.memory.codec import readable
from ecr_scan_reporter.memory.exports import Export, ExportMemory
from ecr_scan_reporter.memory.images import ImageMemory, ImageRecord
from ecr_scan_reporter.memory.items import parse_sortable
from ecr_scan_reporter.memory.runs import new_run
from ecr_scan_reporter.messages.reports_queue import ExportMessage, to_body
from ecr_scan_reporter.reporting.baseline import is_comparable, known_findings
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies
from ecr_scan_reporter.reporting.export.lines import ExportLine, Listed, lines
from ecr_scan_reporter.reporting.export.output import Keys, Output
from ecr_scan_reporter.settings import ExportTarget
from ecr_scan_reporter.shared import clock

logger = logging.getLogger(__name__)

# The fields of a record that say whether findings are remembered, and how many items have them.
_FIELDS = ("scanned_at", "findings_format", "parts")
# Items of findings that are read at once, of at most 350 KB each.
_ITEMS_PER_READ = 30
# How often to see whether a run has ended.
_RUN_CHECK_EVERY = timedelta(minutes=5)
# A run has ended if no result has come, and no repository was processed, for so long: the first once all repositories
# are processed, because some results never come; the second before, because a repository that fails is tried for hours.
_RUN_ENDS_AFTER, _STALLED_RUN_ENDS_AFTER = timedelta(minutes=10), timedelta(hours=1)
# An export begins so long after its run began at the latest, or when the next run begins.
_LONGEST_RUN = timedelta(days=1)
# Bytes of findings in an answer; Lambda's limit is 6 MB.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MAX_ANSWER = 4_000_000
_EXPECTED = 'true, or an object with the name of a "repository"'
_TOO_LARGE = 'the open findings are too many for one answer; set export_bucket, or name a "repository"'


def export_run(message: ExportMessage, deps: ReporterDependencies, deadline: Deadline, now: datetime) -> None:
    """Export the open findings after a run has ended; until then, and if there is no time left, send the message again.

    Args:
        message: names the run.
        deadline: of the invocation; half of the time is used.

    Raises:
        AwsError: AWS rejected a call, or another invocation works at the export.
    """
    if deps.settings.export is None:
        logger.warning("there is no bucket for an export any more", extra={"run": message.run})
        return
    begun = ExportMemory(deps.table, deps.ecr.id).read(message.run).begun_at
    if begun is None and (wait := _end_of_run(message.run, deps, now) - now) > timedelta():
        deps.reports_queue.send([to_body(message)], ceil(min(wait, _RUN_CHECK_EVERY).total_seconds()))
        return
    go_on(message.run, deps.settings.export, deps, deadline.halfway(), now)


def _end_of_run(run: str, deps: ReporterDependencies, now: datetime) -> datetime:
    """Return when a run has ended, or counts as ended if nothing happens until then."""
    state, begun = deps.runs.run(run), parse_sortable(run)
    done, asked = deps.runs.since(run)
    is_done = len(done) >= state.repositories
    if is_done and state.results >= asked:
        return now
    last = max(filter(None, (begun, state.last_result_at, *(each.updated_at for each in done))))
    return min(
        last + (_RUN_ENDS_AFTER if is_done else _STALLED_RUN_ENDS_AFTER),
        begun + min(deps.settings.run_interval, _LONGEST_RUN),
    )


def go_on(
    run: str, target: ExportTarget, deps: ReporterDependencies, deadline: Deadline, now: datetime
) -> tuple[Export, Keys]:
    """Do as much of an export as there is time for, and queue the rest; one that is complete stays as it is.

    Args:
        target: where to write it.

    Returns:
        How far the export is, and the keys of its files.

    Raises:
        AwsError: AWS rejected a call, or another invocation works at the export. Parts done before stay done.
    """
    memory, registry = ExportMemory(deps.table, deps.ecr.id), deps.ecr.id
    keys = Keys.of_run(target.prefix, registry, run)
    until = clock.now() + timedelta(seconds=2 * max(deadline.seconds, 0) + 60)
    lease = memory.claim(run, now, until)
    try:
        export = memory.read(run)
        if export.complete:
            logger.info("this export was made before", extra={"run": run})
            return export, keys
        output = _output(run, export, memory, target, keys, now)
        try:
            _write(run, output, deps, deadline)
        except UploadGoneError:
            output = Output(Export(output.export.begun_at), b"", output.bucket, keys)
            raise
        finally:
            export = output.export
            memory.remember(run, export, lease, until, b"" if export.complete else output.rest())
    finally:
        memory.release(run, lease)
    if not export.complete:
        deps.reports_queue.send([to_body(ExportMessage(run))])
    extra = {"run": run, "findings": export.findings, "objects": export.objects, "complete": export.complete}
    logger.info("export", extra=extra)
    return export, keys


def _output(run: str, export: Export, memory: ExportMemory, target: ExportTarget, keys: Keys, now: datetime) -> Output:
    """Return the files of an export so far; of a new one if the memory of them cannot be read."""
    bucket = Bucket(create_client("s3"), target.bucket, target.owner, target.kms_key_arn)
    begun = Export(begun_at=export.begun_at or now)
    if export.begun_at is None:
        return Output(begun, b"", bucket, keys)
    rests = readable([memory.rest(run, export)], lambda rest: Output(export, rest, bucket, keys))
    return next(rests, None) or Output(begun, b"", bucket, keys)


def _write(run: str, output: Output, deps: ReporterDependencies, deadline: Deadline) -> None:
    """Write from where an export is to its end, or as far as there is time."""
    begun_at = output.export.begun_at or clock.now()
    try:
        for repository in ImageMemory(deps.table, clock.now()).repositories(deps.ecr.id, output.export.repository):
            deadline.check("the export")
            if not deps.settings.repositories.matches(repository):
                continue
            after = output.export.after if output.export.repository == repository else ""
            for digest, found in repository_lines(repository, (run, begun_at), deps, deadline, after):
                output.add(found)
                if output.is_full:
                    output.settle(repository, digest)
            output.settle(repository)
        output.end()
    except DeadlineExceededError as error:
        logger.info("the export goes on in another invocation", extra={"run": run, "reason": str(error)})


def repository_lines(
    repository: str, of: tuple[str, datetime], deps: ReporterDependencies, deadline: Deadline, after: str = ""
) -> Iterator[tuple[str, list[ExportLine]]]:
    """Yield the lines of each image of a repository that ECR lists and that has any, in the order of the digests.

    Args:
        of: the id of the export, and when it was begun.
        after: the digest before the first one; "" for all.

    Raises:
        DeadlineExceededError: there is no time for the next one.
        AwsError: DynamoDB or ECR rejected a call.
    """
    memory, registry = ImageMemory(deps.table, clock.now()), deps.ecr.id
    listed, catalog = None, deps.catalog(clock.now())
    for digests in _batches(memory.records(registry, repository, after, _FIELDS)):
        # A repository in which nothing was ever found is not listed.
        listed = listed or _listed(repository, deps)
        images = [registry.image(repository, digest) for digest in digests if digest in listed.tags]
        for image, remembered in memory.read_many(images).items():
            deadline.check("the export")
            findings = known_findings(remembered) or ()
            if found := list(lines(image, remembered.record, findings, listed, of, deps.settings, catalog)):
                yield image.digest, found


def _batches(records: Iterable[tuple[str, ImageRecord]]) -> Iterator[list[str]]:
    """Yield the digests of images whose findings are remembered, so many that their findings fit into memory."""
    batch, items = list[str](), 0
    for digest, record in records:
        if not is_comparable(record) or not record.parts:
            continue
        if batch and items + record.parts > _ITEMS_PER_READ:
            yield batch
            batch, items = [], 0
        batch.append(digest)
        items += record.parts
    if batch:
        yield batch


def _listed(repository: str, deps: ReporterDependencies) -> Listed:
    tags, index_tags = dict[str, tuple[str, ...]](), set[str]()
    try:
        for page in deps.ecr.image_pages(repository):
            for image in page:
                tags[image.digest] = image.tags
                index_tags.update(image.tags if image.is_index else ())
    except RepositoryNotFoundError:
        return Listed({}, frozenset())
    return Listed(tags, frozenset(index_tags))


def export_on_demand(
    event: Mapping[str, Any], deps: ReporterDependencies, deadline: Deadline, now: datetime
) -> dict[str, Any]:
    """Export the findings that are open now.

    Args:
        event: `{"export": true}`, or `{"export": {"repository": "team-a/app"}}` for one repository.

    Returns:
        Where the files are, and whether all of them are there already. For one repository, and without a bucket, the
        open findings themselves.

    Raises:
        InputError: the input is invalid, or there is no room in an answer, or no time, for the findings.
        AwsError: AWS rejected a call.
    """
    repository = _repository(event)
    run = new_run(now)
    if (target := deps.settings.export) and not repository:
        export, keys = go_on(run, target, deps, deadline.halfway(), now)
        where = f"s3://{target.bucket}/"
        counts = {"findings_written": export.findings, "objects": export.objects}
        places = {"csv": where + keys.csv, "ndjson": where + keys.findings}
        return {"run": run, "complete": export.complete} | places | counts
    names = [repository] if repository else ImageMemory(deps.table, now).repositories(deps.ecr.id)
    matching = (name for name in names if deps.settings.repositories.matches(name))
    images = (lines for name in matching for _, lines in repository_lines(name, (run, now), deps, deadline))
    found, size = list[dict[str, Any]](), 0
    try:
        for line in chain.from_iterable(images):
            values = line[0] | line[1]
            size += len(json.dumps(values)) + 2
            if size > _MAX_ANSWER:
                raise InputError(_TOO_LARGE)
            found.append(values)
    except DeadlineExceededError as error:
        raise InputError(_TOO_LARGE) from error
    return {"run": run, "complete": True, "findings": found}


def _repository(event: Mapping[str, Any]) -> str:
    if unknown := sorted(event.keys() - {"export"}):
        raise InputError(f'the input of an export is {", ".join(unknown)!r}; expected only "export"')
    match event["export"]:
        case True:
            return ""
        case {"repository": str() as repository, **others} if repository and not others:
            return repository
    raise InputError(f"export is {event['export']!r:.200}; expected {_EXPECTED}")
