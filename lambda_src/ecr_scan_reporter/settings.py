"""The settings of the functions: their environment variables, the values that each accepts, and the defaults."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from enum import StrEnum
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ecr_scan_reporter.errors import SettingError
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.models.selection import RepositoryFilter, Selection
from ecr_scan_reporter.models.severities import EXPLOITED, KEV, SEVERITIES
from ecr_scan_reporter.shared import durations, schedules
from ecr_scan_reporter.shared.durations import Duration
from ecr_scan_reporter.shared.schedules import Schedule

if TYPE_CHECKING:
    from ecr_scan_reporter.shared.quiet_hours import QuietHours

Settings = TypeVar("Settings")

# Only these can take exponential time.
_REPEATED_GROUP = re.compile(r"\)\s*[*+{]")
_WITHOUT_AMBIGUITY = "without a repeated group that can match one text in two ways, such as (a+)+, (a|aa)* or (.*a){20}"
# The defaults of the inputs images_duration_delta and rate.
_DEFAULT_MAX_AGE, _DEFAULT_RUN_INTERVAL = Duration(0, 0, 7), timedelta(days=1)


class NotifyOn(StrEnum):
    """Which scans are reported: those that change something, or every one over a threshold."""

    CHANGES = "changes"
    EVERY_SCAN = "every_scan"


class ExportTarget(NamedTuple):
    """Where exports are written.

    Args:
        bucket: the name of the bucket.
        owner: the account of the bucket.
        prefix: the beginning of all keys.
        kms_key_arn: of the key that encrypts the files; "" for the bucket's own encryption.
    """

    bucket: str
    owner: str
    prefix: str = ""
    kms_key_arn: str = ""


class RepositoriesScannerSettings(NamedTuple):
    """Settings of the repositories scanner.

    Args:
        repositories: which repositories are scanned.
        images_queue_url: of the queue for the repositories.
        memory_table: the name of the memory table.
        name: of this instance of the module.
        threads: how many calls may be in flight.
        detailed_metrics: whether all numbers are metrics, or only those that have an alarm or come first.
        max_age: the promised age of scans.
        export_queue_url: of the queue for requests of an export after each run; "" if there is none.
    """

    repositories: RepositoryFilter
    images_queue_url: str
    memory_table: str
    name: str
    threads: int = 16
    detailed_metrics: bool = False
    schedule: Schedule = Schedule(_DEFAULT_RUN_INTERVAL)
    max_age: Duration = _DEFAULT_MAX_AGE
    export_queue_url: str = ""

    @property
    def account(self) -> str:
        """The account of the function and of its registry."""
        return _account(self.images_queue_url)


class ImagesScannerSettings(NamedTuple):
    """Settings of the images scanner.

    Args:
        max_age: a scan older than this is due.
        images_queue_url: of the queue for continuations.
        reports_queue_url: of the queue for images whose events were lost.
        memory_table: the name of the memory table.
        name: of this instance of the module.
        run_interval: the longest time between two runs of the schedule.
        selection: which images are scanned.
        threads: how many calls may be in flight.
        detailed_metrics: whether all numbers are metrics, or only those that have an alarm or come first.
    """

    max_age: Duration
    images_queue_url: str
    reports_queue_url: str
    memory_table: str
    name: str
    run_interval: timedelta = _DEFAULT_RUN_INTERVAL
    selection: Selection = Selection()
    threads: int = 16
    detailed_metrics: bool = False

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
        alarms_topic_arn: of the topic of the alarms, if they notify nothing else; empty otherwise.
        notify_on: which scans are reported.
        notify_on_fixed: whether an image is reported if its only news is that findings are fixed or withdrawn.
        remind_after: an image that was last reported this long ago is reported again; None for never.
        report_window: how long scans that no run asked for are collected.
        fix_within: by severity, by EXPLOITED for known exploits, and by KEV for findings known to be exploited, the
            days within which a finding should be fixed; 0 by KEV for as many as CISA gives.
        max_age: the promised age of scans.
        run_interval: the longest time between two runs.
        dlq_urls: of the DLQs whose messages the overview counts.
        subject_prefix: of every subject and chat title.
        account_name: the name of the function's account; "" for none.
        contact: who answers questions about messages; "" for nobody.
        overview_schedule: of the overview; None if there is none.
        detailed_metrics: whether all numbers are metrics, or only those that have an alarm or come first.
        export: where the open findings are written after each run; None for nowhere.
        quiet_hours: in which reports wait; None for never.
        known_exploited: whether the catalog of known exploited vulnerabilities is read.
        ignore_kernel_headers: whether the findings of kernel headers are ignored.
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
    alarms_topic_arn: str = ""
    notify_on: NotifyOn = NotifyOn.CHANGES
    notify_on_fixed: bool = False
    remind_after: Duration | None = None
    report_window: timedelta = timedelta(seconds=60)
    fix_within: Mapping[str, int] = {}
    max_age: Duration = _DEFAULT_MAX_AGE
    run_interval: timedelta = _DEFAULT_RUN_INTERVAL
    dlq_urls: tuple[str, ...] = ()
    subject_prefix: str = "[ECR]"
    account_name: str = ""
    contact: str = ""
    overview_schedule: Schedule | None = None
    detailed_metrics: bool = False
    export: ExportTarget | None = None
    quiet_hours: "QuietHours | None" = None
    known_exploited: bool = False
    ignore_kernel_headers: bool = True

    @property
    def partition(self) -> str:
        """The account's partition, such as `aws-cn`."""
        return self.topic_arn.split(":")[1]

    @property
    def registry(self) -> RegistryId:
        """The registry of the function's account and Region, which are those of its topics."""
        _, _, _, region, account, *_ = self.topic_arn.split(":")
        return RegistryId(account, region)


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


