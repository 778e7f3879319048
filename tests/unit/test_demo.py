"""The demo makes sentences of the log lines of the functions."""

from typing import Any

import pytest
from demo import DUE, LEFT_ALONE, REFUSED, Story, repository_sentence
from ecr_scan_reporter.models.scans import StartOutcome
from ecr_scan_reporter.scanning.decisions import Decision


def processed(**outcomes: int) -> dict[str, Any]:
    return {"message": "repository processed", "repository": "team-a/app", "outcomes": outcomes, "failures": {}}


def batch(**counts: int) -> dict[str, Any]:
    return {"message": "batch processed", "level": "INFO", **counts}


def test_repository_says_what_was_started_and_why_the_rest_was_not() -> None:
    line = processed(never_scanned=1, scan_too_old=2, scanned_recently=1, started=3)
    assert Story().sentence("images-scanner", line) == (
        "team-a/app: 4 images. Started 3 scans: 1 never scanned, 2 last scanned more than 7 days ago. "
        "Left 1 alone: scanned recently."
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (processed(), "team-a/app: 0 images."),
        (
            processed(scanned_recently=2, index=1),
            "team-a/app: 3 images. Left 3 alone: 2 scanned recently, 1 an index, scanned image by image.",
        ),
        (
            processed(never_scanned=2, started=1, image_not_found=1),
            "team-a/app: 2 images. Started 1 of 2 scans: 2 never scanned. ECR refused 1: deleted meanwhile.",
        ),
        (processed(repository_not_found=1), "team-a/app: 0 images. It was deleted meanwhile."),
        (processed(of_the_future=2), "team-a/app: 2 images. Left 2 alone: of the future."),
        (
            processed(never_scanned=1) | {"failures": {"ServerException": {"count": 1}}, "interrupted": "no time left"},
            "team-a/app: 1 image. Started 0 of 1 scan: 1 never scanned. 1 failed: ServerException. "
            "Another invocation goes on: no time left.",
        ),
    ],
)
def test_repository_says_what_went_wrong(line: dict[str, Any], expected: str) -> None:
    assert repository_sentence(line) == expected


def test_every_decision_and_outcome_has_words() -> None:
    assert {*DUE} == {decision for decision in Decision if decision.due}
    assert {*LEFT_ALONE} == {decision for decision in Decision if not decision.due}
    assert {*StartOutcome} <= {*LEFT_ALONE, *REFUSED, "started"}


def test_same_sentence_is_told_once_per_act() -> None:
    story, line = Story(), {"message": "repositories queued", "found": 5, "sent": 4}
    assert story.sentence("repositories-scanner", line) == (
        "The repositories scanner found 5 repositories and queued 4 of them."
    )
    assert story.sentence("repositories-scanner", line) is None
    assert Story().sentence("repositories-scanner", line) is not None


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([], None),
        ([batch(events=0, changed=0, pages=0)], None),
        (
            [batch(events=3, changed=0, pages=0), batch(events=1, changed=0, pages=0)],
            "The reporter read 4 scan events: nothing has changed. It published nothing.",
        ),
        (
            [batch(events=1, changed=1, pages=0), batch(events=1, changed=1, pages=1)],
            "The reporter read 2 scan events: 2 images have news. It published 1 message.",
        ),
        (
            [batch(events=1, changed=1, pages=0, invalid=1, retried=2)],
            "The reporter read 1 scan event: 1 image has news. It published nothing. "
            "2 messages could not be processed yet, and will be read again. 1 message cannot be processed.",
        ),
        ([batch(events=0, changed=0, pages=2)], "The reporter published 2 messages."),
    ],
)
def test_batches_of_the_reporter_are_summed_up(batches: list[dict[str, Any]], expected: str | None) -> None:
    story = Story()
    assert [story.sentence("reporter", line) for line in batches] == [None] * len(batches)
    assert story.end() == expected
    assert story.end() is None


def test_warning_that_the_demo_does_not_know_is_told() -> None:
    line = {"message": "memory is not available", "level": "WARNING", "reason": "throttled"}
    assert Story().sentence("images-scanner", line) == "The images scanner warns: memory is not available (throttled)."


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"message": None},
        {"message": ["a", "list"], "level": 40},
        {"message": {}, "level": "ERROR"},
        {"type": "platform.start", "record": {}},
        {"message": "heartbeat", "level": "INFO"},
        {"message": "repositories queued", "found": "many", "sent": None},
        {"message": "repository processed"},
        {"message": "repository processed", "outcomes": ["started"], "failures": "none"},
        {"message": "repository processed", "outcomes": {"started": "x", "new": None}, "failures": {"a": 1, "b": None}},
        {"message": "batch processed", "events": "x", "pages": None, "changed": []},
        {"message": "overview published"},
        {"message": "image failed", "digest": 1},
    ],
)
def test_unknown_line_never_crashes_the_story(line: dict[str, Any]) -> None:
    story = Story()
    assert isinstance(story.sentence("images-scanner", line), str | None)
    assert isinstance(story.end(), str | None)
