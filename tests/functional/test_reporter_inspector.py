"""The reporter with what Amazon Inspector really lists: split versions, shared advisories, suppressions."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from fake_aws import FakeScan
from support.ignored_findings import rule, set_rules
from support.reporter_harness import ReporterHarness, document, enhanced, mail
from support.virtual_time import TIME

DAY = timedelta(days=1)
START = TIME.now().replace(microsecond=0) - 100 * DAY


def listed(
    id_: str,
    severity: str,
    package: str,
    version: str = "1.0",
    fixed: str = "",
    related: Sequence[str] = (),
    **fields: Any,
) -> dict[str, Any]:
    """Return an entry of Inspector; `version` may have the parts `epoch|version|release`, into which it splits one."""
    entry = enhanced(id_, severity, package, fixed)
    installed: dict[str, Any] = {"name": package, "version": version}
    if "|" in version:
        epoch, number, release = version.split("|")
        installed = {"name": package, "epoch": int(epoch), "version": number, "release": release}
    entry["packageVulnerabilityDetails"] |= {
        "vulnerablePackages": [installed | ({"fixedInVersion": fixed} if fixed else {})],
        "relatedVulnerabilities": list(related),
    }
    return {**entry, **fields}


class Application:
    """Scans of one application: each day a scan of an image, by its tag."""

    def __init__(self, inbox: ReporterHarness) -> None:
        self.inbox = inbox

    def scan(
        self, day: float, *entries: dict[str, Any], tag: str = "1.0", counts: dict[str, int] | None = None
    ) -> dict[str, Any] | None:
        """Report a scan, so many days after the start; return the image's entry in the new report."""
        now = START + day * DAY
        # Its status alone tells a scan without findings from one of basic scanning.
        scan = FakeScan("ACTIVE", now, enhanced_findings=list(entries))
        event = {"finding-severity-counts": counts} if counts else {}
        made = self.inbox.image("app", tag, scan=scan, pushed_at=now, at=now, event=event)
        images = self.inbox.images_reported(now, made)
        return images[0] if images else None


def said(image: dict[str, Any] | None) -> dict[str, list[str]]:
    """Return the ids of findings by what is said of them; {} if the image is not reported."""
    changes = image["changes"] if image else {}
    return {change: sorted(entry["id"] for entry in found) for change, found in changes.items() if found}


@pytest.fixture
def app(make_reporter: Callable[..., ReporterHarness]) -> Application:
    return Application(make_reporter(NOTIFY_ON_FIXED="true", FIX_WITHIN='{"HIGH": 30}'))


OPENSSL, UPDATED = "0|1.1.1n|0+deb11u4", "0|1.1.1n|0+deb11u5"
FIXABLE = ("CVE-2023-0286", "HIGH", "openssl")
UNFIXED = ("CVE-2007-6755", "LOW", "openssl")


def test_security_update_of_a_distribution_is_a_fix(app: Application) -> None:
    assert said(app.scan(0, listed(*FIXABLE, OPENSSL, "0:1.1.1n-0+deb11u5"), listed(*UNFIXED, OPENSSL), tag="1.0")) == {
        "new": ["CVE-2007-6755", "CVE-2023-0286"]
    }
    rebuilt = app.scan(1, listed(*UNFIXED, UPDATED), tag="1.1")
    assert said(rebuilt) == {"fixed": ["CVE-2023-0286"], "still_open": ["CVE-2007-6755"]}
    # Nothing is withdrawn later, and nothing is overdue.
    assert app.scan(2, listed(*UNFIXED, UPDATED), tag="1.1") is None
    assert app.scan(31, listed(*UNFIXED, UPDATED), tag="1.2") is None


