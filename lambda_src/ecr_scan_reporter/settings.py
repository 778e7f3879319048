"""The settings of the functions, parsed from environment variables once per cold start."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from enum import StrEnum
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ecr_scan_reporter.errors import SettingError
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
# The default of the input images_duration_delta.
_DEFAULT_MAX_AGE = Duration(0, 0, 7)


class NotifyOn(StrEnum):
    """Which scans are reported: those that change something, or every one over a threshold."""

    CHANGES = "changes"
    EVERY_SCAN = "every_scan"


class ExportTarget(NamedTuple):
    """Where exports are written.

    Args:
        bucket: the name of the bucket.
        owner: the account of the bucket.
        prefix: what all keys begin with.
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
        threads: how many calls may be in flight.
        name: of this instance of the module.
        detailed_metrics: whether all numbers are metrics, or only those that have an alarm or come first.
        schedule: of the runs.
        max_age: the promised age of scans.
        export_queue_url: of the queue for requests of an export after each run; "" if there is none.
    """

    repositories: RepositoryFilter
    images_queue_url: str
    memory_table: str
    threads: int
    name: str
    detailed_metrics: bool = False
    schedule: Schedule = Schedule(timedelta(days=1))
    max_age: Duration = _DEFAULT_MAX_AGE
    export_queue_url: str = ""

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "RepositoriesScannerSettings":
        """Parse the environment variables.

        Raises:
            SettingError: a variable is missing or has an invalid value.
        """
        return _parse(cls, environment)

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
        reports_queue_url: of the queue for images whose events were lost.
        memory_table: the name of the memory table.
        threads: how many calls may be in flight.
        name: of this instance of the module.
        detailed_metrics: whether all numbers are metrics, or only those that have an alarm or come first.
    """

    max_age: Duration
    run_interval: timedelta
    selection: Selection
    images_queue_url: str
    reports_queue_url: str
    memory_table: str
    threads: int
    name: str
    detailed_metrics: bool = False

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "ImagesScannerSettings":
        """Parse the environment variables.

        Raises:
            SettingError: a variable is missing or has an invalid value.
        """
        return _parse(cls, environment)

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
        remind_after: what was last reported this long ago is reported again; None for never.
        report_window: how long scans that no run asked for are collected.
        fix_within: by severity, by EXPLOITED for known exploits, and by KEV for what is known to be exploited, the days
            within which a finding should be fixed; 0 by KEV for as many as CISA gives.
        max_age: the promised age of scans.
        run_interval: the longest time between two runs.
        dlq_urls: of the DLQs whose messages the overview counts.
        subject_prefix: of every subject and chat title.
        account_name: the name of the function's account; "" for none.
        contact: who answers questions about messages; "" for nobody.
        overview_schedule: of the overview; None if there is none.
        detailed_metrics: whether all numbers are metrics, or only those that have an alarm or come first.
        export: where what is open is written after each run; None for nowhere.
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
    run_interval: timedelta = timedelta(days=1)
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

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "ReporterSettings":
        """Parse the environment variables.

        Raises:
            SettingError: a variable is missing or has an invalid value.
        """
        return _parse(cls, environment)

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
        return _parse(cls, environment)


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

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "CatalogReaderSettings":
        """Parse the environment variables.

        Raises:
            SettingError: a variable is missing or has an invalid value.
        """
        return _parse(cls, environment)


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


def _parse(kind: type[Settings], environment: Mapping[str, str]) -> Settings:
    """Parse the settings of a function. A setting whose variable is missing has its default, if it has one.

    Raises:
        SettingError: a variable is missing or has an invalid value.
    """
    settings: Any = kind
    values = {}
    for setting in settings._fields:
        name, parse = _VARIABLES[setting]
        if name in environment or setting not in settings._field_defaults:
            values[setting] = parse(name, environment.get(name))
    if "repositories" in values and (exclude := environment.get("REPOSITORIES_EXCLUDE_REGEXP")):
        excluded = compile_regexp("REPOSITORIES_EXCLUDE_REGEXP", exclude)
        values["repositories"] = values["repositories"]._replace(exclude=excluded)
    return kind(**values)


def _account(queue_url: str) -> str:
    """Return the account in the URL of a queue of this module: the function's own, known without a call."""
    return queue_url.split("/")[-2]


def _repository_filter(name: str, value: str | None) -> RepositoryFilter:
    return RepositoryFilter(compile_regexp(name, value))


def _text(name: str, value: str | None, expected: str, pattern: str = ".+") -> str:
    if not value or not re.fullmatch(pattern, value):
        raise SettingError(name, value, expected)
    return value


def _duration(name: str, value: object) -> Duration:
    try:
        return Duration.parse(value if isinstance(value, str) else "")
    except ValueError as error:
        raise SettingError(name, value, durations.EXPECTED) from error


def _schedule(name: str, value: str | None) -> Schedule:
    try:
        return Schedule.parse("rate(1 day)" if value is None else value)
    except ValueError as error:
        raise SettingError(name, value, schedules.EXPECTED) from error


