"""Encodes and parses the messages on the images queue."""

import pytest
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.messages.repository import RepositoryMessage
from support.invocations import REGISTRY

# The body of every message begins with it.
HEAD = '{"version":1,"account":"123456789012","region":"eu-west-1",'


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (RepositoryMessage(REGISTRY, "team-a/app"), '"repository":"team-a/app"}'),
        (RepositoryMessage(REGISTRY, "a/b", "sha256:1"), '"repository":"a/b","after":"sha256:1"}'),
        (RepositoryMessage(REGISTRY, "a/b", "d", 2), '"repository":"a/b","after":"d","stalled":2}'),
        (RepositoryMessage(REGISTRY, "a/b", enhanced=True), '"repository":"a/b","enhanced":true}'),
        (RepositoryMessage(REGISTRY, "a/b", unscheduled=True), '"repository":"a/b","unscheduled":true}'),
        (RepositoryMessage(REGISTRY, "a/b", previous_run="r"), '"repository":"a/b","previous_run":"r"}'),
        (RepositoryMessage(REGISTRY, "a/b", waiting_since=7), '"repository":"a/b","waiting_since":7}'),
        (RepositoryMessage(REGISTRY, "a/b", oldest=0), '"repository":"a/b","oldest":0}'),
        (
            RepositoryMessage(REGISTRY, "a/b", "d", oldest=7, coverage=Coverage().add(CoverageReason.FAILED, "1.0")),
            '"repository":"a/b","after":"d","oldest":7,"coverage":{"counts":{"failed":1},"names":{"failed":["1.0"]}}}',
        ),
    ],
)
def test_body_has_the_version_the_registry_and_the_fields_that_are_set(message: RepositoryMessage, fields: str) -> None:
    assert message.to_json() == HEAD + fields
    assert RepositoryMessage.from_json(HEAD + fields) == message


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("team-a/app", "not JSON"),
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "unknown version"),
        ("null", "unknown version"),
        ('{"repository":"a"}', "unknown version"),
        ('{"version":99,"repository":"a"}', "unknown version"),
        ('{"version":1,"region":"eu-west-1","repository":"a"}', "account is None"),
        ('{"version":1,"account":"123456789012","region":7,"repository":"a"}', "region is 7"),
        (f"{HEAD[:-1]}}}", "repository is None"),
        (f'{HEAD}"repository":""}}', "repository is ''"),
        (f'{HEAD}"repository":7}}', "repository is 7"),
    ],
)
def test_invalid_body_is_rejected_with_what_is_expected(body: str, complaint: str) -> None:
    with pytest.raises(MessageError, match=f'{complaint}.*expected {{"version": 1, "account".*, "repository"'):
        RepositoryMessage.from_json(body)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ('"after":7', "after is 7; expected a digest or no value"),
        ('"stalled":-1', "stalled is -1; expected a whole number from 0"),
        ('"stalled":true', "stalled is True; expected a whole number from 0"),
        ('"oldest":null', "oldest is None; expected a whole number from 0"),
        ('"oldest":-1', "oldest is -1; expected a whole number from 0"),
        ('"enhanced":1', "enhanced is 1; expected true or no value"),
        ('"previous_run":7', "previous_run is 7; expected the id of a run or no value"),
        ('"unscheduled":"yes"', "unscheduled is 'yes'; expected true or no value"),
        ('"waiting_since":-1', "waiting_since is -1; expected a whole number from 0"),
        ('"coverage":7', "coverage is 7; expected an object"),
    ],
)
def test_invalid_continuation_is_rejected(fields: str, complaint: str) -> None:
    with pytest.raises(MessageError, match=complaint):
        RepositoryMessage.from_json(f'{HEAD}"repository":"a",{fields}}}')
