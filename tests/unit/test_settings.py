"""Parses settings; an invalid value is named together with what is expected."""

import json
import re
from datetime import timedelta

import pytest
from ecr_scan_reporter.errors import SettingError
from ecr_scan_reporter.models.selection import Selection
from ecr_scan_reporter.settings import (
    ConsoleWidgetSettings,
    ImagesScannerSettings,
    NotifyOn,
    ReporterSettings,
    RepositoriesScannerSettings,
)
from ecr_scan_reporter.shared.durations import Duration
from ecr_scan_reporter.shared.schedules import Schedule

REPOSITORIES_SCANNER = {
    "REPOSITORIES_FILTER_REGEXP": "^(?!sandbox/)",
    "IMAGES_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/images",
    "MEMORY_TABLE_NAME": "memory",
    "REPORTER_NAME": "platform",
}
IMAGES_SCANNER = {
    "ECR_IMAGES_DURATION_DELTA": "1m2w3d",
    "REPORTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/reports",
    "IMAGES_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/images",
    "MEMORY_TABLE_NAME": "memory",
    "REPORTER_NAME": "platform",
}
REPORTER = {
    "REPORTS_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:reports",
    "REPORTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/reports",
    "MEMORY_TABLE_NAME": "memory",
    "REPOSITORIES_FILTER_REGEXP": ".*",
    "SEVERITY_THRESHOLDS": '{"HIGH": 5, "CRITICAL": 1}',
    "NOTIFY_ON_SCAN_FAILURE": "false",
    "REPORTER_NAME": "platform",
}


CONSOLE_WIDGET = {"ECR_IMAGES_DURATION_DELTA": "1m2w3d", "MEMORY_TABLE_NAME": "memory", "REPORTER_NAME": "platform"}


def test_repositories_scanner_has_a_filter_and_a_queue() -> None:
    settings = RepositoriesScannerSettings.from_env(REPOSITORIES_SCANNER)
    assert settings.repositories.matches("team-a/app")
    assert not settings.repositories.matches("sandbox/app")
    assert settings.threads == 16
    assert settings.images_queue_url == REPOSITORIES_SCANNER["IMAGES_QUEUE_URL"]


def test_images_scanner_has_a_maximum_age() -> None:
    assert ImagesScannerSettings.from_env(IMAGES_SCANNER).max_age == Duration(1, 2, 3)


def test_reporter_thresholds_are_sorted_by_severity() -> None:
    settings = ReporterSettings.from_env(REPORTER)
    assert list(settings.thresholds.items()) == [("CRITICAL", 1), ("HIGH", 5)]
    assert settings.notify_on_scan_failure is False
    assert ReporterSettings.from_env({**REPORTER, "NOTIFY_ON_SCAN_FAILURE": "true"}).notify_on_scan_failure is True


def test_reporter_deadlines_are_days_by_severity() -> None:
    assert ReporterSettings.from_env(REPORTER).fix_within == {}
    settings = ReporterSettings.from_env({**REPORTER, "FIX_WITHIN": '{"CRITICAL": 1, "EXPLOITED": 3650}'})
    assert settings.fix_within == {"CRITICAL": 1, "EXPLOITED": 3650}


@pytest.mark.parametrize("value", ["7", "[", '{"URGENT": 7}', '{"HIGH": 0}', '{"HIGH": 3651}', '{"HIGH": 1.5}'])
def test_invalid_deadlines_are_named(value: str) -> None:
    with pytest.raises(SettingError, match="FIX_WITHIN is .*; expected a JSON object of days from 1 to 3650"):
        ReporterSettings.from_env({**REPORTER, "FIX_WITHIN": value})


def test_excluded_repository_does_not_match() -> None:
    settings = RepositoriesScannerSettings.from_env(
        {**REPOSITORIES_SCANNER, "REPOSITORIES_EXCLUDE_REGEXP": "team-a/mirror"}
    )
    assert settings.repositories.matches("team-a/app")
    assert not settings.repositories.matches("team-a/mirror-of-b")
    assert settings.repositories.matches("b/team-a/mirror")


