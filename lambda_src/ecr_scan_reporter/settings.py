"""The functions' settings, read from the environment once per cold start."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from . import durations
from .due import Selection
from .durations import Duration
from .errors import SettingError

# Basic scanning's words, and Inspector's UNTRIAGED in place of UNDEFINED; worst first.
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")


@dataclass(frozen=True, slots=True)
class RepositoryFilter:
    """Which repositories are scanned and reported: those that match `include`, unless they match `exclude`."""

    include: re.Pattern[str]
    exclude: re.Pattern[str] | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "RepositoryFilter":
        """Read the two expressions; the one that excludes may be missing or empty, for none.

        Raises:
            SettingError: one is not a regular expression.
        """
        exclude = environment.get("REPOSITORIES_EXCLUDE_REGEXP")
        return cls(
            include=expression("REPOSITORIES_FILTER_REGEXP", environment.get("REPOSITORIES_FILTER_REGEXP")),
            exclude=expression("REPOSITORIES_EXCLUDE_REGEXP", exclude) if exclude else None,
        )

    def matches(self, repository: str) -> bool:
        """Whether a repository of this name is meant; both expressions are matched from the start of the name."""
        return bool(self.include.match(repository)) and not (self.exclude and self.exclude.match(repository))


@dataclass(frozen=True, slots=True)
class RepositoriesScannerSettings:
    """What the repositories scanner needs to know. `threads`: how many calls may be under way."""

    repositories: "RepositoryFilter"
    images_queue_url: str
    threads: int

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "RepositoriesScannerSettings":
        """Read the settings.

        Raises:
            SettingError: a variable is missing or its value is not accepted.
        """
        return cls(
            repositories=RepositoryFilter.read(environment),
            images_queue_url=_text(environment, "IMAGES_QUEUE_URL", "the URL of the images queue"),
            threads=_threads(environment),
        )


@dataclass(frozen=True, slots=True)
class ImagesScannerSettings:
    """What the images scanner needs to know. `threads`: how many calls may be under way."""

    duration: Duration
    selection: Selection
    images_queue_url: str
    threads: int

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "ImagesScannerSettings":
        """Read the settings.

        Raises:
            SettingError: a variable is missing or its value is not accepted.
        """
        return cls(
            duration=_duration("ECR_IMAGES_DURATION_DELTA", environment.get("ECR_IMAGES_DURATION_DELTA")),
            selection=_selection(environment, "IMAGES_SELECTION"),
            images_queue_url=_text(environment, "IMAGES_QUEUE_URL", "the URL of the images queue"),
            threads=_threads(environment),
        )


@dataclass(frozen=True, slots=True)
class ReporterSettings:
    """What the reporter needs to know.

    `thresholds` maps a severity to the number of findings that is told; `fixable_only` counts only those that a known
    version mends; `group_by` has one capture group over the repository's name; `chat_topic_arn` is empty for no chat.
    """

    topic_arn: str
    repositories: "RepositoryFilter"
    thresholds: Mapping[str, int]
    notify_on_scan_failure: bool
    name: str
    fixable_only: bool = False
    group_by: re.Pattern[str] | None = None
    chat_topic_arn: str = ""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "ReporterSettings":
        """Read the settings.

        Raises:
            SettingError: a variable is missing or its value is not accepted.
        """
        return cls(
            topic_arn=_text(environment, "REPORTS_TOPIC_ARN", "the ARN of the topic for reports"),
            repositories=RepositoryFilter.read(environment),
            thresholds=_thresholds(environment, "SEVERITY_THRESHOLDS"),
            notify_on_scan_failure=_flag(environment, "NOTIFY_ON_SCAN_FAILURE"),
            name=_text(environment, "REPORTER_NAME", "the name of this instance of the module"),
            fixable_only=_flag(environment, "FIXABLE_ONLY", "false"),
            group_by=_group_by(environment, "GROUP_BY"),
            chat_topic_arn=environment.get("CHAT_TOPIC_ARN", ""),
        )

    @property
    def partition(self) -> str:
        """The account's partition, such as `aws-cn`."""
        return self.topic_arn.split(":")[1]


