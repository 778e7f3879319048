"""The oracle of the reporter's memory judges as its rules say; each table is a rule."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from support.oracle import ORDER, Entry, Oracle, Result, Rules, Verdict, net

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALL = Rules(dict.fromkeys(ORDER, 1))


def entry(text: str) -> Entry:
    """Parse an entry such as "1 openssl 1.0 HIGH fix exploit"; unless said, it has version 1.0 and is CRITICAL."""
    number, package, *rest = text.split()
    version = next((word for word in rest if word[0].isdigit()), "1.0")
    severity = next((word for word in rest if word in ORDER), "CRITICAL")
    return Entry((int(number), package), version, severity, "fix" in rest, "exploit" in rest)


@dataclass
class Repository:
    """A repository whose images are pushed an hour before their first scan, and their events processed at once."""

    rules: Rules = ALL
    now: datetime = START
    oracle: Oracle = field(init=False)

    def __post_init__(self) -> None:
        self.oracle = Oracle(self.rules)

    def scan(
        self,
        name: str,
        *found: str,
        days: float = 1,
        tags: str = "main",
        failed: str = "",
        status: str = "COMPLETE",
        event: Iterable[str] | None = None,
        pushed: timedelta = HOUR,
    ) -> Verdict:
        """Judge a scan, some days after the one before; `event` is what its event counts, unless that is the same."""
        self.now += timedelta(days=days)
        if name not in self.oracle.images:
            self.oracle.push(name, self.now - pushed)
        listed, counted = [list(map(entry, texts)) for texts in (found, found if event is None else event)]
        counts = Counter() if failed else Counter(entry.severity for entry in counted)
        result = Result("FAILED" if failed else status, self.now, listed if status == "COMPLETE" else (), failed)
        own = tuple(tags.split())
        return self.oracle.judge(name, self.now, own, bool(failed), counts, result, own, self.now)

    def words(self, name: str, *found: str, days: float = 1, tags: str = "main", **more: Iterable[str]) -> str:
        """Judge a scan; return what changed, such as "1 new, 2 fixed"."""
        verdict = self.scan(name, *found, days=days, tags=tags, event=more.get("event"))
        open_now = len(self.oracle.images[name].open())
        said = Counter(verdict.words.values())
        appeared = said["new"] + said["back"] + said["known_here"]
        assert open_now == verdict.open_before + appeared - said["fixed"] - said["withdrawn"]
        return ", ".join(f"{number} {word}" for (number, _), word in sorted(verdict.words.items()))

    def first_seen(self, name: str) -> dict[int, float]:
        """Return on which day each open finding was first seen."""
        known = self.oracle.images[name].open().items()
        return {number: (finding.first_seen - START) / DAY for (number, _), finding in known}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("1 a", "1 a", "1 still_open"),
        # Never by version, or by severity.
        ("1 a 1.0 HIGH", "1 a 1.1 LOW", "1 still_open"),
        ("1 a HIGH", "1 a CRITICAL", "1 raised"),
        ("1 a", "1 a fix", "1 fix_available"),
        ("1 a", "1 a exploit", "1 exploit_known"),
        # The first word that fits.
        ("1 a", "1 a fix exploit", "1 exploit_known"),
        ("1 a HIGH", "1 a CRITICAL fix exploit", "1 raised"),
        ("1 a", "1 a/2 a", "1 still_open, 2 new"),
        # The package is gone, or has another version.
        ("1 a", "2 b", "1 fixed, 2 new"),
        ("1 a 1.1.1n-0+deb11u4/2 a 1.1.1n-0+deb11u4", "2 a 1.1.1n-0+deb11u5", "1 fixed, 2 still_open"),
        # Another finding shows it in that version.
        ("1 a/2 a", "2 a", "1 still_open, 2 still_open"),
    ],
)
def test_words_of_the_next_build(before: str, now: str, expected: str) -> None:
    repository = Repository()
    repository.scan("x", *before.split("/"))
    assert repository.words("y", *now.split("/")) == expected


def test_severity_that_counts_towards_no_threshold_is_not_raised() -> None:
    repository = Repository(Rules({"CRITICAL": 1}))
    repository.scan("x", "1 a LOW")
    assert repository.words("x", "1 a HIGH") == "1 still_open"
    assert repository.words("x", "1 a CRITICAL") == "1 raised"
    # It was that severe before.
    assert repository.words("x", "1 a LOW") == repository.words("x", "1 a CRITICAL") == "1 still_open"


@pytest.mark.parametrize(
    ("days", "word"),
    [
        # The first scan without it, and then the next ones.
        ([1, 1], "withdrawn"),
        ([1, 20 / 24], "withdrawn"),
        ([1, 19 / 24], "still_open"),
        # Daily, a minute early; hourly.
        ([1, 1439 / 1440], "withdrawn"),
        ([1] + [1 / 24] * 19, "still_open"),
        ([1] + [1 / 24] * 20, "withdrawn"),
        # One scan is not enough, however long it was.
        ([30], "still_open"),
    ],
)
@pytest.mark.parametrize("rebuilt", [False, True])
def test_withdrawn_findings_are_counted_across_rebuilds(days: list[float], word: str, *, rebuilt: bool) -> None:
    repository = Repository()
    repository.scan("0", "1 a", "2 a")
    said = [
        repository.words(f"{number}" if rebuilt else "0", "2 a", days=gap) for number, gap in enumerate(days, start=1)
    ]
    assert said == ["1 still_open, 2 still_open"] * (len(days) - 1) + [f"1 {word}, 2 still_open"]
    if word == "withdrawn":
        # Said once.
        assert repository.words("z", "2 a") == "2 still_open"


def test_finding_that_returns_in_between_is_not_withdrawn() -> None:
    repository = Repository()
    repository.scan("x", "1 a", "2 a")
    found: tuple[list[str], ...] = ([], ["1 a"], [], [])
    said = [repository.words("x", "2 a", *more).partition(",")[0] for more in found]
    assert said == ["1 still_open", "1 still_open", "1 still_open", "1 withdrawn"]


def test_nothing_is_fixed_in_the_same_digest() -> None:
    repository = Repository()
    repository.scan("x", "1 a")
    assert repository.words("x") == "1 still_open"
    assert repository.words("x") == "1 withdrawn"


@pytest.mark.parametrize(("days", "word", "first_seen"), [(30, "back", 1), (31, "new", 33)])
def test_finding_that_was_gone(days: int, word: str, first_seen: int) -> None:
    repository = Repository()
    repository.scan("x", "1 a")
    assert repository.words("y", "2 b") == "1 fixed, 2 new"
    assert repository.words("z", "1 a", "2 b", days=days) == f"1 {word}, 2 still_open"
    assert repository.first_seen("z") == {1: first_seen, 2: 2}


def test_first_seen_is_carried_through_links() -> None:
    repository = Repository()
    for name in "xyz":
        repository.scan(name, "1 a 1.0 LOW", "2 a")
    assert repository.first_seen("z") == {1: 1, 2: 1}


def test_known_here() -> None:
    repository = Repository()
    repository.scan("x", "1 a", "2 a", "3 b HIGH", tags="main")
    verdict = repository.scan("y", "1 a", "2 a fix", "4 b LOW", tags="feature-login")
    # 2 of 3 is more than half of each.
    assert (verdict.words[1, "a"], verdict.words[4, "b"], verdict.reason) == ("known_here", "new", "news")
    assert repository.words("u", "1 a", "5 c", tags="feature-search") == "1 new, 5 new"
    branch = repository.words("z", "1 a", "2 a fix", "3 b CRITICAL", tags="feature-billing")
    # Nothing of what is known there is news, and nothing is fixed.
    assert branch == "1 known_here, 2 known_here, 3 known_here"
    assert repository.first_seen("z") == {1: 1, 2: 1, 3: 1}
    assert not repository.oracle.images["z"].predecessor
    # What is not there is not said, either.
    assert repository.words("v", "1 a", "3 b", tags="tools") == "1 known_here, 3 known_here"
    # From then on it has a track of its own.
    assert repository.words("w", "1 a", "2 a", tags="feature-billing") == "1 still_open, 2 still_open, 3 fixed"


def test_what_is_gone_where_it_was_found_is_new() -> None:
    repository = Repository()
    repository.scan("x", "1 a", "9 a")
    assert repository.words("y", "1 a 1.1", "2 a 1.1") == "1 still_open, 2 new, 9 fixed"
    # It was found in the newest of those that are equally alike.
    assert repository.words("z", "1 a", "2 a", "9 a", tags="feature-login") == "1 known_here, 2 known_here, 9 new"


def test_what_is_known_here_is_no_news() -> None:
    repository = Repository(Rules({"CRITICAL": 1}, remind_after=30 * DAY))
    repository.scan("x", "1 a", "2 a")
    assert repository.scan("y", "1 a", "2 a", tags="feature-login").reason == ""
    assert repository.scan("z", "1 a", "2 a", "3 a", tags="feature-billing").reason == "news"
    # It was last reported where it was found.
    assert repository.scan("y", "1 a", "2 a", tags="feature-login", days=30).reason == "reminder"


def test_predecessor_that_was_never_completely_scanned() -> None:
    repository = Repository()
    repository.scan("x", "1 a")
    repository.scan("f", failed="No space.")
    repository.scan("u", "1 a", status="IN_PROGRESS")
    # There is nothing to compare with.
    assert repository.words("y", "1 a") == "1 still_open"
    assert repository.oracle.images["y"].predecessor == "x"


def test_link_once_found_stays() -> None:
    repository = Repository()
    repository.scan("x", "1 a", tags="1.0")
    repository.scan("y", "1 a", tags="1.1")
    repository.scan("x", "1 a", tags="")
    # The tag that it lost counts.
    assert repository.words("z", "1 a", tags="1.0 2.0") == "1 still_open"
    predecessors = {name: image.predecessor for name, image in repository.oracle.images.items()}
    assert predecessors == {"x": "", "y": "x", "z": "x"}


def test_link_is_found_with_the_first_complete_scan() -> None:
    repository = Repository()
    repository.scan("x", "1 a")
    repository.oracle.push("late", repository.now + HOUR)
    repository.scan("y", failed="No space.")
    repository.scan("late", "1 a")
    repository.scan("y", "1 a")
    assert repository.oracle.images["y"].predecessor == "late"


def test_event_tags_count_even_if_they_have_moved_on() -> None:
    repository = Repository()
    repository.scan("x", "1 a", tags="latest")
    repository.oracle.push("y", repository.now)
    result = Result("COMPLETE", repository.now + HOUR, [entry("1 a")])
    facts = ("y", result.completed_at, ("latest",), False, {"CRITICAL": 1}, result)
    assert repository.oracle.judge(*facts, (), result.completed_at).words == {(1, "a"): "still_open"}


def test_two_applications_in_turn() -> None:
    repository = Repository()
    tags = [f"{n:07}abcdef" for n in range(4)]
    assert [
        repository.words("a1", "1 openssl", "2 zlib", tags=tags[0]),
        repository.words("b1", "1 glibc", "2 bash", tags=tags[1]),
        repository.words("a2", "1 openssl", "2 zlib", tags=tags[2]),
        repository.words("b2", "1 glibc", "2 bash", tags=tags[3]),
    ] == ["1 new, 2 new"] * 2 + ["1 still_open, 2 still_open"] * 2


def test_two_release_lines_in_turn() -> None:
    repository = Repository()
    assert [
        repository.words("a", "1 a", tags="1.9.4"),
        repository.words("b", "1 a", "2 b", tags="2.3.0"),
        repository.words("c", "1 a", tags="1.9.5"),
        repository.words("d", "1 a", "2 b", tags="2.3.1"),
    ] == ["1 new", "1 still_open, 2 new", "1 still_open", "1 still_open, 2 still_open"]


def test_inventory() -> None:
    repository = Repository()
    assert repository.scan("old", "1 a", pushed=25 * HOUR).reason == "inventory"
    assert repository.scan("older", failed="No space.", tags="1.0", pushed=50 * HOUR).reason == "inventory"
    assert repository.scan("sibling", failed="No space.", tags="1.0", pushed=72.5 * HOUR).reason == "inventory"
    assert repository.scan("sibling", failed="No space.", tags="1.0").reason == ""
    assert repository.scan("sibling", "1 a", tags="1.0").reason == "inventory"
    # It is compared with nothing, whatever tags it has.
    verdict = repository.scan("middle", "1 a", pushed=144.5 * HOUR, tags="main")
    assert (verdict.reason, verdict.words) == ("inventory", {(1, "a"): "new"})
    assert repository.oracle.images["middle"].predecessor == ""
    # At most a day before: news.
    assert repository.scan("new", "1 a", "2 a", tags="1.1", pushed=160 * HOUR).reason == "news"
    assert repository.oracle.images["new"].predecessor == "sibling"


@pytest.mark.parametrize(
    ("scans", "expected"),
    [
        # Once per application and reason: this digest, and the next ones.
        (["x No space.", "x No space."], ["scan_failed", ""]),
        (["x No space.", "y No space.", "z No space."], ["scan_failed", "", ""]),
        # Again when the reason changes, or a scan worked in between.
        (["x No space.", "y Unsupported.", "y No space."], ["scan_failed", "scan_failed", "scan_failed"]),
        (["x No space.", "x", "x No space."], ["scan_failed", "", "scan_failed"]),
        (["x No space.", "y", "z No space."], ["scan_failed", "", "scan_failed"]),
    ],
)
@pytest.mark.parametrize("tags", [{"x": "main", "y": "main", "z": "main"}, {"x": "1.0", "y": "1.1", "z": "1.2"}])
def test_failed_scans(scans: list[str], expected: list[str], tags: dict[str, str]) -> None:
    repository = Repository()
    said = []
    for scan in scans:
        name, _, reason = scan.partition(" ")
        said.append(repository.scan(name, failed=reason, tags=tags[name]).reason)
    assert said == expected


def test_failed_scans_of_commits() -> None:
    repository = Repository()
    tags = ["main-3f2a9c1", "main-77be01d", "main-5176135", "main-deadbee"]
    repository.scan("w", "1 a", tags=tags[0])
    builds = dict(zip("xyz", tags[1:], strict=True))
    reasons = [repository.scan(name, failed="No space.", tags=tag).reason for name, tag in builds.items()]
    assert reasons == ["scan_failed", "", ""]
    # What they replace is found as soon as a scan tells what is in them.
    assert repository.words("z", "1 a", tags=tags[3]) == "1 still_open"
    assert repository.oracle.images["z"].predecessor == "w"


def test_nobody_is_told_of_failed_scans() -> None:
    repository = Repository(Rules({"CRITICAL": 1}, notify_on_failure=False))
    assert repository.scan("x", failed="No space.").reason == ""


def test_what_says_nothing_about_any_finding() -> None:
    repository = Repository()
    repository.scan("x", "1 a", "2 b")
    for status in ("IN_PROGRESS", "SCAN_ELIGIBILITY_EXPIRED", "UNREADABLE"):
        assert repository.scan("x", status=status).words == {}
    repository.scan("x", failed="No space.")
    assert repository.words("y", "1 a") == "1 still_open, 2 fixed"


def test_list_that_is_shorter_than_its_event_says_nothing_of_what_is_absent() -> None:
    repository = Repository()
    repository.scan("x", "1 a", "2 b")
    for _ in range(3):
        assert repository.words("x", "3 a", event=["1 a", "2 b", "3 a"]).startswith("1 still_open, 2 still_open, 3 ")
    assert repository.words("y", "3 a", event=["3 a", "4 a"]) == "1 still_open, 2 still_open, 3 still_open"
    # Counts of an earlier scan than ECR has do not matter.
    repository.oracle.push("z", repository.now)
    result = Result("COMPLETE", repository.now + DAY, [entry("3 a")])
    facts = ("z", repository.now + HOUR, ("main",), False, {"CRITICAL": 3}, result)
    said = repository.oracle.judge(*facts, ("main",), repository.now + DAY).words
    assert said == {(1, "a"): "still_open", (2, "b"): "fixed", (3, "a"): "still_open"}


def test_older_event_changes_nothing() -> None:
    repository = Repository()
    repository.scan("x", "1 a")
    assert repository.scan("x", "1 a", "2 a", days=-0.5) == Verdict()
    assert repository.scan("x", "1 a", "2 a", days=0.5) == Verdict()


@pytest.mark.parametrize(
    ("rules", "second", "reason"),
    [
        (Rules({"CRITICAL": 1}), ["1 a", "2 a"], "news"),
        (Rules({"CRITICAL": 3}), ["1 a", "2 a"], ""),
        (Rules({"CRITICAL": 1}), ["1 a", "2 a LOW"], ""),
        (Rules({"CRITICAL": 1}), ["1 a fix"], "news"),
        (Rules({"CRITICAL": 1}), ["1 a exploit"], "news"),
        (Rules({"CRITICAL": 1}), ["3 b LOW"], ""),
        (Rules({"CRITICAL": 1}, notify_on_fixed=True), ["3 b LOW"], "fixed"),
        (Rules({"CRITICAL": 1}, every_scan=True), ["1 a"], "every_scan"),
        (Rules({"CRITICAL": 1}, remind_after=30 * DAY), ["1 a"], "reminder"),
        (Rules({"CRITICAL": 1}, remind_after=31 * DAY), ["1 a"], ""),
    ],
)
def test_reasons_of_the_next_build(rules: Rules, second: list[str], reason: str) -> None:
    repository = Repository(rules)
    repository.scan("x", "1 a")
    assert repository.scan("y", *second, days=30).reason == reason


def test_deadlines_move_on_with_the_track() -> None:
    repository = Repository(Rules({"CRITICAL": 3}, fix_within={"CRITICAL": 7}))
    repository.scan("x", "1 a", tags="1.9.4")
    repository.scan("y", "1 a", tags="2.3.0")
    repository.scan("other", "1 b", tags="tools")
    oracle, now = repository.oracle, repository.now + 4 * DAY
    # The day on which it was first seen, not the hour.
    late = datetime(2026, 3, 9, tzinfo=UTC)
    assert not oracle.overdue("y", late - HOUR)
    # Another image took it, another application did not, and each is told once.
    assert [oracle.overdue(name, late) for name in ("x", "y", "y", "other")] == [False, True, False, False]
    # The first line goes on, and has its own deadlines.
    assert repository.scan("z", "1 a", tags="1.9.5", days=(late - now) / DAY + 4).reason == "overdue"
    assert repository.scan("w", "1 a", tags="1.9.6").reason == ""


def test_image_that_is_scanned_after_its_successor() -> None:
    repository = Repository(Rules({"CRITICAL": 1}, fix_within={"CRITICAL": 1}))
    repository.oracle.push("x", START)
    repository.scan("y", "1 a", tags="1.1")
    repository.scan("x", "1 a", tags="1.0")
    assert repository.oracle.images["y"].predecessor == ""
    assert [repository.oracle.overdue(name, repository.now + 9 * DAY) for name in "xy"] == [False, True]


@pytest.mark.parametrize(
    ("said", "is_open", "expected"),
    [
        (["known_here", "still_open"], True, "known_here"),
        (["known_here", "raised"], True, "known_here"),
        (["known_here", "withdrawn"], False, None),
        (["new", "withdrawn", "back"], True, "new"),
        (["still_open", "fix_available"], True, "fix_available"),
        (["still_open", "withdrawn"], False, "withdrawn"),
    ],
)
def test_several_scans_as_if_there_had_been_one(said: list[str], is_open: bool, expected: str | None) -> None:
    open_now = {(1, "a"): START} if is_open else {}
    assert net(START, [{(1, "a"): word} for word in said], open_now).get((1, "a")) == expected