@pytest.mark.parametrize(
    ("installed", "fixed", "whole", "whole_fixed"),
    [
        (OPENSSL, "0:1.1.1n-0+deb11u5", "1.1.1n-0+deb11u4", ["1.1.1n-0+deb11u5"]),
        ("1|8.2.3995|1ubuntu2", "1:8.2.4919-1ubuntu1", "1:8.2.3995-1ubuntu2", ["1:8.2.4919-1ubuntu1"]),
        ("0|1.2.12|r3", "0:1.2.13-r0", "1.2.12-r3", ["1.2.13-r0"]),
        ("0|1.4.3|12.amzn2.2", "NotAvailable", "1.4.3-12.amzn2.2", []),
        ("2.14.1", "2.17.1", "2.14.1", ["2.17.1"]),
    ],
)
def test_versions_are_whole_everywhere(
    inbox: ReporterHarness, installed: str, fixed: str, whole: str, whole_fixed: list[str]
) -> None:
    scan = FakeScan(enhanced_findings=[listed(*FIXABLE, installed, fixed)])
    assert inbox.report(*(inbox.image(f"app-{n}", "1.0", scan=scan) for n in range(2))) == []
    [report] = inbox.reports()
    [finding] = document(report)["images"][0]["changes"]["new"]
    assert (finding["installed_versions"], finding["fixed_versions"]) == ([whole], whole_fixed)
    [fix] = document(report)["fix_first"]
    assert (fix["installed_versions"], fix["fixed_versions"]) == ([whole], whole_fixed)
    assert mail(report).count(f"openssl {whole}") == 3
    assert all(mail(report).count(version) == 3 for version in whole_fixed)


# The CVE ids of cups-filters, whose advisories overlap.
CUPS = [
    listed("CVE-2024-47076", "HIGH", "cups-filters", related=["GHSA-7xfx-47qg-grp6", "GHSA-w63j-6g73-wmg5"]),
    listed("CVE-2024-47175", "HIGH", "cups-filters", related=["GHSA-7xfx-47qg-grp6", "GHSA-p9rh-jxmq-gq47"]),
    listed("CVE-2024-47176", "HIGH", "cups-filters", related=["GHSA-rj88-6mr5-rcw8", "GHSA-p9rh-jxmq-gq47"]),
    listed("CVE-2024-47177", "CRITICAL", "cups-filters", related=["GHSA-p9rh-jxmq-gq47", "GHSA-w63j-6g73-wmg5"]),
]


def test_cves_that_share_advisories_are_ignored_one_by_one(app: Application) -> None:
    set_rules([rule(id="CVE-2024-47176", expires="2099-01-01")])
    image = app.scan(0, *CUPS)
    assert said(image) == {"new": ["CVE-2024-47076", "CVE-2024-47175", "CVE-2024-47177"]}
    assert image
    assert [entry["id"] for entry in image["ignored"]] == ["CVE-2024-47176"]
    assert app.scan(1, *CUPS[::-1]) is None
    # A finding that a rule ignores goes unnoticed.
    assert said(app.scan(2, tag="1.1")) == {"fixed": ["CVE-2024-47076", "CVE-2024-47175", "CVE-2024-47177"]}


def test_advisory_is_its_cve_until_it_has_two(app: Application) -> None:
    one = listed("GHSA-jfh8-c2jp-5v3q", "HIGH", "log4j-core", related=["CVE-2021-44228"])
    two = listed("GHSA-jfh8-c2jp-5v3q", "HIGH", "log4j-core", related=["CVE-2021-44228", "CVE-2021-45046"])
    assert said(app.scan(0, one)) == {"new": ["CVE-2021-44228"]}
    assert app.scan(1, listed("CVE-2021-44228", "HIGH", "log4j-core"), tag="1.1") is None
    assert said(app.scan(2, two, tag="1.2")) == {"new": ["GHSA-jfh8-c2jp-5v3q"], "still_open": ["CVE-2021-44228"]}
    assert app.scan(3, two, tag="1.3") is None
    assert app.scan(4, two, tag="1.3") is None


def test_advisory_of_a_distribution_joins_nothing(app: Application) -> None:
    erratum = listed("ELSA-2024-7346", "HIGH", "cups-filters", related=["CVE-2024-47076", "CVE-2024-47177"])
    assert len(said(app.scan(0, erratum, *CUPS))["new"]) == 5
    assert app.scan(1, *CUPS, erratum) is None


OPEN = listed("CVE-2026-0001", "HIGH", "openssl")
IGNORED = listed("CVE-2026-0001", "HIGH", "openssl", status="SUPPRESSED")
OTHER = listed("CVE-2026-0002", "HIGH", "zlib")


