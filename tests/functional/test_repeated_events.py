"""What is known already: an event by its id, the result of a scan by its content. Times order, and do not decide."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import hypothesis
import pytest
from ecr_scan_reporter.memory.items import image_key
from fake_aws import FakeScan, digest_of, finding, item_size
from hypothesis import given
from hypothesis import strategies as st
from support.invocations import inspector_event
from support.random_tests import examples
from support.reporter_harness import ReporterHarness, document, enhanced
from support.virtual_time import TIME

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
START = TIME.now().replace(microsecond=0)
PUSHED = START - timedelta(hours=1)
FOUND = [finding(f"CVE-2026-{number:04}", "HIGH", f"package-{number}") for number in range(1, 10)]


class Image:
    """One image, and what is reported of it."""

    def __init__(self, inbox: ReporterHarness) -> None:
        self.inbox, self.scans, self.failed, self.pushed_at = inbox, 0, False, PUSHED

    def lists(self, number: int, at: datetime = START, **scan: Any) -> None:
        """Let ECR list so many findings, as those of a scan at this time."""
        pass_until(at)
        listed = FakeScan("COMPLETE", at, findings=FOUND[:number])
        self.event(START, scan=FakeScan(**scan) if scan else listed)

    def event(
        self, at: datetime, number: int | None = None, scan: FakeScan | None = None, status: str = "COMPLETE"
    ) -> Any:
        """Return an event of this time that counts so many findings."""
        pass_until(at)
        self.scans += 1
        held = self.inbox.repositories["app"].scans.get(digest_of("app")) if self.inbox.repositories else None
        counts = {} if number is None else {"finding-severity-counts": {"HIGH": number}}
        made = self.inbox.image("app", "1.0", name="app", scan=scan or held, pushed_at=self.pushed_at, at=at)
        made["detail"] |= {**counts, "scan-status": status}
        return made | {"id": f"event-{self.scans}"}

    def read(self, event: Any, receives: Sequence[int] = (1,)) -> list[tuple[str, ...]]:
        """Deliver an event; return the reason of each report with the numbers of its new findings."""
        before = len(self.inbox.reports())
        for receive in receives:
            self.failed = bool(self.inbox.report(event, receives=receive))
        return [told(entry) for report in self.inbox.reports()[before:] for entry in entries(document(report))]


def pass_until(at: datetime) -> None:
    TIME.sleep(max((at - TIME.now()).total_seconds(), 0))


def entries(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [*report["images"], *report["failed_scans"]]


def told(entry: dict[str, Any]) -> tuple[str, ...]:
    new = entry["changes"]["new"] if "changes" in entry else ()
    return (entry["reason"], *(known["id"][-1] for known in new))


@pytest.fixture
def image(inbox: ReporterHarness) -> Image:
    made = Image(inbox)
    made.lists(1)
    return made


THREE = (1, 2, 3)


def test_two_events_in_one_second_are_both_processed(image: Image) -> None:
    assert image.read(image.event(START, 1)) == [("news", "1")]
    image.lists(2)
    event = image.event(START, 2)
    assert image.read(event) == [("news", "2")]
    assert image.read(event) == []


@pytest.mark.parametrize("together", [True, False])
def test_failed_scan_in_the_second_of_a_complete_one_is_told(image: Image, together: bool) -> None:
    complete = image.event(START, 1)
    if not together:
        assert image.read(complete) == [("news", "1")]
    image.lists(0, status="FAILED", description="No space.")
    failed = image.event(START, status="FAILED")
    events = [complete, failed] if together else [failed]
    assert image.inbox.report(*events) == []
    last = [told(entry) for report in image.inbox.reports() for entry in document(report)["failed_scans"]]
    assert last == [("No space.",)]


def test_both_reports_of_one_second_are_in_one_window(make_reporter: Callable[..., ReporterHarness]) -> None:
    image = Image(make_reporter(REPORT_WINDOW_SECONDS="600"))
    for number in (1, 2):
        image.lists(number)
        assert image.read(image.event(START, number)) == []
    image.inbox.check(TIME.now() + timedelta(hours=1))
    [report] = image.inbox.reports()
    assert [told(entry) for entry in document(report)["images"]] == [("news", "1", "2")]


def test_event_that_is_redriven_after_a_failed_scan_is_told_by_its_counts(image: Image) -> None:
    image.pushed_at = START + DAY
    image.lists(0, status="FAILED", description="No space.")
    first, failed = image.event(START, 3), image.event(START + DAY, status="FAILED")
    assert image.read(failed) == [("No space.",)]
    TIME.sleep(7 * DAY.total_seconds())
    assert image.read(first) == [("findings_not_read",)]
    assert image.read(first) == []
    # The last scan failed still: the same failure is no news.
    assert image.read(image.event(TIME.now(), status="FAILED")) == []


@pytest.mark.slow
def test_late_event_brings_what_ecr_lists_by_then(image: Image) -> None:
    late = image.event(START, 1)
    assert image.read(image.event(START + MINUTE, 1)) == [("news", "1")]
    image.lists(2, START + DAY)
    assert image.read(late) == [("news", "2")]
    # Its own event has nothing to add, and a late failure was followed by a scan.
    assert image.read(image.event(START + DAY, 2)) == []
    assert image.read(image.event(START + MINUTE, status="FAILED")) == []


def test_late_event_does_not_overwrite_a_later_result(image: Image) -> None:
    image.pushed_at = START + DAY
    late = image.event(START, 1)
    image.lists(3, START + DAY)
    assert image.read(image.event(START + DAY, 3)) == [("news", "1", "2", "3")]
    image.lists(1)
    assert image.read(late, THREE) == []
    image.lists(3, START + 2 * DAY)
    assert image.read(image.event(START + 2 * DAY, 3)) == []


def test_last_weeks_result_is_read_three_times_and_then_the_counts_are_told(image: Image) -> None:
    assert image.read(image.event(START, 1)) == [("news", "1")]
    event = image.event(START + 7 * DAY, 2)
    TIME.sleep(7 * DAY.total_seconds())
    assert image.read(event, (1, 2)) == []
    assert image.failed
    assert image.read(event, (3,)) == [("findings_not_read",)]
    assert not image.failed
    image.lists(2, START + 14 * DAY)
    assert image.read(image.event(START + 14 * DAY, 2)) == [("news", "2")]


def test_known_result_with_other_counts_is_read_again(image: Image) -> None:
    """The event is of the same minute, so ECR's date does not tell that it is of another scan."""
    assert image.read(image.event(START, 1)) == [("news", "1")]
    event = image.event(START + MINUTE, 2)
    assert image.read(event) == []
    assert image.failed
    image.lists(2, START + MINUTE)
    assert image.read(event, (2,)) == [("news", "2")]