class CatalogReaderSettings(NamedTuple):
    """Settings of the catalog reader.

    Args:
        catalog_address: where the catalog of known exploited vulnerabilities is: `https://...` or `s3://bucket/key`.
        memory_table: the name of the memory table.
        name: of this instance of the module.
    """

    catalog_address: str
    memory_table: str
    name: str


def compile_regexp(name: str, value: object) -> re.Pattern[str]:
    """Compile the regular expression of the setting `name`.

    Raises:
        SettingError: `value` is not a regular expression, or takes exponential time on some names.
    """
    expected = "a Python regular expression, matched from the start of the name"
    if not isinstance(value, str):
        raise SettingError(name, value, expected)
    try:
        compiled = re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise SettingError(name, value, f"{expected} ({error})") from error
    if _REPEATED_GROUP.search(value):
        # Not at the top: few expressions have one.
        from ecr_scan_reporter.shared.ambiguity import is_exponential

        if is_exponential(value):
            raise SettingError(name, value, f"{expected}, {_WITHOUT_AMBIGUITY}")
    return compiled


def parse_settings(kind: type[Settings], environment: Mapping[str, str]) -> Settings:
    """Parse the settings of a function. A setting whose variable is missing has its default, if it has one.

    Raises:
        SettingError: a variable is missing or has an invalid value.
    """
    settings: Any = kind
    values = {}
    for setting in settings._fields:
        name, expected, parse = _VARIABLES[setting]
        if name in environment or setting not in settings._field_defaults:
            values[setting] = _parsed(name, environment.get(name), expected, parse)
    if "repositories" in values and (exclude := environment.get("REPOSITORIES_EXCLUDE_REGEXP")):
        excluded = compile_regexp("REPOSITORIES_EXCLUDE_REGEXP", exclude)
        values["repositories"] = values["repositories"]._replace(exclude=excluded)
    return kind(**values)


def _parsed(name: str, value: object, expected: str, parse: Callable[[Any], Any]) -> Any:
    """Parse the value of a setting, or of a part of one, with `parse`; a value that it cannot parse is named."""
    try:
        return parse(value)
    except SettingError:
        # It names a part.
        raise
    except (LookupError, RecursionError, TypeError, ValueError) as error:
        raise SettingError(name, value, expected) from error


def _account(queue_url: str) -> str:
    """Return the account in the URL of a queue of this module: the function's own, known without a call."""
    return queue_url.split("/")[-2]


def _check(is_valid: object) -> None:
    if not is_valid:
        raise ValueError


def _text(pattern: str, value: str) -> str:
    _check(re.fullmatch(pattern, value))
    return value


