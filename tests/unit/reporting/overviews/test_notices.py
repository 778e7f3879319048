"""Names the rules for ignored findings that need attention, and no others: a registry is scanned for months."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest
from ecr_scan_reporter.memory.rules import IgnoreRule, RuleUse, parse_rule
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.changes import Absence, compare
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher
from ecr_scan_reporter.reporting.overviews.notices import all_scanned_since, rule_notices
from ecr_scan_reporter.shared.durations import Duration

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, 4, 0, tzinfo=UTC)
END = START + 200 * DAY
WEEK = Duration(0, 0, 7)
SINCE = all_scanned_since(END, WEEK, DAY, enhanced=False)


def rule(**values: Any) -> IgnoreRule:
    end = {} if "expires" in values or "until_fixed" in values else {"expires": "2026-12-31"}
    return parse_rule({"reason": "-", "owner": "-", **end, **values})


# Each is wrong in one way, and says what is to be said of it.
WRONG = {
    "expired": (rule(id="CVE-2026-1001", expires="2026-07-10"), "The rule for CVE-2026-1001 ended on 10 Jul 2026."),
    "ending": (rule(id="CVE-2026-1002", expires="2026-07-29"), "The rule for CVE-2026-1002 ends in 9 days."),
    "misspelled": (rule(id="CVE-2026-9999"), "The rule for CVE-2026-9999 has never matched; it may be misspelled."),
    "fixed": (rule(id="CVE-2026-1003", until_fixed=True), "The rule for CVE-2026-1003 has ended: a fix is known."),
    "fixed before": (
        rule(id="CVE-2026-1004", until_fixed=True),
        "The rule for CVE-2026-1004 has ended: a fix is known.",
    ),
    "repository gone": (
        rule(package="curl", repositories="old/"),
        "The rule for package curl in old/ has matched nothing for 90 days.",
    ),
    "shadowed": (
        rule(id="GHSA-aaaa-bbbb-cccc"),
        "The rule for GHSA-aaaa-bbbb-cccc matches only what other rules ignore.",
    ),
}
# Nothing is wrong with these; the last one ignores what "shadowed" matches.
RIGHT = [
    rule(id="GHSA-jfh8-c2jp-5v3q"),
    rule(package="zlib", until_fixed=True),
    rule(id="CVE-2026-1005", until_fixed=True),
    rule(id="CVE-2026-1006", repositories="team-b/"),
    rule(id="CVE-2026-1007", expires="2026-08-20"),
    rule(id="CVE-2026-1008"),
]


def finding(id_: str, package: str = "openssl", *aliases: str, fixed: bool = False) -> Finding:
    return Finding(id_, "HIGH", package, ("1.0",), fix_available=fixed, aliases=aliases)


def registry(day: int) -> Iterator[tuple[str, list[Finding]]]:
    """Yield what is found on one day; each repository is scanned on one day of the week."""
    if day % 7 == 0:
        yield (
            "team-a/app",
            [
                finding("CVE-2026-1001"),
                finding("CVE-2026-1002"),
                finding("CVE-2026-1003", fixed=day > 100),
                finding("CVE-2026-1004", fixed=True),
                finding("CVE-2026-2000", "log4j", "GHSA-jfh8-c2jp-5v3q"),
                finding("CVE-2026-1008", "perl", "GHSA-aaaa-bbbb-cccc"),
            ],
        )
    # One finding of zlib has a fix, the other one has not; the same vulnerability has a fix in one package only.
    if day % 7 == 3:
        yield (
            "team-b/app",
            [
                finding("CVE-2026-3000", "zlib", fixed=day > 50),
                finding("CVE-2026-3001", "zlib"),
                finding("CVE-2026-1005", "musl", fixed=True),
                finding("CVE-2026-1005", "musl-utils"),
                finding("CVE-2026-1006"),
                finding("CVE-2026-1007"),
            ],
        )
    if day % 7 == 5 and day < 60:
        yield "old/app", [finding("CVE-2026-4000", "curl")]


def use(rules: list[IgnoreRule], first_day: int = 0) -> dict[str, RuleUse]:
    """Return when the rules are used if they are there from a day on; each use is remembered once a day."""
    uses: dict[str, RuleUse] = {}
    for day in range(first_day, 200):
        now = START + day * DAY
        for repository, findings in registry(day):
            matcher = RuleMatcher(rules, now)
            matcher.apply(compare(findings, (), now, {}, Absence.OF_SAME_IMAGE), repository)
            for each in rules:
                known = uses.setdefault(each.key, RuleUse(added_at=now))
                times: Mapping[str, set[str]] = {
                    "matched_at": matcher.matched,
                    "used_at": matcher.used,
                    "ended_at": matcher.ended,
                }
                changed = {name: now for name, keys in times.items() if each.key in keys}
                uses[each.key] = known._replace(**changed)
    return uses


@pytest.mark.parametrize("number", range(len(WRONG) + 1))
def test_every_wrong_rule_is_named_and_no_right_one(number: int) -> None:
    for names in combinations(WRONG, number):
        rules = [*RIGHT, *(WRONG[name][0] for name in names)]
        assert rule_notices(rules, use(rules), END, SINCE) == [WRONG[name][1] for name in names]


@pytest.mark.parametrize("position", range(len(RIGHT)))
def test_rule_that_is_shadowed_by_another_is_named(position: int) -> None:
    above = RIGHT[position]._replace(key="above")
    rules = [above, *RIGHT]
    below = RIGHT[position].name
    assert rule_notices(rules, use(rules), END, SINCE) == [
        f"The rule for {below} matches only what other rules ignore."
    ]


def test_rule_that_is_in_the_list_twice_is_named() -> None:
    rules = [*RIGHT, RIGHT[0]]
    expected = ["The rule for GHSA-jfh8-c2jp-5v3q is in the list twice."]
    assert rule_notices(rules, use(rules), END, SINCE) == expected


def test_new_rules_are_not_named_before_every_image_was_scanned() -> None:
    rules = [rule_ for rule_, _ in WRONG.values() if rule_.expires is None or rule_.expires > date(2026, 8, 30)]
    assert rule_notices(rules, {}, END, SINCE) == []
    for first_day in range(191, 200):
        assert rule_notices(rules, use(rules, first_day), END, SINCE) == []
    assert (
        len(rule_notices(rules, use(rules, 180), END, SINCE)) == len(rules) - 1
    )  # "shadowed" has no rule above it here


@pytest.mark.parametrize(
    ("expires", "notice"),
    [
        ("2026-08-04", None),
        ("2026-08-03", "ends in 14 days"),
        ("2026-07-21", "ends in 1 day"),
        ("2026-07-20", "ended on 20 Jul 2026"),
    ],
)
def test_end_is_announced_14_days_before(expires: str, notice: str | None) -> None:
    assert END.date() == date(2026, 7, 20)
    expected = [f"The rule for CVE-2026-1008 {notice}."] if notice else []
    assert rule_notices([rule(id="CVE-2026-1008", expires=expires)], {}, END, SINCE) == expected


@pytest.mark.parametrize("interval", [DAY, 7 * DAY, 30 * DAY])
def test_rule_is_misspelled_only_once_every_image_was_scanned_since(interval: timedelta) -> None:
    misspelled = rule(id="CVE-2026-9999")
    named = []
    for day in range(120):
        now = START + day * DAY
        since = all_scanned_since(now, WEEK, interval, enhanced=False)
        if rule_notices([misspelled], {misspelled.key: RuleUse(added_at=START)}, now, since):
            named.append(day)
    # An image that is a little younger than the promised age in one run is scanned in the next one.
    assert named[0] == 7 + interval.days + 1
    assert named == list(range(named[0], 120))


def test_enhanced_scanning_may_be_silent_about_an_image_for_months() -> None:
    quiet, shadowed = rule(id="CVE-2026-9999"), rule(id="CVE-2026-9998")
    for day, named in ((89, 0), (90, 2)):
        now = START + day * DAY
        since = all_scanned_since(now, WEEK, DAY, enhanced=True)
        uses = {quiet.key: RuleUse(added_at=START), shadowed.key: RuleUse(added_at=START, matched_at=now - DAY)}
        assert len(rule_notices([quiet, shadowed], uses, now, since)) == named
