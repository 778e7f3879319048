"""Quiet hours: reports wait for their end and come as one, nothing is lost, and nothing that waits is late."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from ecr_scan_reporter.memory.outbox import Outbox
from fake_aws import FakeScan, Fault, Publication
from support.configuration import memory_table
from support.fixtures import embedded_metrics
from support.instance import Instance
from support.reporter_harness import ReporterHarness, document, enhanced, found
from support.virtual_time import TIME

HOUR = timedelta(hours=1)
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


class Quiet:
    """An instance with quiet hours of two hours, which begin in an hour; its first inventory is over."""

    def __init__(self, make_reporter: Callable[..., ReporterHarness], **quiet: object) -> None:
        self.begins = TIME.now().replace(minute=0, second=0) + 3 * HOUR
        first, last = (f"{DAYS[at.weekday()]} {at:%H:%M}" for at in (self.begins, self.begins + 2 * HOUR))
        windows = {"windows": [f"{first}-{last}"], "time_zone": "UTC", **quiet}
        settings = {"REPORT_WINDOW_SECONDS": "60", "QUIET_HOURS": json.dumps(windows)}
        self.instance = Instance(make_reporter(**settings))
        self.instance.scan("app", 0, "HIGH")
        self.instance.scan("other", 0, "HIGH")
        self.until(-1)
        assert len(self.reports()) == 1

    def until(self, hours: float) -> None:
        """Let time pass until so long after quiet hours have begun."""
        self.instance.let_pass((self.begins - TIME.now()) / HOUR + hours)

    def reports(self) -> list[Publication]:
        return self.instance.inbox.reports()


@pytest.fixture
def make_quiet(make_reporter: Callable[..., ReporterHarness]) -> Callable[..., Quiet]:
    return partial(Quiet, make_reporter)


def test_reports_of_quiet_hours_are_one_at_their_end(
    make_quiet: Callable[..., Quiet], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    quiet = make_quiet()
    made = quiet.instance
    quiet.until(0.1)
    caplog.clear()
    made.scan("app", 1, "HIGH", "CRITICAL")
    made.run()
    quiet.until(0.8)
    made.scan("other", 1, "HIGH", "CRITICAL")
    quiet.until(1.2)
    made.scan("app", 2, "HIGH", "CRITICAL", "HIGH")

    quiet.until(1.99)
    assert len(quiet.reports()) == 1
    # Nothing of it counts as late.
    assert {record.OldestUnpublished for record in caplog.records if hasattr(record, "OldestUnpublished")} == {0}

    quiet.until(2.1)
    [report] = quiet.reports()[1:]
    assert made.told(1) == {"app": {"CVE-2026-0002", "CVE-2026-0003"}, "other": {"CVE-2026-0002"}}
    assert {image["repository"] for image in document(report)["images"]} == {"app", "other"}
    assert not [item for item in made.items() if item["pk"]["S"].startswith("OUTBOX")]
    assert made.failed == []
    # And the next one comes as always.
    made.scan("app", 3, "HIGH", "CRITICAL", "HIGH", "HIGH")
    quiet.until(2.2)
    assert len(quiet.reports()) == 3


def test_what_cannot_be_published_then_is_late_from_their_end_on(
    make_quiet: Callable[..., Quiet], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    quiet = make_quiet()
    quiet.until(0.1)
    quiet.instance.scan("app", 1, "HIGH", "CRITICAL")
    quiet.instance.aws.behavior.faults.append(Fault("Publish", "AuthorizationError"))

    quiet.until(2.2)
    assert 0 < embedded_metrics(caplog, "batch processed")["OldestUnpublished"] <= 0.2 * 3600


def test_news_before_quiet_hours_come_before_them(make_quiet: Callable[..., Quiet]) -> None:
    quiet = make_quiet()
    quiet.until(-0.1)
    quiet.instance.scan("app", 1, "HIGH", "CRITICAL")
    quiet.until(-0.05)
    assert len(quiet.reports()) == 2


def test_first_inventory_waits_as_well(make_reporter: Callable[..., ReporterHarness]) -> None:
    end = TIME.now().replace(minute=0, second=0) + 2 * HOUR
    window = f"{DAYS[(end - 3 * HOUR).weekday()]} {end - 3 * HOUR:%H:%M}-{DAYS[end.weekday()]} {end:%H:%M}"
    windows = json.dumps({"windows": [window], "time_zone": "UTC"})
    made = Instance(make_reporter(REPORT_WINDOW_SECONDS="60", QUIET_HOURS=windows))
    event = made.inbox.image("app", "1.0", scan=found("HIGH"), pushed_at=TIME.now() - 30 * 24 * HOUR, at=TIME.now())
    made.deliver("reports", event)

    made.let_pass((end - TIME.now()) / HOUR - 0.02)
    assert made.inbox.reports() == []
    made.let_pass(0.1)
    [report] = made.inbox.reports()
    assert document(report)["inventory"]["images"] == 1


@pytest.mark.parametrize("exploited", [False, True])
def test_what_is_newly_exploited_comes_at_once_if_asked(make_quiet: Callable[..., Quiet], exploited: bool) -> None:
    quiet = make_quiet(exploited=exploited)
    made, known, other = (
        quiet.instance,
        enhanced("CVE-2026-0009", "HIGH", "zlib"),
        enhanced("CVE-2026-0010", "HIGH", "curl"),
    )

    def scan(*findings: dict[str, object]) -> None:
        result = FakeScan(enhanced_findings=list(findings), completed_at=TIME.now())
        made.deliver("reports", made.inbox.image("app", "9", name="app 9", scan=result, at=TIME.now()))

    scan(known)
    quiet.until(0.1)
    before = len(quiet.reports())
    scan(known, other)
    quiet.until(0.5)
    assert len(quiet.reports()) == before
    scan({**known, "exploitAvailable": "YES"}, other)
    quiet.until(0.6)

    reports = quiet.reports()[before:]
    assert len(reports) == exploited
    if exploited:
        [image] = document(reports[0])["images"]
        assert [entry["id"] for entry in image["changes"]["exploit_known"]] == ["CVE-2026-0009"]
    quiet.until(2.1)
    assert made.told(before)["app"] == {"CVE-2026-0010"}
    assert not Outbox(memory_table(made.aws)).windows(TIME.now()).windows