def test_selection_with_every_part() -> None:
    parts = {"tagged_only": True, "tag_regexp": "v", "newest": 3, "pushed_within": "1m", "pulled_within": "2d"}
    selection = ImagesScannerSettings.from_env({**IMAGES_SCANNER, "IMAGES_SELECTION": json.dumps(parts)}).selection
    assert selection == Selection(True, re.compile("v"), 3, Duration(1, 0, 0), Duration(0, 0, 2))


@pytest.mark.parametrize("value", ["", "{}", '{"tagged_only": false, "newest": null, "tag_regexp": null}'])
def test_selection_is_empty_by_default(value: str) -> None:
    assert ImagesScannerSettings.from_env({**IMAGES_SCANNER, "IMAGES_SELECTION": value}).selection == Selection()


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("{", "IMAGES_SELECTION is .*; expected a JSON object with any of"),
        ("[]", "IMAGES_SELECTION is .*; expected a JSON object with any of"),
        ('{"latest": 3}', "IMAGES_SELECTION is .*; expected a JSON object with any of"),
        ('{"newest": 0}', "IMAGES_SELECTION is .*; expected a JSON object with any of"),
        ('{"newest": true}', "IMAGES_SELECTION is .*; expected a JSON object with any of"),
        ('{"tagged_only": 1}', "IMAGES_SELECTION is .*; expected a JSON object with any of"),
        ('{"tag_regexp": "("}', "IMAGES_SELECTION.tag_regexp is .*; expected a Python regular expression"),
        ('{"pushed_within": "1y"}', "IMAGES_SELECTION.pushed_within is '1y'; expected months, weeks"),
        ('{"pulled_within": 7}', "IMAGES_SELECTION.pulled_within is 7; expected months, weeks"),
    ],
)
def test_invalid_selection_is_named(value: str, complaint: str) -> None:
    with pytest.raises(SettingError, match=complaint):
        ImagesScannerSettings.from_env({**IMAGES_SCANNER, "IMAGES_SELECTION": value})


@pytest.mark.parametrize("value", ["0", "", "-1", "many", "1000"])
def test_threads_outside_1_to_999_are_rejected(value: str) -> None:
    with pytest.raises(SettingError, match=f"THREADS is '{value}'; expected a whole number from 1 to 999"):
        ImagesScannerSettings.from_env({**IMAGES_SCANNER, "THREADS": value})


@pytest.mark.parametrize("name", REPOSITORIES_SCANNER)
def test_missing_setting_of_the_repositories_scanner_is_named(name: str) -> None:
    with pytest.raises(SettingError, match=name):
        RepositoriesScannerSettings.from_env({key: value for key, value in REPOSITORIES_SCANNER.items() if key != name})


@pytest.mark.parametrize("name", IMAGES_SCANNER)
def test_missing_setting_of_the_images_scanner_is_named(name: str) -> None:
    with pytest.raises(SettingError, match=name):
        ImagesScannerSettings.from_env({key: value for key, value in IMAGES_SCANNER.items() if key != name})


@pytest.mark.parametrize("name", REPORTER)
def test_missing_setting_of_the_reporter_is_named(name: str) -> None:
    with pytest.raises(SettingError, match=name):
        ReporterSettings.from_env({key: value for key, value in REPORTER.items() if key != name})


def test_console_widget_has_a_table_a_name_and_a_maximum_age() -> None:
    settings = ConsoleWidgetSettings.from_env(CONSOLE_WIDGET)
    assert settings == ConsoleWidgetSettings("memory", "platform", Duration(1, 2, 3))


@pytest.mark.parametrize("name", CONSOLE_WIDGET)
def test_missing_setting_of_the_console_widget_is_named(name: str) -> None:
    with pytest.raises(SettingError, match=name):
        ConsoleWidgetSettings.from_env({key: value for key, value in CONSOLE_WIDGET.items() if key != name})