def _run_interval(name: str, value: str | None) -> timedelta:
    return min(_schedule(name, value).longest_interval, timedelta(days=366))


def _notify_on(name: str, value: str | None) -> NotifyOn:
    return NotifyOn(_text(name, value, " or ".join(NotifyOn), "|".join(NotifyOn)))


def _remind_after(name: str, value: str | None) -> Duration | None:
    return _duration(name, value) if value else None


def _threads(name: str, value: str | None) -> int:
    return _whole_number(name, "16" if value is None else value, range(1, 1000), "a whole number")


def _report_window(name: str, value: str) -> timedelta:
    return timedelta(seconds=_whole_number(name, value, range(43201), "a whole number of seconds"))


def _whole_number(name: str, value: str, permitted: range, expected: str) -> int:
    if not re.fullmatch("0|[1-9][0-9]{0,8}", value) or int(value) not in permitted:
        raise SettingError(name, value, f"{expected} from {permitted[0]} to {permitted[-1]}")
    return int(value)


def _selection(name: str, value: str | None) -> Selection:
    expected = (
        'a JSON object with any of "tagged_only" (true or false), "tag_regexp" (a Python regular expression), '
        '"newest" (a whole number from 1), "pushed_within" and "pulled_within" (durations such as 30d)'
    )
    parsed = _json(name, value or "{}", expected, _is_selection)
    parts = {part: text for part, text in parsed.items() if text is not None}
    parsers = {"tag_regexp": compile_regexp, "pushed_within": _duration, "pulled_within": _duration}
    for part, parse in parsers.items():
        if part in parts:
            parts[part] = parse(f"{name}.{part}", parts[part])
    return Selection(**parts)


def _is_selection(value: object) -> bool:
    if not isinstance(value, dict) or not value.keys() <= set(Selection._fields):
        return False
    tagged_only, newest = value.get("tagged_only"), value.get("newest")
    return type(tagged_only) in (bool, type(None)) and (newest is None or (type(newest) is int and newest >= 1))


def _group_by(name: str, value: str | None) -> re.Pattern[str] | None:
    compiled = compile_regexp(name, value) if value else None
    if compiled and compiled.groups != 1:
        raise SettingError(name, value, "a Python regular expression with one capture group, such as ^([^/]+)/")
    return compiled


def _flag(name: str, value: str | None) -> bool:
    return _text(name, value, "true or false", "true|false") == "true"


def _thresholds(name: str, value: str | None) -> dict[str, int]:
    expected = f'a JSON object of whole numbers from 1, such as {{"CRITICAL": 1}}, keys among {", ".join(SEVERITIES)}'
    thresholds = _json(name, value, expected, partial(_has_numbers, keys=SEVERITIES, most=inf))
    return {severity: thresholds[severity] for severity in SEVERITIES if severity in thresholds}


def _fix_within(name: str, value: str | None) -> dict[str, int]:
    keys = (*SEVERITIES, EXPLOITED, KEV)
    expected = (
        f'a JSON object of days from 1 to 3650, such as {{"CRITICAL": 7}}, keys among {", ".join(keys)}; '
        f'{KEV} may be "catalog"'
    )
    days: dict[str, Any] = _json(name, value or "{}", expected, _has_days)
    return days | ({KEV: 0} if days.get(KEV) == _OF_CATALOG else {})


def _has_days(value: object) -> bool:
    if isinstance(value, dict) and value.get(KEV) == _OF_CATALOG:
        value = {key: days for key, days in value.items() if key != KEV}
    return _has_numbers(value, (*SEVERITIES, EXPLOITED, KEV), 3650)


def _has_numbers(value: object, keys: Collection[str], most: float) -> bool:
    return isinstance(value, dict) and all(
        key in keys and type(number) is int and 1 <= number <= most for key, number in value.items()
    )


def _export(name: str, value: str | None) -> ExportTarget | None:
    expected = 'a JSON object with "bucket" and "owner", and "prefix" and "kms_key_arn" if need be, all of them text'
    parsed = _json(name, value, expected, _is_export_target) if value else None
    return ExportTarget(**parsed) if parsed else None


def _is_export_target(value: object) -> bool:
    if not isinstance(value, dict) or not value.keys() <= set(ExportTarget._fields):
        return False
    return bool(value.get("bucket") and value.get("owner")) and all(isinstance(text, str) for text in value.values())


def _quiet_hours(name: str, value: str | None) -> "QuietHours | None":
    if not value:
        return None
    # Not at the top: few reporters have quiet hours.
    from ecr_scan_reporter.shared import quiet_hours

    expected = 'a JSON object with "windows" (a list), "time_zone" and, if need be, "exploited" (true or false)'
    parsed = _json(name, value, expected, _has_windows)
    try:
        zone = quiet_hours.time_zone(parsed["time_zone"])
    except ValueError as error:
        raise SettingError(f"{name}.time_zone", parsed["time_zone"], quiet_hours.ZONE_EXPECTED) from error
    try:
        return quiet_hours.QuietHours.parse(parsed["windows"], zone, exploited=parsed.get("exploited", False))
    except ValueError as error:
        raise SettingError(f"{name}.windows", parsed["windows"], f"{quiet_hours.EXPECTED} ({error})") from error


