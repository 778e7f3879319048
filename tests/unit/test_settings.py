"""Settings: a bad value fails at the cold start and says what is accepted."""

import json
import re

import pytest
from ecr_scan_reporter.due import Selection
from ecr_scan_reporter.durations import Duration
from ecr_scan_reporter.errors import SettingError
from ecr_scan_reporter.settings import ImagesScannerSettings, ReporterSettings, RepositoriesScannerSettings

REPOSITORIES_SCANNER = {
    "REPOSITORIES_FILTER_REGEXP": "^(?!sandbox/)",
    "IMAGES_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/images",
}
IMAGES_SCANNER = {
    "ECR_IMAGES_DURATION_DELTA": "1m2w3d",
    "IMAGES_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/images",
}
REPORTER = {
    "REPORTS_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:reports",
    "REPOSITORIES_FILTER_REGEXP": ".*",
    "SEVERITY_THRESHOLDS": '{"HIGH": 5, "CRITICAL": 1}',
    "NOTIFY_ON_SCAN_FAILURE": "false",
    "REPORTER_NAME": "platform",
}


def test_the_repositories_scanner_knows_its_filter_and_its_queue() -> None:
    settings = RepositoriesScannerSettings.read(REPOSITORIES_SCANNER)
    assert settings.repositories.matches("team-a/app")
    assert not settings.repositories.matches("sandbox/app")
    assert settings.threads == 16
    assert settings.images_queue_url == REPOSITORIES_SCANNER["IMAGES_QUEUE_URL"]


def test_the_images_scanner_knows_the_promised_age() -> None:
    assert ImagesScannerSettings.read(IMAGES_SCANNER).duration == Duration(1, 2, 3)


def test_the_reporter_knows_its_thresholds_worst_first() -> None:
    settings = ReporterSettings.read(REPORTER)
    assert list(settings.thresholds.items()) == [("CRITICAL", 1), ("HIGH", 5)]
    assert settings.notify_on_scan_failure is False
    assert ReporterSettings.read({**REPORTER, "NOTIFY_ON_SCAN_FAILURE": "true"}).notify_on_scan_failure is True


def test_what_is_excluded_does_not_match_whatever_the_filter_says() -> None:
    settings = RepositoriesScannerSettings.read(
        {**REPOSITORIES_SCANNER, "REPOSITORIES_EXCLUDE_REGEXP": "team-a/mirror"}
    )
    assert settings.repositories.matches("team-a/app")
    assert not settings.repositories.matches("team-a/mirror-of-b")
    assert settings.repositories.matches("b/team-a/mirror")


def test_a_selection_is_read_whole() -> None:
    parts = {"tagged_only": True, "tag_regexp": "v", "newest": 3, "pushed_within": "1m", "pulled_within": "2d"}
    selection = ImagesScannerSettings.read({**IMAGES_SCANNER, "IMAGES_SELECTION": json.dumps(parts)}).selection
    assert selection == Selection(True, re.compile("v"), 3, Duration(1, 0, 0), Duration(0, 0, 2))


@pytest.mark.parametrize("value", ["", "{}", '{"tagged_only": false, "newest": null, "tag_regexp": null}'])
def test_nothing_is_selected_by_default(value: str) -> None:
    assert ImagesScannerSettings.read({**IMAGES_SCANNER, "IMAGES_SELECTION": value}).selection == Selection()


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("{", "IMAGES_SELECTION is .*; accepted: a JSON object with any of"),
        ("[]", "IMAGES_SELECTION is .*; accepted: a JSON object with any of"),
        ('{"latest": 3}', "IMAGES_SELECTION is .*; accepted: a JSON object with any of"),
        ('{"newest": 0}', "IMAGES_SELECTION is .*; accepted: a JSON object with any of"),
        ('{"newest": true}', "IMAGES_SELECTION is .*; accepted: a JSON object with any of"),
        ('{"tagged_only": 1}', "IMAGES_SELECTION is .*; accepted: a JSON object with any of"),
        ('{"tag_regexp": "("}', "IMAGES_SELECTION.tag_regexp is .*; accepted: a Python regular expression"),
        ('{"pushed_within": "1y"}', "IMAGES_SELECTION.pushed_within is '1y'; accepted: months, weeks"),
        ('{"pulled_within": 7}', "IMAGES_SELECTION.pulled_within is 7; accepted: months, weeks"),
    ],
)
def test_a_selection_that_is_none_is_named(value: str, complaint: str) -> None:
    with pytest.raises(SettingError, match=complaint):
        ImagesScannerSettings.read({**IMAGES_SCANNER, "IMAGES_SELECTION": value})