def test_suppressed_finding_is_ignored_until_its_suppression_ends(app: Application) -> None:
    assert said(app.scan(0, OPEN)) == {"new": ["CVE-2026-0001"]}
    assert app.scan(1, IGNORED, counts={"HIGH": 1}) is None
    assert app.scan(2, IGNORED) is None
    # It counts for nothing, in a successor as well, and is never overdue.
    image = app.scan(3, IGNORED, OTHER, tag="1.1")
    assert said(image) == {"new": ["CVE-2026-0002"]}
    assert image
    [ignored] = image["ignored"]
    assert (ignored["id"], ignored["ignored_by"]) == (
        "CVE-2026-0001",
        {"rule": "suppressed in Inspector", "reason": "", "owner": "", "expires": None, "until_fixed": False},
    )
    assert (image["counts"], image["ignored_total"]) == ({"HIGH": 1}, 1)
    assert "\n1 finding is suppressed in Inspector.\n" in mail(app.inbox.reports()[-1])
    image = app.scan(31, IGNORED, OTHER, tag="1.1")
    assert image is None
    image = app.scan(32, OPEN, OTHER, tag="1.2")
    assert said(image) == {"no_longer_ignored": ["CVE-2026-0001"], "still_open": ["CVE-2026-0002"]}
    assert image
    [finding] = image["changes"]["no_longer_ignored"]
    assert finding["was_ignored"] == "was suppressed in Inspector"
    assert finding["first_seen"] == f"{START:%Y-%m-%dT%H:%M:%SZ}"
    assert [entry["id"] for entry in image["overdue"]] == ["CVE-2026-0001"]
    assert app.scan(32.01, OPEN, OTHER, tag="1.2") is None


def test_scan_with_suppressed_findings_only_was_read(app: Application) -> None:
    # `scan` checks that no message is to be delivered again.
    assert app.scan(0, IGNORED, counts={"HIGH": 1}) is None
    assert said(app.scan(1, IGNORED, OTHER, counts={"HIGH": 2})) == {"new": ["CVE-2026-0002"]}
    assert said(app.scan(2, OPEN, OTHER)) == {
        "no_longer_ignored": ["CVE-2026-0001"],
        "still_open": ["CVE-2026-0002"],
    }


def test_closed_finding_is_absent(app: Application) -> None:
    closed = listed("CVE-2026-0001", "HIGH", "openssl", status="CLOSED")
    assert said(app.scan(0, OPEN, OTHER)) == {"new": ["CVE-2026-0001", "CVE-2026-0002"]}
    assert said(app.scan(1, closed, tag="1.1", counts={"HIGH": 1})) == {"fixed": ["CVE-2026-0001", "CVE-2026-0002"]}


def test_finding_is_open_where_it_is_not_suppressed(app: Application) -> None:
    elsewhere = listed("CVE-2026-0001", "LOW", "openssl", "2.0")
    image = app.scan(0, IGNORED, elsewhere, OTHER)
    assert said(image) == {"new": ["CVE-2026-0001", "CVE-2026-0002"]}
    assert image
    assert (image["counts"], image["ignored_total"]) == ({"HIGH": 1, "LOW": 1}, 0)
    assert image["changes"]["new"][1]["installed_versions"] == ["2.0"]


def test_suppression_and_a_rule_ignore_a_finding_until_both_have_ended(app: Application) -> None:
    own = rule(id="CVE-2026-0001", expires="2099-01-01")
    set_rules([own])
    assert app.scan(0, IGNORED) is None
    assert app.scan(1, OPEN) is None
    assert app.scan(2, IGNORED) is None
    set_rules([])
    assert app.scan(3, IGNORED) is None
    image = app.scan(4, OPEN)
    assert image
    [finding] = image["changes"]["no_longer_ignored"]
    assert finding["was_ignored"] == "was suppressed in Inspector"


def test_counts_of_an_event_are_held_against_what_ecr_lists(app: Application) -> None:
    twice = [OPEN, OPEN, listed("CVE-2026-0003", "HIGH", "tar", status="SUPPRESSED")]
    assert said(app.scan(0, *twice, counts={"HIGH": 3})) == {"new": ["CVE-2026-0001"]}
    for day, number in ((1, 3), (2, 4)):
        now = START + day * DAY
        event = {"finding-severity-counts": {"HIGH": number}}
        unread = app.inbox.image("app", "1.0", scan=FakeScan("IN_PROGRESS"), pushed_at=START, at=now, event=event)
        assert app.inbox.report(unread, receives=3, now=now) == []
    # Only the last one says something else than what is known.
    reasons = [image["reason"] for report in app.inbox.reports() for image in document(report)["images"]]
    assert reasons == ["news", "findings_not_read"]