def expression(name: str, value: object) -> re.Pattern[str]:
    """Compile the regular expression that setting `name` holds.

    Raises:
        SettingError: it is not one.
    """
    accepted = "a Python regular expression, matched from the start of the name"
    if not isinstance(value, str):
        raise SettingError(name, value, accepted)
    try:
        return re.compile(value)
    except re.error as error:
        raise SettingError(name, value, f"{accepted} ({error})") from error


def _text(environment: Mapping[str, str], name: str, accepted: str) -> str:
    value = environment.get(name)
    if not value:
        raise SettingError(name, value, accepted)
    return value


def _duration(name: str, value: object) -> Duration:
    try:
        return Duration.parse(value if isinstance(value, str) else "")
    except ValueError as error:
        raise SettingError(name, value, durations.ACCEPTED) from error


def _threads(environment: Mapping[str, str]) -> int:
    value = environment.get("THREADS", "16")
    if not re.fullmatch("[1-9][0-9]{0,2}", value):
        raise SettingError("THREADS", value, "a whole number from 1 to 999")
    return int(value)


def _selection(environment: Mapping[str, str], name: str) -> Selection:
    value = environment.get(name) or "{}"
    accepted = (
        'a JSON object with any of "tagged_only" (true or false), "tag_regexp" (a Python regular expression), '
        '"newest" (a whole number from 1), "pushed_within" and "pulled_within" (durations such as 30d)'
    )
    try:
        parts = json.loads(value)
    except ValueError as error:
        raise SettingError(name, value, accepted) from error
    if not isinstance(parts, dict) or not parts.keys() <= Selection.__dataclass_fields__.keys():
        raise SettingError(name, value, accepted)
    parts = {key: part for key, part in parts.items() if part is not None}
    newest = parts.get("newest")
    if type(parts.get("tagged_only", False)) is not bool or (
        newest is not None and (type(newest) is not int or newest < 1)
    ):
        raise SettingError(name, value, accepted)
    return Selection(
        tagged_only=parts.get("tagged_only", False),
        tag_regexp=expression(f"{name}.tag_regexp", parts["tag_regexp"]) if "tag_regexp" in parts else None,
        newest=newest,
        pushed_within=_duration(f"{name}.pushed_within", parts["pushed_within"]) if "pushed_within" in parts else None,
        pulled_within=_duration(f"{name}.pulled_within", parts["pulled_within"]) if "pulled_within" in parts else None,
    )


def _group_by(environment: Mapping[str, str], name: str) -> re.Pattern[str] | None:
    value = environment.get(name)
    if not value:
        return None
    compiled = expression(name, value)
    if compiled.groups != 1:
        raise SettingError(name, value, "a Python regular expression with one capture group, such as ^([^/]+)/")
    return compiled


def _flag(environment: Mapping[str, str], name: str, default: str | None = None) -> bool:
    value = environment.get(name, default)
    if value not in ("true", "false"):
        raise SettingError(name, value, "true or false")
    return value == "true"


def _thresholds(environment: Mapping[str, str], name: str) -> dict[str, int]:
    value = environment.get(name)
    accepted = f'a JSON object of whole numbers from 1, such as {{"CRITICAL": 1}}, keys among {", ".join(SEVERITIES)}'
    try:
        thresholds = json.loads(value or "")
    except ValueError as error:
        raise SettingError(name, value, accepted) from error
    if not isinstance(thresholds, dict) or not all(
        severity in SEVERITIES and type(number) is int and number >= 1 for severity, number in thresholds.items()
    ):
        raise SettingError(name, value, accepted)
    return {severity: thresholds[severity] for severity in SEVERITIES if severity in thresholds}
