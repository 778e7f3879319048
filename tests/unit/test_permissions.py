"""The policy of whoever applies the module has the actions of every resource."""

import json
import re

import permissions
import pytest


def test_policy_and_page_are_current() -> None:
    written = permissions.POLICY.read_text()
    assert written == json.dumps(permissions.policy(), indent=2) + "\n", "run `make reference`"
    page = permissions.PAGE.read_text()
    assert page == permissions.page(page), "run `make reference`"


def test_policy_fits_into_a_managed_policy() -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: without white space.
    text = json.dumps(permissions.policy(), separators=(",", ":"))
    # As long as the longest names of Regions and of instances whose names are not cut.
    longest = {"PARTITION": "aws-us-gov", "REGION": "ap-southeast-1", "ACCOUNT": "123456789012", "NAME": "x" * 43}
    for part, value in longest.items():
        text = re.sub(rf"\b{part}\b", value, text)
    assert len(text) <= 6144


def test_every_place_is_used() -> None:
    assert {place for _, place, _ in permissions.grants()} == permissions.PLACES.keys()


def test_resource_type_without_an_entry_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permissions, "resource_types", lambda: {*permissions.GRANTS, "aws_s3_bucket"})
    with pytest.raises(SystemExit, match=r"GRANTS .* lacks \['aws_s3_bucket'\]"):
        permissions.allowed()