def test_other_findings_with_equal_counts_and_date_are_compared(image: Image) -> None:
    assert image.read(image.event(START, 1)) == [("news", "1")]
    image.lists(1, status="COMPLETE", completed_at=START, findings=[FOUND[4]])
    assert image.read(image.event(START, 1)) == [("news", "5")]


def test_complete_with_findings_of_inspector_has_no_date(inbox: ReporterHarness) -> None:
    image = Image(inbox)
    image.pushed_at = START + DAY
    listed = [enhanced(str(entry["name"]), "HIGH", "openssl") for entry in FOUND]
    for number in (1, 2):
        image.lists(0, status="COMPLETE", completed_at=START, enhanced_findings=listed[:number])
        event = inspector_event(image.event(START + number * DAY, number))
        assert image.read(event) == [("news", str(number))]


def test_counts_that_never_agree_mute_nothing(image: Image) -> None:
    """Five findings, of which ECR lists two, and later three."""
    image.lists(2)
    assert image.read(image.event(START, 5), THREE) == [("news", "1", "2")]
    for week, number, expected in ((1, 2, []), (2, 3, [("news", "3")]), (3, 3, [])):
        at = START + week * 7 * DAY
        image.lists(number, at)
        assert image.read(image.event(at, 5), THREE) == expected, week


