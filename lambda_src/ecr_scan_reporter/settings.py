"""The functions' settings, read from the environment once per cold start."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from . import durations
from .durations import Duration
from .errors import SettingError

# Basic scanning's words, and Inspector's UNTRIAGED in place of UNDEFINED; worst first.
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")


@dataclass(frozen=True, slots=True)
class RepositoriesScannerSettings:
    """What the repositories scanner needs to know."""

    repositories_filter: re.Pattern[str]
    images_queue_url: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "RepositoriesScannerSettings":
        """Read the settings.

        Raises:
            SettingError: a variable is missing or its value is not accepted.
        """
        return cls(
            repositories_filter=_expression(environment, "REPOSITORIES_FILTER_REGEXP"),
            images_queue_url=_text(environment, "IMAGES_QUEUE_URL", "the URL of the images queue"),
        )


@dataclass(frozen=True, slots=True)
class ImagesScannerSettings:
    """What the images scanner needs to know."""

    duration: Duration

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "ImagesScannerSettings":
        """Read the settings.

        Raises:
            SettingError: a variable is missing or its value is not accepted.
        """
        return cls(duration=_duration(environment, "ECR_IMAGES_DURATION_DELTA"))


@dataclass(frozen=True, slots=True)
class ReporterSettings:
    """What the reporter needs to know. `thresholds` maps a severity to the number of findings that is told."""

    topic_arn: str
    repositories_filter: re.Pattern[str]
    thresholds: Mapping[str, int]
    notify_on_scan_failure: bool
    name: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "ReporterSettings":
        """Read the settings.

        Raises:
            SettingError: a variable is missing or its value is not accepted.
        """
        return cls(
            topic_arn=_text(environment, "REPORTS_TOPIC_ARN", "the ARN of the topic for reports"),
            repositories_filter=_expression(environment, "REPOSITORIES_FILTER_REGEXP"),
            thresholds=_thresholds(environment, "SEVERITY_THRESHOLDS"),
            notify_on_scan_failure=_flag(environment, "NOTIFY_ON_SCAN_FAILURE"),
            name=_text(environment, "REPORTER_NAME", "the name of this instance of the module"),
        )


def expression(name: str, value: object) -> re.Pattern[str]:
    """Compile the regular expression that setting `name` holds.

    Raises:
        SettingError: it is not one.
    """
    accepted = "a Python regular expression, matched from the start of the repository's name"
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


def _expression(environment: Mapping[str, str], name: str) -> re.Pattern[str]:
    return expression(name, environment.get(name))


def _duration(environment: Mapping[str, str], name: str) -> Duration:
    value = environment.get(name)
    try:
        return Duration.parse(value or "")
    except ValueError as error:
        raise SettingError(name, value, durations.ACCEPTED) from error


def _flag(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name)
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
