"""The reporter with events whose envelope and ARN name different registries."""

from typing import Any

import pytest
from support.invocations import ECR, inspector_event
from support.reporter_harness import ReporterHarness, document, found

OWN, OTHER = ECR, "arn:aws:ecr:us-east-2:210987654321"
ENVELOPE = {"account": "210987654321", "region": "us-east-2"}


def named(event: dict[str, Any], form: str, registry: str) -> dict[str, Any]:
    """Return the event of an image as ECR or Inspector names it by the ARN of its repository."""
    if form == "Inspector":
        return inspector_event(event, registry)
    return {**event, "resources": [f"{registry}:repository/{event['detail']['repository-name']}"]}


@pytest.mark.parametrize("form", ["ECR", "Inspector"])
def test_image_of_another_registry_is_named_as_what_it_is(inbox: ReporterHarness, form: str) -> None:
    own = inbox.image("app", "1.0", scan=found("HIGH"))
    # The envelope of an event of another account may have the own account.
    assert inbox.report(named(own, form, OTHER)) == []
    [report] = map(document, inbox.reports())
    assert (report["account"], report["region"]) == ("210987654321", "us-east-2")
    [image] = report["images"]
    assert image["findings_error"] == "the image is in account 210987654321, us-east-2"
    assert image["repository_arn"] == f"{OTHER}:repository/app"
    assert "DescribeImageScanFindings" not in inbox.aws.calls()
    # The own repository of that name knows nothing of it.
    assert inbox.report(named(own, form, OWN)) == []
    [image] = document(inbox.reports()[-1])["images"]
    assert (image["first_scan"], image["findings_error"]) == (True, None)
    assert image["repository_arn"] == f"{OWN}:repository/app"


@pytest.mark.parametrize("form", ["ECR", "Inspector"])
def test_own_image_is_read_whoever_forwards_its_event(inbox: ReporterHarness, form: str) -> None:
    event = inbox.image("app", "1.0", scan=found("HIGH"))
    assert inbox.report(named(event, form, OWN) | ENVELOPE) == []
    [report] = map(document, inbox.reports())
    assert (report["account"], report["region"]) == ("123456789012", "eu-west-1")
    [image] = report["images"]
    assert (image["findings_error"], image["totals"]["new"]) == (None, 1)


@pytest.mark.parametrize("name", ["210987654321/us-east-2/app", "210987654321:us-east-2:app"])
def test_no_name_of_a_repository_makes_it_that_of_another_registry(inbox: ReporterHarness, name: str) -> None:
    foreign = inbox.image("app", "1.0", name="image", scan=found("HIGH"), event={"finding-severity-counts": {"LOW": 7}})
    assert inbox.report(foreign | ENVELOPE) == []
    own = inbox.image("x", "1.0", name="image", scan=found("HIGH"), event={"repository-name": name})
    assert inbox.report(own, receives=3) == []
    [image] = document(inbox.reports()[-1])["images"]
    assert (image["repository"], image["counts"]) == (name, {"HIGH": 1})


def test_bad_arn_is_an_invalid_message(inbox: ReporterHarness, caplog: pytest.LogCaptureFixture) -> None:
    event = inbox.image("app", "1.0", scan=found("HIGH"))
    assert inbox.report({**event, "resources": ["arn:aws:ecr:N/A:123456789012:repository/app"]}, event) == ["0"]
    assert "resources is 'arn:aws:ecr:N/A:123456789012:repository/app'" in str(
        [getattr(record, "reason", "") for record in caplog.records]
    )
    assert len(inbox.reports()) == 1
