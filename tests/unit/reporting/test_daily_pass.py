"""The daily pass tells what judging every image again would, whatever ends, changes, is missed, doubled or killed."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import hypothesis
import hypothesis.strategies as st
import pytest
from ecr_scan_reporter.memory.images import ImageMemory
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.images import Image
from ecr_scan_reporter.models.scans import ScanResult
from ecr_scan_reporter.settings import ReporterSettings, parse_settings
from support.configuration import DEFAULTS
from support.ignored_findings import rule
from support.invocations import REGISTRY
from support.random_tests import examples
from support.world import World, documents, scan_event

DAY = timedelta(days=1)
SEVERITIES = {"CVE-2026-0001": "CRITICAL", "CVE-2026-0002": "HIGH", "CVE-2026-0003": "HIGH"}
IMAGES = {f"sha256:{letter * 64}": f"team-{letter}/app" for letter in "ab"}
# The days of `fix_within`; the rules for ignored findings, each with an id, its last day and perhaps a repository; how
# often a pass is delivered, and the write at which the function is killed, if at any.
LIMITS = st.sampled_from([{}, {"CRITICAL": 2}, {"CRITICAL": 5, "HIGH": 3}, {"HIGH": 9}])
RULE = st.tuples(st.sampled_from(sorted(SEVERITIES)), st.integers(1, 14), st.sampled_from(["", "team-a/", "team-b/"]))
RULES = st.lists(RULE, max_size=3)
KILLS = st.none() | st.tuples(st.integers(0, 12), st.booleans())
NIGHTS = st.lists(st.tuples(st.none() | RULES, st.none() | LIMITS, st.sampled_from([0, 1, 1, 2]), KILLS), max_size=10)


class Told(NamedTuple):
    """A finding in a report, with the day of the report since the start."""

    day: int
    digest: str
    word: str
    id: str


def told(day: int, published: list[tuple[str, dict[str, Any]]]) -> Iterator[Told]:
    for report in documents(published):
        for image in report["images"]:
            for word, found in (("overdue", image["overdue"]), ("reopened", image["changes"]["no_longer_ignored"])):
                yield from (Told(day, image["digest"], word, finding["id"]) for finding in found)


class Oracle:
    """Judges every image in each pass, whether something is due or not."""

    def __init__(self) -> None:
        self.limits: dict[str, int] = {}
        self.rules: list[tuple[str, int, str]] = []
        self._ignored, self._overdue = set[tuple[str, str]](), set[tuple[str, str]]()

    def ignored(self, day: int, repository: str) -> set[str]:
        return {id_ for id_, end, where in self.rules if day < end and repository.startswith(where)}

    def judge(self, day: int) -> Iterator[Told]:
        for digest, repository in IMAGES.items():
            ignored = self.ignored(day, repository)
            for id_, severity in SEVERITIES.items():
                key, limit = (digest, id_), self.limits.get(severity)
                if id_ in ignored:
                    self._ignored.add(key)
                    continue
                if key in self._ignored:
                    yield Told(day, digest, "reopened", id_)
                self._ignored.discard(key)
                if limit is not None and day >= limit and key not in self._overdue:
                    self._overdue.add(key)
                    yield Told(day, digest, "overdue", id_)


class Nights:
    """The reporter, whose rules and settings change by day."""

    def __init__(self) -> None:
        self.world, self.oracle, self.told = World(), Oracle(), list[Told]()
        self._start, self.day = self.world.now, 0

    def change(self, rules: list[Any] | None, limits: dict[str, int] | None) -> None:
        table = self.world.deps.table
        if rules is not None:
            self.oracle.rules = rules
            ends = [(id_, str(self._start.date() + end * DAY), where) for id_, end, where in rules]
            listed = [rule(id=id_, expires=end, repositories=where or None) for id_, end, where in ends]
            table.put({"pk": "IGNORED", "sk": "0", "rules": json.dumps(listed)})
        if limits is not None:
            self.oracle.limits = limits
        environment = {**DEFAULTS, "FIX_WITHIN": json.dumps(self.oracle.limits)}
        url = self.world.deps.settings.reports_queue_url
        settings = parse_settings(ReporterSettings, {**environment, "REPORTS_QUEUE_URL": url})
        self.world.deps = self.world.deps._replace(settings=settings)

    def scan(self) -> None:
        findings = tuple(Finding(id_, severity, f"package-{id_}", ("1",)) for id_, severity in SEVERITIES.items())
        for digest, repository in IMAGES.items():
            now = self.world.now
            self.world.registry.images[digest] = Image(repository, digest, ("1.0",), pushed_at=now)
            self.world.registry.results[digest] = ScanResult("COMPLETE", "", findings, now)
            self.world.send(scan_event(digest, now, Counter(SEVERITIES.values()), ("1.0",), repository=repository))
        self.world.deliver()
        assert not list(told(0, self.world.published))
        assert not list(self.oracle.judge(0))

    def night(self, passes: int, kill: tuple[int, bool] | None) -> list[Told]:
        """Let a day pass; return what was told in it, and how often."""
        self.day += 1
        self.world.now, before = self._start + self.day * DAY, len(self.world.published)
        self.world.faults.writes, self.world.faults.kills = [], dict([kill]) if kill else {}
        for _ in range(passes):
            self.world.send({"pass": {"at": self.world.now.isoformat()}})
            self.world.deliver()
        self.world.faults.kills = {}
        return list(told(self.day, self.world.published[before:]))


@pytest.mark.slow
@hypothesis.settings(max_examples=examples(1000))
@hypothesis.given(RULES, NIGHTS)
def test_passes_tell_what_judging_everything_would(first: list[Any], nights: list[Any]) -> None:
    those = Nights()
    those.change(first, {})
    those.scan()
    for rules, limits, passes, kill in nights:
        those.change(rules, limits)
        found = Counter(those.night(passes, kill if passes else None))
        expected = Counter(those.oracle.judge(those.day)) if passes else Counter()
        # What SNS had accepted of an invocation that was killed is told again.
        again = Counter(told(those.day, those.world.unconfirmed))
        assert expected <= found <= expected + again
        assert those.world.dlq == []
        for digest, repository in IMAGES.items() if passes else ():
            record = (
                ImageMemory(those.world.deps.table, those.world.now).read(REGISTRY.image(repository, digest)).record
            )
            assert record.ignored == len(those.oracle.ignored(those.day, repository))
