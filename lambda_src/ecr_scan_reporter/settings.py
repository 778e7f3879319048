"""The settings of the functions, parsed from environment variables once per cold start."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from enum import StrEnum
from functools import partial
from math import inf
from typing import Any, NamedTuple

from ecr_scan_reporter.errors import SettingError
from ecr_scan_reporter.models.selection import RepositoryFilter, Selection
from ecr_scan_reporter.models.severities import EXPLOITED, SEVERITIES
from ecr_scan_reporter.shared import durations, schedules
from ecr_scan_reporter.shared.durations import Duration
from ecr_scan_reporter.shared.schedules import Schedule

# The default of the input images_duration_delta.
_DEFAULT_MAX_AGE = Duration(0, 0, 7)


class NotifyOn(StrEnum):
    """Which scans are reported: those that change something, or every one over a threshold."""

    CHANGES = "changes"
    EVERY_SCAN = "every_scan"


class RepositoriesScannerSettings(NamedTuple):
    """Settings of the repositories scanner.

    Args:
        repositories: which repositories are scanned.
        images_queue_url: of the queue for the repositories.
        memory_table: the name of the memory table.
        threads: how many calls may be in flight.
        name: of this instance of the module.
        schedule: of the runs.
        max_age: the promised age of scans.
    """

    repositories: RepositoryFilter
    images_queue_url: str
    memory_table: str
    threads: int
    name: str
    schedule: Schedule = Schedule(timedelta(days=1))
    max_age: Duration = _DEFAULT_MAX_AGE

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "RepositoriesScannerSettings":
        """Parse the environment variables.

        Raises:
            SettingError: a variable is missing or has an invalid value.
        """
        return cls(
            repositories=_repository_filter(environment),
            images_queue_url=_queue_url(environment, "IMAGES_QUEUE_URL", "the URL of the images queue"),
            memory_table=_memory_table(environment),
            threads=_threads(environment),
            name=_name(environment),
            schedule=_schedule(environment),
            max_age=_max_age(environment),
        )

    @property
    def account(self) -> str:
        """The account of the function and of its registry."""
        return _account(self.images_queue_url)


class ImagesScannerSettings(NamedTuple):
    """Settings of the images scanner.

    Args:
        max_age: a scan older than this is due.
        run_interval: the longest time between two runs of the schedule.
        selection: which images are scanned.
        images_queue_url: of the queue for continuations.
        reports_queue_url: of the queue for images with an overdue finding.
        memory_table: the name of the memory table.
        threads: how many calls may be in flight.
        name: of this instance of the module.
    """

    max_age: Duration
    run_interval: timedelta
    selection: Selection
    images_queue_url: str
    reports_queue_url: str
    memory_table: str
    threads: int
    name: str

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "ImagesScannerSettings":
        """Parse the environment variables.

        Raises:
            SettingError: a variable is missing or has an invalid value.
        """
        return cls(
            max_age=_duration("ECR_IMAGES_DURATION_DELTA", environment.get("ECR_IMAGES_DURATION_DELTA")),
            run_interval=_run_interval(environment),
            selection=_selection(environment, "IMAGES_SELECTION"),
            images_queue_url=_queue_url(environment, "IMAGES_QUEUE_URL", "the URL of the images queue"),
            reports_queue_url=_required(
                environment, "REPORTS_QUEUE_URL", "the URL of the queue that the reporter reads"
            ),
            memory_table=_memory_table(environment),
            threads=_threads(environment),
            name=_name(environment),
        )

    @property
    def account(self) -> str:
        """The account of the function and of its registry."""
        return _account(self.images_queue_url)


class ReporterSettings(NamedTuple):
    """Settings of the reporter.

    Args:
        topic_arn: of the topic for reports.
        reports_queue_url: of the queue that the reporter reads.
        memory_table: the name of the memory table.
        repositories: which repositories are reported.
        thresholds: by severity, how many findings it takes for an image to be reported.
        notify_on_scan_failure: whether failed scans are reported.
        name: of this instance of the module.
        fixable_only: count only findings with a known fix.
        group_by: has one capture group over the repository name; images with equal captures share a report.
        chat_topic_arn: of the topic for chat; empty for none.
        notify_on: which scans are reported.
        notify_on_fixed: whether an image is reported if its only news is that findings are fixed or withdrawn.
        remind_after: what was last reported this long ago is reported again; None for never.
        report_window: how long scans that no run asked for are collected.
        fix_within: by severity, and by EXPLOITED for known exploits, the days within which a finding should be fixed.
        max_age: the promised age of scans.
        run_interval: the longest time between two runs.
        dlq_urls: of the DLQs whose messages the overview counts.
    """

    topic_arn: str
    reports_queue_url: str
    memory_table: str
    repositories: RepositoryFilter
    thresholds: Mapping[str, int]
    notify_on_scan_failure: bool
    name: str
    fixable_only: bool = False
    group_by: re.Pattern[str] | None = None
    chat_topic_arn: str = ""
    notify_on: NotifyOn = NotifyOn.CHANGES
    notify_on_fixed: bool = False
    remind_after: Duration | None = None
    report_window: timedelta = timedelta(seconds=60)
    fix_within: Mapping[str, int] = {}
    max_age: Duration = _DEFAULT_MAX_AGE
    run_interval: timedelta = timedelta(days=1)
    dlq_urls: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "ReporterSettings":
        """Parse the environment variables.

        Raises:
            SettingError: a variable is missing or has an invalid value.
        """
        remind_after = environment.get("REMIND_AFTER")
        return cls(
            topic_arn=_topic_arn(environment, "REPORTS_TOPIC_ARN"),
            reports_queue_url=_required(environment, "REPORTS_QUEUE_URL", "the URL of the reports queue"),
            memory_table=_memory_table(environment),
            repositories=_repository_filter(environment),
            thresholds=_thresholds(environment, "SEVERITY_THRESHOLDS"),
            notify_on_scan_failure=_flag(environment, "NOTIFY_ON_SCAN_FAILURE"),
            name=_name(environment),
            fixable_only=_flag(environment, "FIXABLE_ONLY", "false"),
            group_by=_group_by(environment, "GROUP_BY"),
            chat_topic_arn=environment.get("CHAT_TOPIC_ARN", ""),
            notify_on=_notify_on(environment, "NOTIFY_ON"),
            notify_on_fixed=_flag(environment, "NOTIFY_ON_FIXED", "false"),
            remind_after=_duration("REMIND_AFTER", remind_after) if remind_after else None,
            report_window=_report_window(environment, "REPORT_WINDOW_SECONDS"),
            fix_within=_fix_within(environment, "FIX_WITHIN"),
            max_age=_max_age(environment),
            run_interval=_run_interval(environment),
            dlq_urls=_urls(environment, "DLQ_URLS"),
        )

    @property
    def partition(self) -> str:
        """The account's partition, such as `aws-cn`."""
        return self.topic_arn.split(":")[1]

    @property
    def region(self) -> str:
        """The Region of the function, of its registry and of its topics."""
        return self.topic_arn.split(":")[3]

    @property
    def account(self) -> str:
        """The account of the function, of its registry and of its topics."""
        return self.topic_arn.split(":")[4]


