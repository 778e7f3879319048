"""A message about another registry is rejected, with both named."""

import pytest
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.messages.own_registry import check_registry
from ecr_scan_reporter.models.images import RegistryId

OWN = RegistryId("123456789012", "eu-west-1")


def test_own_registry_is_accepted_and_so_is_none() -> None:
    check_registry(OWN, OWN)
    check_registry(None, OWN)


@pytest.mark.parametrize("other", [OWN._replace(account="210987654321"), OWN._replace(region="eu-central-1")])
def test_other_registry_is_rejected(other: RegistryId) -> None:
    with pytest.raises(MessageError, match=f"{other.account}/{other.region}; expected 123456789012/eu-west-1"):
        check_registry(other, OWN)
