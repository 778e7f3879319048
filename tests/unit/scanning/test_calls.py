"""Recognizes the daily quota of scans by several rejections in a row."""

from ecr_scan_reporter.scanning.calls import QuotaDetector


def test_third_rejection_in_a_row_is_the_quota() -> None:
    quota = QuotaDetector()
    assert [quota.rejected() for _ in range(4)] == [False, False, True, True]
    quota.accepted()
    assert [quota.rejected() for _ in range(3)] == [False, False, True]