def _optional(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda value: parse(value) if value else None


def _number(permitted: range, value: str) -> int:
    number = int(_text("0|[1-9][0-9]{0,8}", value))
    _check(number in permitted)
    return number


def _run_interval(value: str) -> timedelta:
    return min(Schedule.parse(value).longest_interval, timedelta(days=366))


def _repository_filter(value: str) -> RepositoryFilter:
    return RepositoryFilter(compile_regexp("REPOSITORIES_FILTER_REGEXP", value))


def _group_by(value: str) -> re.Pattern[str]:
    compiled = compile_regexp("GROUP_BY", value)
    _check(compiled.groups == 1)
    return compiled


def _object(value: str, keys: Collection[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(value)
    _check(isinstance(parsed, dict) and parsed.keys() <= set(keys))
    return parsed


def _check_numbers(numbers: Mapping[str, object], most: float) -> None:
    _check(all(type(number) is int and 1 <= number <= most for number in numbers.values()))


def _thresholds(value: str) -> dict[str, int]:
    thresholds = _object(value, SEVERITIES)
    _check_numbers(thresholds, inf)
    return {severity: thresholds[severity] for severity in SEVERITIES if severity in thresholds}


def _fix_within(value: str) -> dict[str, int]:
    days = _object(value or "{}", _DEADLINES)
    of_catalog = days.get(KEV) == _OF_CATALOG
    _check_numbers({**days, KEV: 1} if of_catalog else days, 3650)
    return {**days, KEV: 0} if of_catalog else days


def _selection(value: str) -> Selection:
    parts = {part: given for part, given in _object(value or "{}", Selection._fields).items() if given is not None}
    newest = parts.get("newest", 1)
    _check(type(parts.get("tagged_only", False)) is bool and type(newest) is int and newest >= 1)
    if "tag_regexp" in parts:
        parts["tag_regexp"] = compile_regexp("IMAGES_SELECTION.tag_regexp", parts["tag_regexp"])
    for part in parts.keys() & {"pushed_within", "pulled_within"}:
        parts[part] = _parsed(f"IMAGES_SELECTION.{part}", parts[part], *_DURATION)
    return Selection(**parts)


def _export(value: str) -> ExportTarget:
    target = ExportTarget(**_object(value, ExportTarget._fields))
    _check(target.bucket and target.owner and all(isinstance(text, str) for text in target))
    return target


def _quiet_hours(value: str) -> "QuietHours":
    # Not at the top: few reporters have quiet hours.
    from ecr_scan_reporter.shared import quiet_hours

    parsed = _object(value, ("windows", "time_zone", "exploited"))
    windows, name, exploited = parsed["windows"], parsed["time_zone"], parsed.get("exploited", False)
    _check(windows and type(windows) is list and all(isinstance(text, str) for text in (*windows, name)))
    _check(type(exploited) is bool)
    zone = _parsed("QUIET_HOURS.time_zone", name, quiet_hours.ZONE_EXPECTED, quiet_hours.time_zone)
    try:
        return quiet_hours.QuietHours.parse(windows, zone, exploited=exploited)
    except ValueError as error:
        raise SettingError("QUIET_HOURS.windows", windows, f"{quiet_hours.EXPECTED} ({error})") from error


def _urls(value: str) -> tuple[str, ...]:
    urls = json.loads(value)
    _check(isinstance(urls, list) and all(isinstance(url, str) and "/" in url for url in urls))
    return tuple(urls)


# In place of a number of days: as many as CISA gives.
_OF_CATALOG = "catalog"
_DEADLINES = (*SEVERITIES, EXPLOITED, KEV)
_QUEUE_URL = ".*/[0-9]{12}/[^/]+"
_ADDRESS = r"(?:https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/)[!-~]{1,1000}"
_TOPIC_ARN = "arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:.+"
# The subject of SNS has 100 characters of ASCII.
_SUBJECT_PREFIX = "[!-~]([ -~]{0,28}[!-~])?"
_THRESHOLDS = f'a JSON object of whole numbers from 1, such as {{"CRITICAL": 1}}, keys among {", ".join(SEVERITIES)}'
_FIX_WITHIN = (
    f'a JSON object of days from 1 to 3650, such as {{"CRITICAL": 7}}, keys among {", ".join(_DEADLINES)}; '
    f'{KEV} may be "{_OF_CATALOG}"'
)
_SELECTION = (
    'a JSON object with any of "tagged_only" (true or false), "tag_regexp" (a Python regular expression), "newest" '
    '(a whole number from 1), "pushed_within" and "pulled_within" (durations such as 30d)'
)
_EXPORT = 'a JSON object with "bucket" and "owner", and "prefix" and "kms_key_arn" if need be, all of them text'
_QUIET_HOURS = 'a JSON object with "windows" (a list), "time_zone" and, if need be, "exploited" (true or false)'
_GROUP_BY = "a Python regular expression with one capture group, such as ^([^/]+)/"
_WINDOW = "a whole number of seconds from 0 to 43200"
_IMAGES_QUEUE = "the URL of the images queue, which ends in an account and a name"
# The expected value in words, and its parser.
_ANY_TEXT, _NOT_EMPTY = ("text", str), partial(_text, ".+")
_FLAG = "true or false", {"true": True, "false": False}.__getitem__
_LINE = "one line of at most 100 characters", partial(_text, "[^\\x00-\\x1f]{0,100}")
_DURATION = durations.EXPECTED, Duration.parse
_FEED = "an address such as https://host/file.json or s3://bucket/key", partial(_text, _ADDRESS)
# The environment variable of each setting, its expected value in words, and the parser, which raises an error for
# anything else. The value is None if the variable of a setting without a default is missing.
_VARIABLES: Mapping[str, tuple[str, str, Callable[[Any], Any]]] = {
    "account_name": ("ACCOUNT_NAME", *_LINE),
    "alarms_topic_arn": ("ALARMS_TOPIC_ARN", *_ANY_TEXT),
    "catalog_address": ("KNOWN_EXPLOITED_FEED", *_FEED),
    "chat_topic_arn": ("CHAT_TOPIC_ARN", *_ANY_TEXT),
    "contact": ("CONTACT", *_LINE),
    "detailed_metrics": ("DETAILED_METRICS", *_FLAG),
    "dlq_urls": ("DLQ_URLS", "a JSON list of the URLs of queues", _urls),
    "export": ("EXPORT", _EXPORT, _optional(_export)),
    "export_queue_url": ("EXPORT_QUEUE_URL", *_ANY_TEXT),
    "fix_within": ("FIX_WITHIN", _FIX_WITHIN, _fix_within),
    "fixable_only": ("FIXABLE_ONLY", *_FLAG),
    "group_by": ("GROUP_BY", _GROUP_BY, _optional(_group_by)),
    "images_queue_url": ("IMAGES_QUEUE_URL", _IMAGES_QUEUE, partial(_text, _QUEUE_URL)),
    "ignore_kernel_headers": ("IGNORE_KERNEL_HEADERS", *_FLAG),
    "known_exploited": ("KNOWN_EXPLOITED", *_FLAG),
    "max_age": ("ECR_IMAGES_DURATION_DELTA", *_DURATION),
    "memory_table": ("MEMORY_TABLE_NAME", "the name of the memory table", _NOT_EMPTY),
    "name": ("REPORTER_NAME", "the name of this instance of the module", _NOT_EMPTY),
    "notify_on": ("NOTIFY_ON", " or ".join(NotifyOn), NotifyOn),
    "notify_on_fixed": ("NOTIFY_ON_FIXED", *_FLAG),
    "notify_on_scan_failure": ("NOTIFY_ON_SCAN_FAILURE", *_FLAG),
    "overview_schedule": ("OVERVIEW_SCHEDULE", schedules.EXPECTED, _optional(Schedule.parse)),
    "quiet_hours": ("QUIET_HOURS", _QUIET_HOURS, _optional(_quiet_hours)),
    "remind_after": ("REMIND_AFTER", durations.EXPECTED, _optional(Duration.parse)),
    "report_window": ("REPORT_WINDOW_SECONDS", _WINDOW, lambda text: timedelta(seconds=_number(range(43201), text))),
    "reports_queue_url": ("REPORTS_QUEUE_URL", "the URL of the reports queue", _NOT_EMPTY),
    "repositories": ("REPOSITORIES_FILTER_REGEXP", "a Python regular expression", _repository_filter),
    "run_interval": ("SCHEDULE_EXPRESSION", schedules.EXPECTED, _run_interval),
    "schedule": ("SCHEDULE_EXPRESSION", schedules.EXPECTED, Schedule.parse),
    "selection": ("IMAGES_SELECTION", _SELECTION, _selection),
    "subject_prefix": ("SUBJECT_PREFIX", "1 to 30 printable ASCII characters", partial(_text, _SUBJECT_PREFIX)),
    "threads": ("THREADS", "a whole number from 1 to 999", partial(_number, range(1, 1000))),
    "thresholds": ("SEVERITY_THRESHOLDS", _THRESHOLDS, _thresholds),
    "topic_arn": ("REPORTS_TOPIC_ARN", "the ARN of the topic for reports", partial(_text, _TOPIC_ARN)),
}
