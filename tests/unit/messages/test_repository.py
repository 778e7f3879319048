"""Encodes and parses the messages on the images queue."""

import pytest
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.messages.repository import RepositoryMessage


@pytest.mark.parametrize(
    ("message", "body"),
    [
        (RepositoryMessage("team-a/app"), '{"version":1,"repository":"team-a/app"}'),
        (RepositoryMessage("a/b", "sha256:1"), '{"version":1,"repository":"a/b","after":"sha256:1"}'),
        (RepositoryMessage("a/b", "d", 2), '{"version":1,"repository":"a/b","after":"d","stalled":2}'),
        (RepositoryMessage("a/b", enhanced=True), '{"version":1,"repository":"a/b","enhanced":true}'),
        (RepositoryMessage("a/b", unscheduled=True), '{"version":1,"repository":"a/b","unscheduled":true}'),
        (RepositoryMessage("a/b", waiting_since=7), '{"version":1,"repository":"a/b","waiting_since":7}'),
        (RepositoryMessage("a/b", oldest=0), '{"version":1,"repository":"a/b","oldest":0}'),
        (
            RepositoryMessage("a/b", "d", oldest=7, coverage=Coverage().add(CoverageReason.FAILED, "1.0")),
            '{"version":1,"repository":"a/b","after":"d","oldest":7,'
            '"coverage":{"counts":{"failed":1},"names":{"failed":["1.0"]}}}',
        ),
    ],
)
def test_body_has_the_version_and_the_fields_that_are_set(message: RepositoryMessage, body: str) -> None:
    assert message.to_json() == body
    assert RepositoryMessage.from_json(body) == message


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
        ('{"version":1}', "repository is None"),
        ('{"version":1,"repository":""}', "repository is ''"),
        ('{"version":1,"repository":7}', "repository is 7"),
    ],
)
def test_invalid_body_is_rejected_with_what_is_expected(body: str, complaint: str) -> None:
    with pytest.raises(MessageError, match=f'{complaint}.*expected {{"version": 1, "repository"'):
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
        ('"unscheduled":"yes"', "unscheduled is 'yes'; expected true or no value"),
        ('"waiting_since":-1', "waiting_since is -1; expected a whole number from 0"),
        ('"coverage":7', "coverage is 7; expected an object"),
    ],
)
def test_invalid_continuation_is_rejected(fields: str, complaint: str) -> None:
    with pytest.raises(MessageError, match=complaint):
        RepositoryMessage.from_json(f'{{"version":1,"repository":"a",{fields}}}')