def test_counts_that_no_longer_agree_are_told_once(image: Image) -> None:
    image.lists(2)
    assert image.read(image.event(START, 2)) == [("news", "1", "2")]
    for day in range(1, 4):
        at = START + day * DAY
        image.lists(2, at)
        assert image.read(image.event(at, 5), THREE) == [("findings_not_read",)] * (day == 1)
    assert image.inbox.reports()[-1].subject == "[ECR] Findings of 1 image not read (5 high): app:1.0"
    image.lists(5, START + 4 * DAY)
    assert image.read(image.event(START + 4 * DAY, 5)) == [("news", "3", "4", "5")]


def test_result_that_is_older_than_the_first_event_claims_no_absence(image: Image) -> None:
    image.pushed_at = START + 7 * DAY
    event = image.event(START + 7 * DAY, 1)
    assert image.read(event, THREE) == [("news", "1")]
    [entry] = document(image.inbox.reports()[-1])["images"]
    assert entry["findings_error"] == (
        f"ECR lists the scan of {START:%Y-%m-%d %H:%M} UTC still, which is older than its event."
    )


def test_ids_of_events_are_few_and_are_forgotten_after_two_weeks(image: Image) -> None:
    for number in range(60):
        image.read(image.event(START + number * timedelta(seconds=1), 1))
    last = image.event(START + MINUTE, 1)
    image.read(last)
    items: Any = image.inbox.aws.client("dynamodb").scan(TableName="memory")["Items"]
    [item] = [item for item in items if item["sk"]["S"] == image_key(digest_of("app"))]
    assert item_size(item) < 2_000
    assert item["events"]["S"].count(":") == 40
    image.inbox.aws.reset()
    image.read(last)
    assert image.inbox.aws.calls().get("PutItem", 0) == 0
    TIME.sleep(15 * DAY.total_seconds())
    image.read(last)
    assert image.inbox.aws.calls()["PutItem"] == 1
    assert image.inbox.reports() == []


@pytest.mark.slow
@hypothesis.settings(max_examples=examples(200))
@given(
    st.lists(
        st.tuples(
            st.sampled_from([timedelta(), timedelta(seconds=1), MINUTE, DAY]),
            st.integers(0, 2),
            st.sampled_from([0, 0, 0, 1, 4]),
            st.integers(0, 3),
            st.integers(0, 3),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_each_finding_is_new_once_whatever_comes_when(
    make_reporter: Callable[..., ReporterHarness], scans: list[tuple[timedelta, int, int, int, int]]
) -> None:
    """Each scan: how long after the last one, findings more, entries that are only counted, stale reads, delivered."""
    inbox = make_reporter()
    inbox.aws.start_over()
    TIME.reset()
    image, at, number = Image(inbox), START, 0
    late: list[Any] = []
    for gap, more, counted, stale, delivered in [(timedelta(), 1, 0, 0, 1), *scans, (DAY, 1, 0, 0, 1)]:
        before, at, number = (at, number), at + gap, number + more
        event = image.event(at, number + counted)
        for receive in range(1, 6):
            # ECR may still answer with the result before.
            image.lists(before[1] if receive <= stale else number, before[0] if receive <= stale else at)
            image.read(event, (receive,))
            if not image.failed:
                break
        assert not image.failed
        late += [event] * delivered
        if delivered == 3:
            image.read(late[len(late) // 2], (3,))
            assert not image.failed
    new = Counter(
        known for report in inbox.reports() for entry in entries(document(report)) for known in told(entry)[1:]
    )
    assert new == dict.fromkeys(map(str, range(1, number + 1)), 1)
