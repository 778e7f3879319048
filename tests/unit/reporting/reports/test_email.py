"""The text of a report: lines that a person reads, and that fit."""

import pytest
from ecr_scan_reporter.reporting.reports import email
from support.report_page import high, page_about
from support.reporter_settings import SETTINGS


def test_ten_findings_of_an_image_are_listed_and_the_others_counted() -> None:
    text = email.render(page_about(*map(high, range(30))), SETTINGS)
    assert [line.split()[2] for line in text.splitlines() if " NEW " in line] == [
        f"CVE-2026-{number:04}" for number in range(10)
    ]
    assert "\n   and 20 more\n" in text


@pytest.mark.parametrize(("length", "linked"), [(120, True), (121, False)])
def test_link_of_a_database_is_shown_unless_it_is_long(length: int, linked: bool) -> None:
    url = "https://example.com/".ljust(length, "x")
    assert (f"   {url}\n" in email.render(page_about(high(1, url)), SETTINGS)) is linked


def test_link_that_is_not_https_is_left_out() -> None:
    assert "example.com" not in email.render(page_about(high(1, "http://example.com/1")), SETTINGS)