class ConsoleWidgetSettings(NamedTuple):
    """Settings of the console widget.

    Args:
        memory_table: the name of the memory table.
        name: of this instance of the module.
        max_age: the promised age: no image's last scan is older.
    """

    memory_table: str
    name: str
    max_age: Duration

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "ConsoleWidgetSettings":
        """Parse the environment variables.

        Raises:
            SettingError: a variable is missing or has an invalid value.
        """
        return cls(
            memory_table=_memory_table(environment),
            name=_name(environment),
            max_age=_duration("ECR_IMAGES_DURATION_DELTA", environment.get("ECR_IMAGES_DURATION_DELTA")),
        )


def compile_regexp(name: str, value: object) -> re.Pattern[str]:
    """Compile the regular expression of the setting `name`.

    Raises:
        SettingError: `value` is not a regular expression.
    """
    expected = "a Python regular expression, matched from the start of the name"
    if not isinstance(value, str):
        raise SettingError(name, value, expected)
    try:
        return re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise SettingError(name, value, f"{expected} ({error})") from error


def _repository_filter(environment: Mapping[str, str]) -> RepositoryFilter:
    exclude = environment.get("REPOSITORIES_EXCLUDE_REGEXP")
    return RepositoryFilter(
        include=compile_regexp("REPOSITORIES_FILTER_REGEXP", environment.get("REPOSITORIES_FILTER_REGEXP")),
        exclude=compile_regexp("REPOSITORIES_EXCLUDE_REGEXP", exclude) if exclude else None,
    )


def _required(environment: Mapping[str, str], name: str, expected: str) -> str:
    value = environment.get(name)
    if not value:
        raise SettingError(name, value, expected)
    return value


def _queue_url(environment: Mapping[str, str], name: str, expected: str) -> str:
    value = _required(environment, name, expected)
    if not re.search("/[0-9]{12}/[^/]+$", value):
        raise SettingError(name, value, f"{expected}, which ends in an account and a name")
    return value


def _account(queue_url: str) -> str:
    """Return the account in the URL of a queue of this module: the function's own, known without a call."""
    return queue_url.split("/")[-2]


def _memory_table(environment: Mapping[str, str]) -> str:
    return _required(environment, "MEMORY_TABLE_NAME", "the name of the memory table")


def _name(environment: Mapping[str, str]) -> str:
    return _required(environment, "REPORTER_NAME", "the name of this instance of the module")


def _notify_on(environment: Mapping[str, str], name: str) -> NotifyOn:
    value = environment.get(name, NotifyOn.CHANGES)
    if value not in set(NotifyOn):
        raise SettingError(name, value, " or ".join(NotifyOn))
    return NotifyOn(value)


def _report_window(environment: Mapping[str, str], name: str) -> timedelta:
    return timedelta(seconds=_whole_number(environment, name, "60", range(43201), "a whole number of seconds"))