def _has_windows(value: object) -> bool:
    match value:
        case {"windows": [_, *_] as windows, "time_zone": str(), **others}:
            is_known = others.keys() <= {"exploited"} and type(others.get("exploited", False)) is bool
            return is_known and all(isinstance(window, str) for window in windows)
    return False


def _urls(name: str, value: str | None) -> tuple[str, ...]:
    return tuple(_json(name, value, "a JSON list of the URLs of queues", _has_urls))


def _has_urls(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(url, str) and "/" in url for url in value)


def _json(name: str, value: str | None, expected: str, is_valid: Callable[[object], bool]) -> Any:
    try:
        parsed = json.loads(value or "")
    except (RecursionError, ValueError) as error:
        raise SettingError(name, value, expected) from error
    if not is_valid(parsed):
        raise SettingError(name, value, expected)
    return parsed


def _subject_prefix(name: str, value: str | None) -> str:
    # The subject of SNS has 100 characters of ASCII.
    return _text(
        name, "[ECR]" if value is None else value, "1 to 30 printable ASCII characters", "[!-~]([ -~]{0,28}[!-~])?"
    )


def _line(name: str, value: str | None) -> str:
    return _text(name, value, "one line of at most 100 characters", "[^\\x00-\\x1f]{1,100}") if value else ""


# In place of a number of days: as many as CISA gives.
_OF_CATALOG = "catalog"
_QUEUE_URL = ".*/[0-9]{12}/[^/]+"
_ADDRESS = r"(?:https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/)[!-~]{1,1000}"
_TOPIC_ARN = "arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:.+"
# The environment variable of each setting, and what parses it: from its name and its value, None if it is missing.
_VARIABLES: Mapping[str, tuple[str, Callable[[str, Any], Any]]] = {
    "account_name": ("ACCOUNT_NAME", _line),
    "alarms_topic_arn": ("ALARMS_TOPIC_ARN", lambda _, value: value),
    "catalog_address": (
        "KNOWN_EXPLOITED_FEED",
        partial(_text, expected="an address such as https://host/file.json or s3://bucket/key", pattern=_ADDRESS),
    ),
    "chat_topic_arn": ("CHAT_TOPIC_ARN", lambda _, value: value),
    "contact": ("CONTACT", _line),
    "detailed_metrics": ("DETAILED_METRICS", _flag),
    "dlq_urls": ("DLQ_URLS", _urls),
    "export": ("EXPORT", _export),
    "export_queue_url": ("EXPORT_QUEUE_URL", lambda _, value: value),
    "fix_within": ("FIX_WITHIN", _fix_within),
    "fixable_only": ("FIXABLE_ONLY", _flag),
    "group_by": ("GROUP_BY", _group_by),
    "images_queue_url": (
        "IMAGES_QUEUE_URL",
        partial(_text, expected="the URL of the images queue, which ends in an account and a name", pattern=_QUEUE_URL),
    ),
    "ignore_kernel_headers": ("IGNORE_KERNEL_HEADERS", _flag),
    "known_exploited": ("KNOWN_EXPLOITED", _flag),
    "max_age": ("ECR_IMAGES_DURATION_DELTA", _duration),
    "memory_table": ("MEMORY_TABLE_NAME", partial(_text, expected="the name of the memory table")),
    "name": ("REPORTER_NAME", partial(_text, expected="the name of this instance of the module")),
    "notify_on": ("NOTIFY_ON", _notify_on),
    "notify_on_fixed": ("NOTIFY_ON_FIXED", _flag),
    "notify_on_scan_failure": ("NOTIFY_ON_SCAN_FAILURE", _flag),
    "overview_schedule": ("OVERVIEW_SCHEDULE", lambda name, value: _schedule(name, value) if value else None),
    "quiet_hours": ("QUIET_HOURS", _quiet_hours),
    "remind_after": ("REMIND_AFTER", _remind_after),
    "report_window": ("REPORT_WINDOW_SECONDS", _report_window),
    "reports_queue_url": ("REPORTS_QUEUE_URL", partial(_text, expected="the URL of the reports queue")),
    "repositories": ("REPOSITORIES_FILTER_REGEXP", _repository_filter),
    "run_interval": ("SCHEDULE_EXPRESSION", _run_interval),
    "schedule": ("SCHEDULE_EXPRESSION", _schedule),
    "selection": ("IMAGES_SELECTION", _selection),
    "threads": ("THREADS", _threads),
    "subject_prefix": ("SUBJECT_PREFIX", _subject_prefix),
    "thresholds": ("SEVERITY_THRESHOLDS", _thresholds),
    "topic_arn": ("REPORTS_TOPIC_ARN", partial(_text, expected="the ARN of the topic for reports", pattern=_TOPIC_ARN)),
}