def test_reporter_has_optional_settings() -> None:
    environment = {"FIXABLE_ONLY": "true", "GROUP_BY": "^([^/]+)/", "CHAT_TOPIC_ARN": "arn:chat"}
    settings = ReporterSettings.from_env({**REPORTER, **environment})
    assert (settings.fixable_only, settings.chat_topic_arn, settings.partition) == (True, "arn:chat", "aws")
    assert settings.group_by == re.compile("^([^/]+)/")
    assert ReporterSettings.from_env({**REPORTER, "GROUP_BY": ""}).group_by is None


@pytest.mark.parametrize("value", ["team", "(a)(b)", "("])
def test_group_by_without_exactly_one_capture_is_rejected(value: str) -> None:
    with pytest.raises(SettingError, match="GROUP_BY is .*; expected a Python regular expression"):
        ReporterSettings.from_env({**REPORTER, "GROUP_BY": value})


@pytest.mark.parametrize("value", ["(a", "a{99999999999}", "(" * 20_000 + ")" * 20_000])
def test_regexp_that_does_not_compile_is_named(value: str) -> None:
    with pytest.raises(SettingError, match="REPOSITORIES_FILTER_REGEXP is .*; expected a Python regular expression"):
        RepositoriesScannerSettings.from_env({**REPOSITORIES_SCANNER, "REPOSITORIES_FILTER_REGEXP": value})


@pytest.mark.parametrize("value", ["arn:chat", "reports", "arn:aws:sqs:eu-west-1:123456789012:reports"])
def test_invalid_topic_arn_is_named(value: str) -> None:
    with pytest.raises(SettingError, match=f"REPORTS_TOPIC_ARN is '{value}'; expected the ARN of the topic"):
        ReporterSettings.from_env({**REPORTER, "REPORTS_TOPIC_ARN": value})


def test_images_scanner_knows_intervals_of_more_than_a_day() -> None:
    settings = ImagesScannerSettings.from_env({**IMAGES_SCANNER, "SCHEDULE_EXPRESSION": "rate(7 days)"})
    assert settings.run_interval == timedelta(days=7)


def test_interval_between_two_runs_is_at_most_a_year() -> None:
    for expression in ("rate(4000 days)", "cron(0 4 29 2 ? *)"):
        environment = {**IMAGES_SCANNER, "SCHEDULE_EXPRESSION": expression}
        assert ImagesScannerSettings.from_env(environment).run_interval == timedelta(days=366)


def test_repositories_scanner_knows_the_schedule_and_the_promised_age() -> None:
    settings = RepositoriesScannerSettings.from_env(REPOSITORIES_SCANNER)
    assert (settings.schedule, settings.max_age) == (Schedule(timedelta(days=1)), Duration(0, 0, 7))
    values = {"SCHEDULE_EXPRESSION": "cron(0 4 ? * MON *)", "ECR_IMAGES_DURATION_DELTA": "2w"}
    settings = RepositoriesScannerSettings.from_env({**REPOSITORIES_SCANNER, **values})
    assert (settings.schedule.longest_interval, settings.max_age) == (timedelta(days=7), Duration(0, 2, 0))


@pytest.mark.parametrize("value", ["0", "86400", "1 day", "", "rate(0 days)", "cron(0 4 * * * *)"])
def test_invalid_schedule_is_named(value: str) -> None:
    for kind, environment in (
        (RepositoriesScannerSettings, REPOSITORIES_SCANNER),
        (ImagesScannerSettings, IMAGES_SCANNER),
    ):
        with pytest.raises(
            SettingError, match=re.escape(f"SCHEDULE_EXPRESSION is '{value}'; expected a rate, such as")
        ):
            kind.from_env({**environment, "SCHEDULE_EXPRESSION": value})


@pytest.mark.parametrize("value", ["", "7", "0d", "1h"])
def test_invalid_duration_is_named(value: str) -> None:
    with pytest.raises(SettingError, match=f"ECR_IMAGES_DURATION_DELTA is '{value}'; expected months, weeks"):
        ImagesScannerSettings.from_env({**IMAGES_SCANNER, "ECR_IMAGES_DURATION_DELTA": value})