@pytest.mark.parametrize("value", ["0", "", "-1", "many", "1000"])
def test_threads_are_a_number_from_1_to_999(value: str) -> None:
    with pytest.raises(SettingError, match=f"THREADS is '{value}'; accepted: a whole number from 1 to 999"):
        ImagesScannerSettings.read({**IMAGES_SCANNER, "THREADS": value})


@pytest.mark.parametrize("name", REPOSITORIES_SCANNER)
def test_the_repositories_scanner_misses_nothing_silently(name: str) -> None:
    with pytest.raises(SettingError, match=name):
        RepositoriesScannerSettings.read({key: value for key, value in REPOSITORIES_SCANNER.items() if key != name})


@pytest.mark.parametrize("name", REPORTER)
def test_the_reporter_misses_nothing_silently(name: str) -> None:
    with pytest.raises(SettingError, match=name):
        ReporterSettings.read({key: value for key, value in REPORTER.items() if key != name})


def test_the_reporter_takes_what_is_off_by_default() -> None:
    environment = {"FIXABLE_ONLY": "true", "GROUP_BY": "^([^/]+)/", "CHAT_TOPIC_ARN": "arn:chat"}
    settings = ReporterSettings.read({**REPORTER, **environment})
    assert (settings.fixable_only, settings.chat_topic_arn, settings.partition) == (True, "arn:chat", "aws")
    assert settings.group_by == re.compile("^([^/]+)/")
    assert ReporterSettings.read({**REPORTER, "GROUP_BY": ""}).group_by is None


@pytest.mark.parametrize("value", ["team", "(a)(b)", "("])
def test_a_group_has_one_capture(value: str) -> None:
    with pytest.raises(SettingError, match="GROUP_BY is .*; accepted: a Python regular expression"):
        ReporterSettings.read({**REPORTER, "GROUP_BY": value})


def test_an_expression_that_does_not_compile_is_named() -> None:
    with pytest.raises(SettingError, match=r"REPOSITORIES_FILTER_REGEXP is '\(a'; accepted: a Python regular"):
        RepositoriesScannerSettings.read({**REPOSITORIES_SCANNER, "REPOSITORIES_FILTER_REGEXP": "(a"})


@pytest.mark.parametrize("value", ["", "7", "0d", "1h"])
def test_a_duration_that_is_none_is_named(value: str) -> None:
    with pytest.raises(SettingError, match=f"ECR_IMAGES_DURATION_DELTA is '{value}'; accepted: months, weeks"):
        ImagesScannerSettings.read({**IMAGES_SCANNER, "ECR_IMAGES_DURATION_DELTA": value})


@pytest.mark.parametrize("value", ["yes", "True", "1", ""])
def test_a_flag_is_true_or_false(value: str) -> None:
    with pytest.raises(SettingError, match="NOTIFY_ON_SCAN_FAILURE is .*; accepted: true or false"):
        ReporterSettings.read({**REPORTER, "NOTIFY_ON_SCAN_FAILURE": value})


@pytest.mark.parametrize(
    "value", ["", "[]", "{", '{"CRITICAL": 0}', '{"CRITICAL": true}', '{"HIHG": 1}', '{"LOW": 1.5}']
)
def test_thresholds_are_whole_numbers_of_known_severities(value: str) -> None:
    with pytest.raises(SettingError, match="SEVERITY_THRESHOLDS is .*; accepted: a JSON object of whole numbers"):
        ReporterSettings.read({**REPORTER, "SEVERITY_THRESHOLDS": value})
