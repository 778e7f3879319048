"""Answers whoever invokes the reporter for an export: with where it is, or with the findings themselves."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.errors import DeadlineExceededError, InputError
from ecr_scan_reporter.memory.images import ImageMemory
from ecr_scan_reporter.memory.runs import new_run
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies
from ecr_scan_reporter.reporting.export.lines import Line
from ecr_scan_reporter.reporting.export.run import go_on, repository_lines

# Bytes of findings in an answer; Lambda's limit is 6 MB.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MAX_ANSWER = 4_000_000
_EXPECTED = 'true, or an object with the name of a "repository"'
_TOO_LARGE = 'the open findings are too many for one answer; set export_bucket, or name a "repository"'


def export_on_demand(
    event: Mapping[str, Any], deps: ReporterDependencies, deadline: Deadline, now: datetime
) -> dict[str, Any]:
    """Export what is open now.

    Args:
        event: `{"export": true}`, or `{"export": {"repository": "team-a/app"}}` for one repository.
        deps: the settings and clients.
        deadline: of the invocation.
        now: aware.

    Returns:
        Where the files are, and whether all of them are there already. For one repository, and without a bucket, the
        open findings themselves.

    Raises:
        InputError: the input is invalid, or an answer has no room for the findings.
        AwsError: AWS rejected a call.
    """
    repository = _repository(event)
    run = new_run(now)
    if deps.settings.export and not repository:
        export, keys = go_on(run, deps.settings.export, deps, deadline.halfway(), now)
        where = f"s3://{deps.settings.export.bucket}/"
        counts = {"findings_written": export.findings, "objects": export.objects}
        return {
            "run": run,
            "complete": export.complete,
            "csv": where + keys.csv,
            "ndjson": where + keys.findings,
        } | counts
    names = [repository] if repository else ImageMemory(deps.table, now).repositories(deps.ecr.id)
    found, size = list[dict[str, Any]](), 0
    try:
        for line in _lines(names, (run, now), deps, deadline):
            values = line.values
            size += len(json.dumps(values)) + 2
            if size > _MAX_ANSWER:
                raise InputError(_TOO_LARGE)
            found.append(values)
    except DeadlineExceededError as error:
        raise InputError(_TOO_LARGE) from error
    return {"run": run, "complete": True, "findings": found}


def _lines(
    names: Iterable[str], of: tuple[str, datetime], deps: ReporterDependencies, deadline: Deadline
) -> Iterator[Line]:
    for name in names:
        if deps.settings.repositories.matches(name):
            for _, found in repository_lines(name, of, deps, deadline):
                yield from found


def _repository(event: Mapping[str, Any]) -> str:
    if unknown := sorted(event.keys() - {"export"}):
        raise InputError(f'the input of an export is {", ".join(unknown)!r}; expected only "export"')
    match event["export"]:
        case True:
            return ""
        case {"repository": str() as repository, **others} if repository and not others:
            return repository
    raise InputError(f"export is {event['export']!r:.200}; expected {_EXPECTED}")
