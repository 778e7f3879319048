"""All handlers, when an image that had replaced another one is rolled back, and deleted from ECR."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from fake_aws import FakeAws, FakeScan, digest_of, finding
from support.installed import Installed
from support.reporter_harness import document

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REPOSITORY = "team-a/app"
ID = "CVE-2026-0001"


@pytest.fixture
def installed(aws: FakeAws, configure: Callable[..., None]) -> Installed:
    """A repository whose 1.0 has a finding with a deadline of three days, and whose 1.1 has replaced it without one."""
    configure(SCHEDULE_EXPRESSION="rate(1 day)", FIX_WITHIN='{"HIGH": 3}', ECR_IMAGES_DURATION_DELTA="30d")
    aws.registry.add(REPOSITORY)
    installed = Installed(aws, DAY, passes=True)
    push(installed, "1.0", ID)
    installed.run_for(HOUR)
    push(installed, "1.1")
    installed.run_for(5 * DAY)
    assert overdue(aws) == []
    return installed


def push(installed: Installed, tag: str, *ids: str) -> None:
    found = [finding(id_, "HIGH") for id_ in ids]
    repository = installed.aws.registry.repository(REPOSITORY)
    repository.scan_results[installed.push(REPOSITORY, tag).digest] = FakeScan(findings=found)


def delete(aws: FakeAws, tag: str) -> None:
    aws.registry.repository(REPOSITORY).remove(digest_of(f"{REPOSITORY}:{tag}"))


def overdue(aws: FakeAws) -> list[tuple[str, str]]:
    """Return the tag and the finding of what was reported as overdue."""
    images = (image for report in aws.publications() for image in document(report)["images"])
    return [(image["tags"][0], entry["id"]) for image in images for entry in image["overdue"]]


def judged_again(aws: FakeAws) -> int:
    return sum('"due"' in message.body for message in aws.messages())


def test_deadline_that_passed_meanwhile_is_given_back_once(aws: FakeAws, installed: Installed) -> None:
    delete(aws, "1.1")
    installed.run_for(DAY + HOUR)
    assert overdue(aws) == [("1.0", ID)]
    assert installed.overview()["overdue"]["findings"] == 1
    installed.run_for(3 * DAY)
    assert overdue(aws) == [("1.0", ID)]
    # By the daily pass, when the deadline passed, and by the run that found it given back.
    assert judged_again(aws) == 2


def test_what_replaced_the_deleted_image_has_the_deadlines(aws: FakeAws, installed: Installed) -> None:
    push(installed, "1.2")
    installed.run_for(DAY)
    delete(aws, "1.1")
    installed.run_for(3 * DAY)
    assert overdue(aws) == []
    assert judged_again(aws) == 2
    delete(aws, "1.2")
    installed.run_for(DAY + HOUR)
    assert overdue(aws) == [("1.0", ID)]


def test_image_that_is_deleted_with_its_successor_has_no_deadlines(aws: FakeAws, installed: Installed) -> None:
    delete(aws, "1.0")
    delete(aws, "1.1")
    installed.run_for(2 * DAY)
    assert overdue(aws) == []
