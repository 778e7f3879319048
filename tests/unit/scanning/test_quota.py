"""Recognizes the daily quota of scans of a registry by several rejections in a row."""

from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.scanning.quota import QuotaDetector
from support.invocations import REGISTRY


def test_third_rejection_in_a_row_is_the_quota() -> None:
    quota = QuotaDetector()
    assert [quota.rejected(REGISTRY) for _ in range(4)] == [False, False, True, True]
    quota.accepted(REGISTRY)
    assert [quota.rejected(REGISTRY) for _ in range(3)] == [False, False, True]


def test_each_registry_has_its_own_quota() -> None:
    quota, other = QuotaDetector(), RegistryId(REGISTRY.account, "us-east-1")
    assert [quota.rejected(REGISTRY) for _ in range(3)] == [False, False, True]
    assert not quota.rejected(other)
    quota.accepted(other)
    assert quota.rejected(REGISTRY)
