"""Every message of an overview has a size that SNS accepts, whatever names, versions, rules and addresses are in it."""

import random
import string
from collections import Counter

import hypothesis
from ecr_scan_reporter.aws.sns import MAX_MESSAGE
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.memory.images import Update
from ecr_scan_reporter.memory.summaries import OverdueInImage, RepositorySummary
from ecr_scan_reporter.reporting.overviews.overview import Notices, build_overviews
from ecr_scan_reporter.reporting.overviews.publishing import build_message, build_pages
from hypothesis import given
from hypothesis import strategies as st
from support.random_tests import examples
from support.reporter_settings import SETTINGS
from support.sample_summaries import NOW

ALPHABETS = ("a", string.printable, "é日\U0001f600", '\x00\x1b"\\', "<&`|*_")


@hypothesis.settings(max_examples=examples(100))
@given(st.sampled_from(ALPHABETS), st.sampled_from([1, 40]), st.sampled_from([0, 1000]), st.sampled_from([0, 20, 100]))
def test_overview_of_any_size(alphabet: str, repositories: int, rules: int, addresses: int) -> None:
    source = random.Random(1)

    def text(size: int) -> str:
        """Return a text of so many bytes of UTF-8, or a few less."""
        found = "".join(source.choices(alphabet, k=size))
        return found.encode()[:size].decode(errors="ignore")

    versions = tuple(text(128) for _ in range(20))
    summaries = [
        RepositorySummary(
            f"{number}{text(250)}",
            NOW,
            Coverage(dict.fromkeys(CoverageReason, 5), {reason: 3 * (text(128),) for reason in CoverageReason}),
            {text(128): 1, "CRITICAL": 1},
            updates=tuple(Update(text(256), versions, versions, Counter({"CRITICAL": 10 - n})) for n in range(10)),
            overdue=3,
            overdue_worst=tuple(OverdueInImage(text(128), text(128), text(256), "CRITICAL", NOW) for _ in range(3)),
        )
        for number in range(repositories)
    ]
    notices = Notices(
        [text(1000) for _ in range(rules)],
        {text(80): 10**6 for _ in range(3)},
        [text(2048) for _ in range(addresses)],
        [f"Could not read {text(256)}." for _ in range(20)],
    )
    settings = SETTINGS._replace(chat_topic_arn="arn:aws:sns:eu-west-1:123456789012:chat")
    [overview], _ = build_overviews(summaries, {}, NOW, settings, NOW)
    messages = list(map(build_message, build_pages(overview._replace(notices=notices))))
    assert len(messages) <= 5
    for message in messages:
        assert max(publication.size for publication in message.publications) <= MAX_MESSAGE