@pytest.mark.parametrize("value", ["yes", "True", "1", ""])
def test_flag_other_than_true_or_false_is_rejected(value: str) -> None:
    with pytest.raises(SettingError, match="NOTIFY_ON_SCAN_FAILURE is .*; expected true or false"):
        ReporterSettings.from_env({**REPORTER, "NOTIFY_ON_SCAN_FAILURE": value})


@pytest.mark.parametrize(
    "value", ["", "[]", "{", '{"CRITICAL": 0}', '{"CRITICAL": true}', '{"HIHG": 1}', '{"LOW": 1.5}']
)
def test_invalid_thresholds_are_rejected(value: str) -> None:
    with pytest.raises(SettingError, match="SEVERITY_THRESHOLDS is .*; expected a JSON object of whole numbers"):
        ReporterSettings.from_env({**REPORTER, "SEVERITY_THRESHOLDS": value})


def test_reporter_reports_changes_and_reminds_never_by_default() -> None:
    settings = ReporterSettings.from_env(REPORTER)
    assert (settings.notify_on, settings.notify_on_fixed, settings.remind_after) == (NotifyOn.CHANGES, False, None)
    assert settings.report_window == timedelta(seconds=60)


def test_reporter_settings_of_memory() -> None:
    values = {"NOTIFY_ON": "every_scan", "NOTIFY_ON_FIXED": "true", "REMIND_AFTER": "30d"}
    settings = ReporterSettings.from_env({**REPORTER, **values, "REPORT_WINDOW_SECONDS": "43200"})
    assert (settings.notify_on, settings.notify_on_fixed) == (NotifyOn.EVERY_SCAN, True)
    assert (settings.remind_after, settings.report_window) == (Duration(0, 0, 30), timedelta(hours=12))


def test_reporter_settings_of_the_overview() -> None:
    settings = ReporterSettings.from_env(REPORTER)
    assert (settings.max_age, settings.run_interval, settings.dlq_urls) == (Duration(0, 0, 7), timedelta(days=1), ())
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/images-dlq"
    values = {"ECR_IMAGES_DURATION_DELTA": "2w", "SCHEDULE_EXPRESSION": "rate(366 days)", "DLQ_URLS": json.dumps([url])}
    settings = ReporterSettings.from_env({**REPORTER, **values})
    assert (settings.max_age, settings.run_interval) == (Duration(0, 2, 0), timedelta(days=366))
    assert settings.dlq_urls == (url,)


@pytest.mark.parametrize("name", ["FIX_WITHIN", "DLQ_URLS", "SEVERITY_THRESHOLDS"])
def test_json_that_is_nested_too_deep_is_named(name: str) -> None:
    with pytest.raises(SettingError, match=rf"{name} is '\[.*; expected a JSON"):
        ReporterSettings.from_env({**REPORTER, name: "[" * 100_000})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ECR_IMAGES_DURATION_DELTA", "1y", "months, weeks and days"),
        ("SCHEDULE_EXPRESSION", "4 days", 'a rate, such as "rate'),
        ("DLQ_URLS", "", "a JSON list of the URLs of queues"),
        ("DLQ_URLS", '{"url": 1}', "a JSON list of the URLs of queues"),
        ("DLQ_URLS", "5", "a JSON list of the URLs of queues"),
        ("NOTIFY_ON", "always", "changes or every_scan"),
        ("NOTIFY_ON_FIXED", "yes", "true or false"),
        ("REMIND_AFTER", "30 days", "months, weeks and days"),
        ("REPORT_WINDOW_SECONDS", "43201", "a whole number of seconds from 0 to 43200"),
        ("MEMORY_TABLE_NAME", "", "the name of the memory table"),
    ],
)
def test_invalid_setting_of_memory_is_named(name: str, value: str, expected: str) -> None:
    with pytest.raises(SettingError, match=f"{name} is '{value}'; expected {expected}"):
        ReporterSettings.from_env({**REPORTER, name: value})
