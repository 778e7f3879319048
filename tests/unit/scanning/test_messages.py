"""The message on the images queue."""

import pytest
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.messages import RepositoryMessage


def test_a_message_says_its_version_and_its_repository() -> None:
    assert RepositoryMessage("team-a/app").to_json() == '{"version":1,"repository":"team-a/app"}'


def test_what_is_sent_is_read() -> None:
    message = RepositoryMessage("team-a/app")
    assert RepositoryMessage.from_json(message.to_json()) == message


def test_a_continuation_says_where_to_go_on() -> None:
    message = RepositoryMessage("team-a/app", after="sha256:1")
    assert message.to_json() == '{"version":1,"repository":"team-a/app","after":"sha256:1"}'
    assert RepositoryMessage.from_json(message.to_json()) == message


def test_a_continuation_after_no_digest_is_refused() -> None:
    with pytest.raises(MessageError, match='goes on after 7; accepted: a digest under "after"'):
        RepositoryMessage.from_json('{"version":1,"repository":"a","after":7}')


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("team-a/app", "not JSON"),
        ("", "not JSON"),
        ("[]", "unknown version"),
        ("null", "unknown version"),
        ('{"repository":"a"}', "unknown version"),
        ('{"version":99,"repository":"a"}', "unknown version"),
        ('{"version":1}', "names no repository"),
        ('{"version":1,"repository":""}', "names no repository"),
        ('{"version":1,"repository":7}', "names no repository"),
    ],
)
def test_anything_else_is_refused_with_what_is_accepted(body: str, complaint: str) -> None:
    with pytest.raises(MessageError, match=f'{complaint}.*accepted: {{"version": 1, "repository"'):
        RepositoryMessage.from_json(body)