def _topic_arn(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value or not re.fullmatch(r"arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:.+", value):
        raise SettingError(name, value, "the ARN of the topic for reports")
    return value


def _duration(name: str, value: object) -> Duration:
    try:
        return Duration.parse(value if isinstance(value, str) else "")
    except ValueError as error:
        raise SettingError(name, value, durations.EXPECTED) from error


def _max_age(environment: Mapping[str, str]) -> Duration:
    name = "ECR_IMAGES_DURATION_DELTA"
    return _duration(name, environment.get(name, str(_DEFAULT_MAX_AGE)))


def _schedule(environment: Mapping[str, str]) -> Schedule:
    value = environment.get("SCHEDULE_EXPRESSION", "rate(1 day)")
    try:
        return Schedule.parse(value)
    except ValueError as error:
        raise SettingError("SCHEDULE_EXPRESSION", value, schedules.EXPECTED) from error


def _run_interval(environment: Mapping[str, str]) -> timedelta:
    return min(_schedule(environment).longest_interval, timedelta(days=366))


def _threads(environment: Mapping[str, str]) -> int:
    return _whole_number(environment, "THREADS", "16", range(1, 1000), "a whole number")


def _whole_number(environment: Mapping[str, str], name: str, default: str, permitted: range, expected: str) -> int:
    value = environment.get(name, default)
    if not re.fullmatch("0|[1-9][0-9]{0,8}", value) or int(value) not in permitted:
        raise SettingError(name, value, f"{expected} from {permitted[0]} to {permitted[-1]}")
    return int(value)


def _urls(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    urls = _json(
        name,
        environment.get(name, "[]"),
        "a JSON list of the URLs of queues",
        lambda urls: isinstance(urls, list) and all(isinstance(url, str) and "/" in url for url in urls),
    )
    return tuple(urls)


def _selection(environment: Mapping[str, str], name: str) -> Selection:
    value = environment.get(name) or "{}"
    expected = (
        'a JSON object with any of "tagged_only" (true or false), "tag_regexp" (a Python regular expression), '
        '"newest" (a whole number from 1), "pushed_within" and "pulled_within" (durations such as 30d)'
    )
    parts = {key: part for key, part in _json(name, value, expected, _is_selection).items() if part is not None}
    return Selection(
        tagged_only=parts.get("tagged_only", False),
        tag_regexp=compile_regexp(f"{name}.tag_regexp", parts["tag_regexp"]) if "tag_regexp" in parts else None,
        newest=parts.get("newest"),
        pushed_within=_duration(f"{name}.pushed_within", parts["pushed_within"]) if "pushed_within" in parts else None,
        pulled_within=_duration(f"{name}.pulled_within", parts["pulled_within"]) if "pulled_within" in parts else None,
    )


def _is_selection(value: object) -> bool:
    if not isinstance(value, dict) or not value.keys() <= set(Selection._fields):
        return False
    tagged_only, newest = value.get("tagged_only"), value.get("newest")
    return type(tagged_only) in (bool, type(None)) and (newest is None or (type(newest) is int and newest >= 1))


def _group_by(environment: Mapping[str, str], name: str) -> re.Pattern[str] | None:
    value = environment.get(name)
    if not value:
        return None
    compiled = compile_regexp(name, value)
    if compiled.groups != 1:
        raise SettingError(name, value, "a Python regular expression with one capture group, such as ^([^/]+)/")
    return compiled


def _flag(environment: Mapping[str, str], name: str, default: str | None = None) -> bool:
    value = environment.get(name, default)
    if value not in ("true", "false"):
        raise SettingError(name, value, "true or false")
    return value == "true"


def _thresholds(environment: Mapping[str, str], name: str) -> dict[str, int]:
    expected = f'a JSON object of whole numbers from 1, such as {{"CRITICAL": 1}}, keys among {", ".join(SEVERITIES)}'
    thresholds = _json(name, environment.get(name), expected, partial(_has_numbers, keys=SEVERITIES, most=inf))
    return {severity: thresholds[severity] for severity in SEVERITIES if severity in thresholds}


def _fix_within(environment: Mapping[str, str], name: str) -> dict[str, int]:
    keys = (*SEVERITIES, EXPLOITED)
    expected = f'a JSON object of days from 1 to 3650, such as {{"CRITICAL": 7}}, keys among {", ".join(keys)}'
    days: dict[str, int] = _json(
        name, environment.get(name) or "{}", expected, partial(_has_numbers, keys=keys, most=3650)
    )
    return days


def _has_numbers(value: object, keys: Collection[str], most: float) -> bool:
    return isinstance(value, dict) and all(
        key in keys and type(number) is int and 1 <= number <= most for key, number in value.items()
    )


def _json(name: str, value: str | None, expected: str, is_valid: Callable[[object], bool]) -> Any:
    try:
        parsed = json.loads(value or "")
    except (RecursionError, ValueError) as error:
        raise SettingError(name, value, expected) from error
    if not is_valid(parsed):
        raise SettingError(name, value, expected)
    return parsed
