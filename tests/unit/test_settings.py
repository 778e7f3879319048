"""Parses settings; an invalid value is named together with what is expected."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.errors import SettingError
from ecr_scan_reporter.models.selection import Selection
from ecr_scan_reporter.settings import (
    CatalogReaderSettings,
    ConsoleWidgetSettings,
    ExportTarget,
    ImagesScannerSettings,
    NotifyOn,
    ReporterSettings,
    RepositoriesScannerSettings,
    parse_settings,
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


CATALOG_READER = {"MEMORY_TABLE_NAME": "memory", "REPORTER_NAME": "platform"}
CONSOLE_WIDGET = {"ECR_IMAGES_DURATION_DELTA": "1m2w3d", "MEMORY_TABLE_NAME": "memory", "REPORTER_NAME": "platform"}


def test_repositories_scanner_has_a_filter_and_a_queue() -> None:
    settings = parse_settings(RepositoriesScannerSettings, REPOSITORIES_SCANNER)
    assert settings.repositories.matches("team-a/app")
    assert not settings.repositories.matches("sandbox/app")
    assert settings.threads == 16
    assert settings.images_queue_url == REPOSITORIES_SCANNER["IMAGES_QUEUE_URL"]


def test_images_scanner_has_a_maximum_age() -> None:
    assert parse_settings(ImagesScannerSettings, IMAGES_SCANNER).max_age == Duration(1, 2, 3)


def test_reporter_thresholds_are_sorted_by_severity() -> None:
    settings = parse_settings(ReporterSettings, REPORTER)
    assert list(settings.thresholds.items()) == [("CRITICAL", 1), ("HIGH", 5)]
    assert settings.notify_on_scan_failure is False
    assert (
        parse_settings(ReporterSettings, {**REPORTER, "NOTIFY_ON_SCAN_FAILURE": "true"}).notify_on_scan_failure is True
    )


def test_reporter_deadlines_are_days_by_severity() -> None:
    assert parse_settings(ReporterSettings, REPORTER).fix_within == {}
    settings = parse_settings(ReporterSettings, {**REPORTER, "FIX_WITHIN": '{"CRITICAL": 1, "EXPLOITED": 3650}'})
    assert settings.fix_within == {"CRITICAL": 1, "EXPLOITED": 3650}
    settings = parse_settings(ReporterSettings, {**REPORTER, "FIX_WITHIN": '{"CRITICAL": 1, "KEV": "catalog"}'})
    assert settings.fix_within == {"CRITICAL": 1, "KEV": 0}


def test_catalog_comes_over_https_or_from_s3() -> None:
    for address in ("https://host.example:8443/kev.json", "s3://my-bucket/cisa/kev.json"):
        assert parse_settings(
            CatalogReaderSettings, {**CATALOG_READER, "KNOWN_EXPLOITED_FEED": address}
        ).catalog_address


@pytest.mark.parametrize(
    "address", ["", "http://host/kev.json", "file:///etc/passwd", "https://a@host/", "s3://b", "https://host/a b"]
)
def test_catalog_of_another_kind_is_refused(address: str) -> None:
    with pytest.raises(SettingError, match="KNOWN_EXPLOITED_FEED is .*; expected an address such as https://host"):
        parse_settings(CatalogReaderSettings, {**CATALOG_READER, "KNOWN_EXPLOITED_FEED": address})


def test_excluded_repository_does_not_match() -> None:
    settings = parse_settings(
        RepositoriesScannerSettings, {**REPOSITORIES_SCANNER, "REPOSITORIES_EXCLUDE_REGEXP": "team-a/mirror"}
    )
    assert settings.repositories.matches("team-a/app")
    assert not settings.repositories.matches("team-a/mirror-of-b")
    assert settings.repositories.matches("b/team-a/mirror")


@pytest.mark.parametrize(
    "url",
    [
        "https://sqs.eu-west-1.amazonaws.com/123456789012/images",
        # Those of a local AWS.
        "http://localhost:4566/123456789012/images",
        "http://localhost:4566/queue/eu-west-1/123456789012/images",
    ],
)
def test_account_of_the_scanners_is_that_of_their_queue(url: str) -> None:
    settings = (
        parse_settings(RepositoriesScannerSettings, {**REPOSITORIES_SCANNER, "IMAGES_QUEUE_URL": url}),
        parse_settings(ImagesScannerSettings, {**IMAGES_SCANNER, "IMAGES_QUEUE_URL": url}),
    )
    assert {found.account for found in settings} == {"123456789012"}


@pytest.mark.parametrize("url", ["https://queue", "https://sqs.eu-west-1.amazonaws.com/images"])
def test_queue_without_an_account_is_rejected(url: str) -> None:
    with pytest.raises(SettingError, match="IMAGES_QUEUE_URL is .*; expected the URL of the images queue, which ends"):
        parse_settings(ImagesScannerSettings, {**IMAGES_SCANNER, "IMAGES_QUEUE_URL": url})


def test_selection_with_every_part() -> None:
    parts = {"tagged_only": True, "tag_regexp": "v", "newest": 3, "pushed_within": "1m", "pulled_within": "2d"}
    selection = parse_settings(
        ImagesScannerSettings, {**IMAGES_SCANNER, "IMAGES_SELECTION": json.dumps(parts)}
    ).selection
    assert selection == Selection(True, re.compile("v"), 3, Duration(1, 0, 0), Duration(0, 0, 2))


@pytest.mark.parametrize("value", ["", "{}", '{"tagged_only": false, "newest": null, "tag_regexp": null}'])
def test_selection_is_empty_by_default(value: str) -> None:
    assert parse_settings(ImagesScannerSettings, {**IMAGES_SCANNER, "IMAGES_SELECTION": value}).selection == Selection()


def test_console_widget_has_a_table_a_name_and_a_maximum_age() -> None:
    settings = parse_settings(ConsoleWidgetSettings, CONSOLE_WIDGET)
    assert settings == ConsoleWidgetSettings("memory", "platform", Duration(1, 2, 3))


def test_reporter_has_optional_settings() -> None:
    environment = {"FIXABLE_ONLY": "true", "GROUP_BY": "^([^/]+)/", "CHAT_TOPIC_ARN": "arn:chat"}
    settings = parse_settings(ReporterSettings, {**REPORTER, **environment})
    assert (settings.fixable_only, settings.chat_topic_arn, settings.partition) == (True, "arn:chat", "aws")
    assert settings.group_by == re.compile("^([^/]+)/")
    assert parse_settings(ReporterSettings, {**REPORTER, "GROUP_BY": ""}).group_by is None


def test_images_scanner_knows_intervals_of_more_than_a_day() -> None:
    settings = parse_settings(ImagesScannerSettings, {**IMAGES_SCANNER, "SCHEDULE_EXPRESSION": "rate(7 days)"})
    assert settings.run_interval == timedelta(days=7)


def test_interval_between_two_runs_is_at_most_a_year() -> None:
    for expression in ("rate(4000 days)", "cron(0 4 29 2 ? *)"):
        environment = {**IMAGES_SCANNER, "SCHEDULE_EXPRESSION": expression}
        assert parse_settings(ImagesScannerSettings, environment).run_interval == timedelta(days=366)


def test_repositories_scanner_knows_the_schedule_and_the_promised_age() -> None:
    settings = parse_settings(RepositoriesScannerSettings, REPOSITORIES_SCANNER)
    assert (settings.schedule, settings.max_age) == (Schedule(timedelta(days=1)), Duration(0, 0, 7))
    values = {"SCHEDULE_EXPRESSION": "cron(0 4 ? * MON *)", "ECR_IMAGES_DURATION_DELTA": "2w"}
    settings = parse_settings(RepositoriesScannerSettings, {**REPOSITORIES_SCANNER, **values})
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
            parse_settings(kind, {**environment, "SCHEDULE_EXPRESSION": value})


def test_reporter_reports_changes_and_reminds_never_by_default() -> None:
    settings = parse_settings(ReporterSettings, REPORTER)
    assert (settings.notify_on, settings.notify_on_fixed, settings.remind_after) == (NotifyOn.CHANGES, False, None)
    assert settings.report_window == timedelta(seconds=60)


def test_reporter_settings_of_memory() -> None:
    values = {"NOTIFY_ON": "every_scan", "NOTIFY_ON_FIXED": "true", "REMIND_AFTER": "30d"}
    settings = parse_settings(ReporterSettings, {**REPORTER, **values, "REPORT_WINDOW_SECONDS": "43200"})
    assert (settings.notify_on, settings.notify_on_fixed) == (NotifyOn.EVERY_SCAN, True)
    assert (settings.remind_after, settings.report_window) == (Duration(0, 0, 30), timedelta(hours=12))


def test_reporter_settings_of_the_export() -> None:
    target = {"bucket": "reports", "owner": "123456789012", "prefix": "ecr/", "kms_key_arn": ""}
    settings = parse_settings(ReporterSettings, {**REPORTER, "EXPORT": json.dumps(target)})
    assert settings.export == ExportTarget("reports", "123456789012", "ecr/")
    assert parse_settings(ReporterSettings, {**REPORTER, "EXPORT": ""}).export is None


def test_reporter_settings_of_quiet_hours() -> None:
    values = {"windows": ["FRI 18:00-MON 08:00"], "time_zone": "Europe/Berlin", "exploited": True}
    quiet = parse_settings(ReporterSettings, {**REPORTER, "QUIET_HOURS": json.dumps(values)}).quiet_hours
    assert quiet
    assert quiet.exploited
    assert quiet.until(datetime(2026, 11, 27, 17, tzinfo=UTC)) == datetime(2026, 11, 30, 7, tzinfo=UTC)
    assert parse_settings(ReporterSettings, {**REPORTER, "QUIET_HOURS": ""}).quiet_hours is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"time_zone": "Europe/Berlim"}, "QUIET_HOURS.time_zone is 'Europe/Berlim'; expected the name of a time zone"),
        ({"windows": ["FRI"]}, "QUIET_HOURS.windows is ['FRI']; expected windows such as \"FRI 18:00-MON 08:00\""),
        ({"windows": ["00:00-00:00"]}, "QUIET_HOURS.windows is ['00:00-00:00']; expected windows such as"),
    ],
)
def test_quiet_hours_that_cannot_be_are_named(values: dict[str, Any], message: str) -> None:
    given = {"windows": ["22:00-06:00"], "time_zone": "UTC", **values}
    with pytest.raises(SettingError, match=re.escape(message)):
        parse_settings(ReporterSettings, {**REPORTER, "QUIET_HOURS": json.dumps(given)})


def test_reporter_settings_of_the_overview() -> None:
    settings = parse_settings(ReporterSettings, REPORTER)
    assert (settings.max_age, settings.run_interval, settings.dlq_urls) == (Duration(0, 0, 7), timedelta(days=1), ())
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/images-dlq"
    values = {"ECR_IMAGES_DURATION_DELTA": "2w", "SCHEDULE_EXPRESSION": "rate(366 days)", "DLQ_URLS": json.dumps([url])}
    settings = parse_settings(ReporterSettings, {**REPORTER, **values})
    assert (settings.max_age, settings.run_interval) == (Duration(0, 2, 0), timedelta(days=366))
    assert settings.dlq_urls == (url,)
    assert settings.overview_schedule is None
    weekly = parse_settings(ReporterSettings, {**REPORTER, "OVERVIEW_SCHEDULE": "rate(7 days)"}).overview_schedule
    assert weekly == Schedule(timedelta(days=7))


KINDS: dict[Any, dict[str, str]] = {
    RepositoriesScannerSettings: REPOSITORIES_SCANNER,
    ImagesScannerSettings: IMAGES_SCANNER,
    ReporterSettings: REPORTER,
    ConsoleWidgetSettings: CONSOLE_WIDGET,
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, valid in KINDS.items() for name in valid])
def test_missing_setting_is_named(kind: Any, name: str) -> None:
    with pytest.raises(SettingError, match=name):
        parse_settings(kind, {key: value for key, value in KINDS[kind].items() if key != name})


DURATION, REGEXP = "months, weeks and days", "a Python regular expression"
SELECTION, THRESHOLDS = "a JSON object with any of", "a JSON object of whole numbers"
FLAG, DAYS, URLS = "true or false", "a JSON object of days from 1 to 3650", "a JSON list of the URLs of queues"
EXPORT, QUIET = 'a JSON object with "bucket" and "owner"', 'a JSON object with "windows"'
# Name of a setting, what is expected of it, and values that are rejected.
INVALID: dict[Any, list[tuple[str, str, list[str]]]] = {
    RepositoriesScannerSettings: [
        ("REPOSITORIES_FILTER_REGEXP", REGEXP, ["(a", "a{99999999999}", "(" * 20_000 + ")" * 20_000]),
    ],
    ImagesScannerSettings: [
        ("ECR_IMAGES_DURATION_DELTA", DURATION, ["", "7", "0d", "1h"]),
        ("IMAGES_SELECTION", SELECTION, ["{", "[]", '{"latest": 3}', '{"newest": 0}', '{"newest": true}']),
        ("IMAGES_SELECTION", SELECTION, ['{"tagged_only": 1}']),
        ("THREADS", "a whole number from 1 to 999", ["0", "", "-1", "many", "1000"]),
    ],
    ReporterSettings: [
        ("ACCOUNT_NAME", "one line of at most 100 characters", ["prod\n", "x" * 101]),
        ("DLQ_URLS", URLS, ["", '{"url": 1}', "5"]),
        ("ECR_IMAGES_DURATION_DELTA", DURATION, ["1y"]),
        (
            "EXPORT",
            EXPORT,
            ["[]", "{", '{"bucket": "b"}', '{"bucket": "", "owner": "1"}', '{"bucket": 1, "owner": "1"}'],
        ),
        ("EXPORT", EXPORT, ['{"bucket": "b", "owner": "1", "kms": "k"}']),
        ("QUIET_HOURS", QUIET, ["[]", '{"windows": [], "time_zone": "UTC"}', '{"windows": ["22:00-06:00"]}']),
        (
            "QUIET_HOURS",
            QUIET,
            ['{"windows": [1], "time_zone": "UTC"}', '{"windows": ["x"], "time_zone": "UTC", "a": 1}'],
        ),
        ("FIX_WITHIN", DAYS, ["7", "[", '{"URGENT": 7}', '{"HIGH": 0}', '{"HIGH": 3651}', '{"HIGH": 1.5}']),
        ("GROUP_BY", REGEXP, ["team", "(a)(b)", "("]),
        ("MEMORY_TABLE_NAME", "the name of the memory table", [""]),
        ("NOTIFY_ON", "changes or every_scan", ["always"]),
        ("NOTIFY_ON_FIXED", FLAG, ["yes"]),
        ("NOTIFY_ON_SCAN_FAILURE", FLAG, ["yes", "True", "1", ""]),
        ("REMIND_AFTER", DURATION, ["30 days"]),
        ("REPORTS_TOPIC_ARN", "the ARN of the topic", ["arn:chat", "reports", "arn:aws:sqs:eu-west-1:123456789012:a"]),
        ("REPORT_WINDOW_SECONDS", "a whole number of seconds from 0 to 43200", ["43201"]),
        ("SCHEDULE_EXPRESSION", 'a rate, such as "rate', ["4 days"]),
        ("SUBJECT_PREFIX", "1 to 30 printable ASCII characters", ["", " [ECR]", "[ECR] ", "é", "x" * 31]),
        ("SEVERITY_THRESHOLDS", THRESHOLDS, ["", "[]", "{", '{"CRITICAL": 0}', '{"CRITICAL": true}']),
        ("SEVERITY_THRESHOLDS", THRESHOLDS, ['{"HIHG": 1}', '{"LOW": 1.5}']),
    ],
}


@pytest.mark.parametrize(
    ("kind", "name", "expected", "value"),
    [
        (kind, name, expected, value)
        for kind, settings in INVALID.items()
        for name, expected, values in settings
        for value in values
    ],
)
def test_invalid_setting_is_named(kind: Any, name: str, expected: str, value: str) -> None:
    named = re.escape(repr(value)) if len(value) < 100 else ".*"
    with pytest.raises(SettingError, match=f"^{name} is {named}; expected {expected}"):
        parse_settings(kind, {**KINDS[kind], name: value})


@pytest.mark.parametrize("name", ["FIX_WITHIN", "DLQ_URLS", "SEVERITY_THRESHOLDS"])
def test_json_that_is_nested_too_deep_is_named(name: str) -> None:
    with pytest.raises(SettingError, match=rf"{name} is '\[.*; expected a JSON"):
        parse_settings(ReporterSettings, {**REPORTER, name: "[" * 100_000})


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ('{"tag_regexp": "("}', f"tag_regexp is '\\('; expected {REGEXP}"),
        ('{"pushed_within": "1y"}', f"pushed_within is '1y'; expected {DURATION}"),
        ('{"pulled_within": 7}', f"pulled_within is 7; expected {DURATION}"),
    ],
)
def test_invalid_part_of_a_selection_is_named(value: str, complaint: str) -> None:
    with pytest.raises(SettingError, match=f"IMAGES_SELECTION.{complaint}"):
        parse_settings(ImagesScannerSettings, {**IMAGES_SCANNER, "IMAGES_SELECTION": value})
