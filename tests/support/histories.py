"""Random histories of scans: what happened to a few images of one repository, and when the events arrived.

A history is decoded from whole numbers, so that hypothesis makes thousands of them quickly and shrinks them well.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from ecr_scan_reporter.errors import TransientError
from ecr_scan_reporter.messages.reports_queue import DueMessage, to_body
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.images import Image, IndexChild
from ecr_scan_reporter.models.scans import ScanResult
from support.families import INDEX_MEDIA_TYPE, Family
from support.invocations import REGISTRY, scan_event
from support.oracle import ORDER, Entry, Oracle, Result, Rules, Verdict, net
from support.oracle_predecessors import Key
from support.world import World

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_GAPS = (HOUR, DAY, HOUR, DAY - MINUTE, 5 * DAY, 16 * DAY, 31 * DAY)
# Of a daily build, which may be hourly for a while.
_DAILY_GAPS = (DAY, DAY, DAY - MINUTE, HOUR, 7 * DAY)
_COMPLETE, _SHORT, _EXPIRED = "COMPLETE", "SHORT", "SCAN_ELIGIBILITY_EXPIRED"
_OUTCOMES = (*9 * (_COMPLETE,), "FAILED", "FAILED", _EXPIRED, "IN_PROGRESS", "UNREADABLE", _SHORT)
_REASONS = ("No space.", "UnsupportedImageError: The operating system and/or package manager are not supported.")
_UNREADABLE = "the second page cannot be read"
_DELIVERIES = (*6 * ("once",), "twice at once", "twice", "late")
# Which image is scanned: the next one that was not scanned yet, or any one.
_IMAGES = (None, None, None, *range(12))

# An image that is in no index yet waits for one until it is this old, and then is compared in spite of that.
_WAITS = 15 * MINUTE

# The packages of two applications, each with the versions that it may have: what its package manager prints.
_PACKAGES = (
    (
        ("openssl", ("1.1.1n-0+deb11u4", "1.1.1n-0+deb11u5")),
        ("zlib1g", ("1:1.2.13.dfsg-1", "1:1.2.13.dfsg-1+deb12u1")),
    ),
    (
        ("golang.org/x/net", ("v0.0.0-20230731152917-f99041a5c027", "v0.0.0-20230803160430-a3d24e80b04b")),
        ("busybox", ("1.36.1-r2", "1.36.1-r5")),
    ),
    (("glibc", ("2.34-60.el9", "2.34-83.el9_3.7")), ("bind-libs", ("32:9.16.23-11.el9", "32:9.16.23-11.el9_2.1"))),
)
# An advisory of two vulnerabilities, which is none of them.
_SHARED, _SHARED_BY = 12, (1, 2)

Option = TypeVar("Option")


class Dice:
    """Decodes choices from a whole number; 0 always chooses the first option."""

    def __init__(self, number: int) -> None:
        self._number = number

    def pick(self, options: Sequence[Option]) -> Option:
        self._number, chosen = divmod(self._number, len(options))
        return options[chosen]


class Listed(NamedTuple):
    """An entry of a scan as ECR lists it, and what it is in truth."""

    entry: Entry
    id: str
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class RawEntry:
    """An entry of a scan of any application.

    `package` and `version` are numbers of those that the application has. `form` is by which of its ids the
    vulnerability goes; "shared" is one that several vulnerabilities have, or that advisory itself.
    """

    vulnerability: int
    package: int
    version: int
    severity: str
    fix: bool = False
    exploit: bool = False
    form: str = "CVE"

    def listed(self, app: int) -> Listed:
        """Return the entry as ECR lists it for an application."""
        number, cve, ghsa = self.vulnerability, f"CVE-{self.vulnerability}", f"GHSA-{self.vulnerability}"
        ids = {"CVE": (cve,), "GHSA": (ghsa, cve), "both": (cve, ghsa), "shared": (cve, f"GHSA-{_SHARED}", ghsa)}
        id_, *aliases = ids[self.form]
        if self.form == "shared" and number not in _SHARED_BY:
            number = _SHARED
            id_, *aliases = f"GHSA-{_SHARED}", *(f"CVE-{other}" for other in _SHARED_BY)
        package, versions = _PACKAGES[app][self.package]
        about = _SHARED_BY if number == _SHARED else ()
        entry = Entry((number, package), versions[self.version], self.severity, self.fix, self.exploit, about)
        return Listed(entry, id_, tuple(aliases))


@dataclass(frozen=True)
class Step:
    """One scan of an image, of the next one if it names none; its build is pushed before the first scan of it."""

    image: int | None
    gap: timedelta
    outcome: str
    reason: str
    delivery: str
    takes_latest: bool
    operating_system: str
    entries: tuple[RawEntry, ...]


def step(number: int, *, daily: bool = False) -> Step:
    """Decode one scan; daily builds have much the same findings, and others often do."""
    dice = Dice(number)
    image, gap, outcome = dice.pick(_IMAGES), dice.pick(_DAILY_GAPS if daily else _GAPS), dice.pick(_OUTCOMES)
    reason, delivery, latest = dice.pick(_REASONS), dice.pick(_DELIVERIES), dice.pick((False, False, True))
    system = dice.pick(("", "ALPINE_LINUX_3_20", "DEBIAN_12"))
    found = daily_entries(dice) if daily or dice.pick((False, False, True)) else entries(dice)
    return Step(image, gap, outcome, reason, delivery, latest, system, found)


def entries(dice: Dice, most: int = 6) -> tuple[RawEntry, ...]:
    """Decode the entries of a scan: few vulnerabilities, so that they flap, double, and come in several versions."""
    return tuple(
        RawEntry(
            dice.pick(range(1, 5)),
            dice.pick((0, 1)),
            dice.pick((0, 1)),
            dice.pick(ORDER),
            dice.pick((False, True)),
            dice.pick((False, False, True)),
            dice.pick(("CVE", "GHSA", "both", "shared")),
        )
        for _ in range(dice.pick(range(most + 1)))
    )


def daily_entries(dice: Dice) -> tuple[RawEntry, ...]:
    """Decode a scan of what changes little: the database takes one of the findings back, or a package is updated."""
    missing, updated = dice.pick((None, None, 0, 0, 1, 2)), dice.pick((0, 0, 0, 0, 0, 1))
    usual = (
        RawEntry(1, 0, updated, "CRITICAL"),
        RawEntry(2, 0, updated, "HIGH", form="shared"),
        RawEntry(3, 1, 0, "CRITICAL", form="both"),
    )
    return tuple(entry for number, entry in enumerate(usual) if number != missing and not (updated and number == 0))


class BuiltImage(NamedTuple):
    """An image of a history: a platform of a build, or all of it. `build` is a number of those of the family."""

    build: int
    platform: str
    digest: str


@dataclass
class PushedBuild:
    """A build in the registry. `digest` is what has the tags: the index, or the image itself."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime
    tagged_at: datetime


@dataclass
class Late:
    """An event that has not arrived yet, and what it says."""

    event: dict[str, Any]
    facts: dict[str, Any]
    copies: int = 1


@dataclass
class Player:
    """Plays a history through the reporter, and holds every event against the oracle."""

    world: World
    rules: Rules
    family: Family
    held: list[Late] = field(default_factory=list)
    inventory: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.oracle, self._begun = Oracle(self.rules), self.world.now
        self.images = {
            (image := BuiltImage(number, platform, f"sha256:{number * 10 + position:064}")).digest: image
            for number, build in enumerate(self.family.builds)
            for position, platform in enumerate(build.platforms)
        }
        self._builds: dict[int, PushedBuild] = {}
        self._results: dict[str, Result] = {}
        self._latest_before: set[int] = set()

    def play(self, steps: Sequence[Step]) -> None:
        for scan in steps:
            arriving, self.held = self.held, []
            self._scan(scan)
            for late in arriving:
                self._arrive(late)
        for late in self.held:
            self._arrive(late)
        self.world.deliver()
        found = [document["inventory"] for document in self.world.documents() if document["inventory"]]
        # An image is in a second inventory if its scan failed, and was repeated after the first one was published.
        assert len(set(self.inventory)) <= sum(inventory["images"] for inventory in found) <= len(self.inventory)
        if self.rules.fix_within:
            self._check_deadlines()
        assert self.world.dlq == []

    def _scan(self, scan: Step) -> None:
        self.world.deliver(self.world.now + scan.gap)
        image = self._chosen(scan)
        if image.build not in self._builds:
            self._push(image.build)
        if scan.takes_latest and image.build not in self._latest_before:
            self._latest_before.add(image.build)
            self._tag(image.build, "latest")
        self.world.now += 5 * MINUTE
        event, facts = self._scanned(scan, image)
        late = Late(event, facts)
        if scan.delivery == "late":
            self.held.append(late)
            return
        if scan.delivery == "twice at once":
            late.copies = 2
        self._arrive(late)
        if scan.delivery == "twice":
            late.copies = 1
            self.held.append(late)

    def _chosen(self, scan: Step) -> BuiltImage:
        images = list(self.images.values())
        if scan.image is not None:
            return images[scan.image % len(images)]
        return next((image for image in images if image.digest not in self._results), images[-1])

    def _scanned(self, scan: Step, image: BuiltImage) -> tuple[dict[str, Any], dict[str, Any]]:
        """Let ECR have the result of a scan; return its event, and what that says."""
        now, outcome = self.world.now, scan.outcome
        found = [raw.listed(self.family.builds[image.build].app) for raw in scan.entries]
        failed, expired = outcome == "FAILED", outcome == _EXPIRED
        counts = Counter(listed.entry.severity for listed in found) if not (failed or expired) else Counter[str]()
        if outcome == _SHORT:
            # Nobody knows what a short list of an image's first scan means for what its predecessor had.
            outcome = _COMPLETE
            found = found[: max(len(found) - 1, 1)] if self.oracle.images[image.digest].scanned_at else found
        found = found if outcome == _COMPLETE else []
        reason = {"FAILED": scan.reason, "UNREADABLE": _UNREADABLE}.get(outcome, "")
        self._results[image.digest] = Result(outcome, now, [listed.entry for listed in found], reason)
        self.set_result(image.digest, outcome, reason, found, scan.operating_system)
        build = self._builds[image.build]
        tags = build.tags if build.digest == image.digest else ()
        event = scan_event(image.digest, now, counts, tags, "FAILED" if failed else "COMPLETE")
        return event, {"digest": image.digest, "at": now, "tags": tags, "failed": failed, "counts": counts}

    def _push(self, number: int) -> None:
        build, digest = self.family.builds[number], f"sha256:{number * 10 + 9:064}"
        is_old = number in self.family.old
        pushed_at = self._begun - 30 * DAY + number * MINUTE if is_old else self.world.now
        platforms = [image for image in self.images.values() if image.build == number]
        if build.platforms == ("",):
            digest = platforms[0].digest
        else:
            for image in platforms:
                self.put_image(image.digest, (), pushed_at)
        self._builds[number] = PushedBuild(digest, (), pushed_at, pushed_at + build.index_after)
        for image in platforms:
            self.oracle.push(image.digest, pushed_at, digest)
        for tag in build.tags:
            self._tag(number, tag)

    def _tag(self, number: int, tag: str) -> None:
        """Let a build have a tag, which it takes from the build that had it."""
        for other, pushed in self._builds.items():
            pushed.tags = tuple(name for name in pushed.tags if name != tag) + ((tag,) if other == number else ())
            children = [image for image in self.images.values() if image.build == other and image.platform]
            self.put_image(pushed.digest, pushed.tags, pushed.tagged_at, children)

    def put_image(
        self, digest: str, tags: tuple[str, ...], pushed_at: datetime, children: Sequence[BuiltImage] = ()
    ) -> None:
        """Put an image, or an index of others, into the registry, in place of the one with this digest."""
        registry = self.world.registry
        media_type = INDEX_MEDIA_TYPE if children else None
        registry.images[digest] = Image("app", digest, tags, media_type, pushed_at=pushed_at)
        registry.indexes[digest] = [IndexChild(digest, image.digest, image.platform, False) for image in children]

    def set_result(self, digest: str, outcome: str, reason: str, found: Sequence[Listed], system: str) -> None:
        """Let ECR have this result of an image's last scan."""
        if outcome == "UNREADABLE":
            self.world.registry.results[digest] = TransientError(reason)
            return
        findings = tuple(
            Finding(
                listed.id,
                listed.entry.severity,
                listed.entry.key[1],
                (listed.entry.version,),
                fix_available=listed.entry.fix,
                exploit_available=listed.entry.exploit,
                aliases=listed.aliases,
            )
            for listed in found
        )
        self.world.registry.results[digest] = ScanResult(outcome, reason, findings, self.world.now, system)

    def _judge(self, late: Late, asked_at: datetime) -> Verdict:
        """Return what the oracle says of an event that was processed from this time until now."""
        image, now = self.images[late.facts["digest"]], self.world.now
        build, seen_at = self._builds[image.build], now
        known = self.oracle.images[image.digest].scanned_at
        if not late.facts["failed"] and not known and asked_at < build.pushed_at + _WAITS:
            # It waits for an index at least this long.
            seen_at = max(now, asked_at + MINUTE)
        tagged = build.tagged_at <= seen_at
        tags, platform = (build.tags, image.platform) if tagged else ((), "")
        result = self._results[image.digest]
        return self.oracle.judge(**late.facts, result=result, current_tags=tags, now=now, platform=platform)

    def _check_deadlines(self) -> None:
        """Ask for the deadlines of every image, and hold what is reported against the oracle."""
        for digest in self._results:
            self.world.now += DAY
            before = len(self.world.documents())
            message = to_body(DueMessage(REGISTRY.image("app", digest)))
            self.world.process(json.loads(message))
            images = [image for document in self.world.documents()[before:] for image in document["images"]]
            overdue = self.oracle.images[digest].scanned_at and self.oracle.overdue(digest, self.world.now)
            assert [(image["digest"], image["reason"]) for image in images] == [(digest, "overdue")] * bool(overdue)

    def _arrive(self, late: Late) -> None:
        digest, before, asked_at = late.facts["digest"], len(self.world.documents()), self.world.now
        self.world.process(late.event, late.copies)
        verdict = self._judge(late, asked_at)
        if verdict.reason == "inventory":
            self.inventory.append(digest)
        documents = self.world.documents()[before:]
        images = [image for document in documents for image in document["images"]]
        failed = [image["digest"] for document in documents for image in document["failed_scans"]]
        assert failed == ([digest] if verdict.reason == "scan_failed" else [])
        reminders = [document["reminders"] for document in documents if document["reminders"]]
        assert [reminder["images"] for reminder in reminders] == [1] * (verdict.reason == "reminder")
        if verdict.reason in ("", "inventory", "scan_failed", "reminder"):
            assert images == []
        else:
            [image] = images
            assert (image["digest"], image["reason"]) == (digest, verdict.reason)
            self._check_image(image, verdict)
        known = {identity(found.finding): found for found in self.world.findings("app", digest) if not found.gone_at}
        expected = {key: found.first_seen for key, found in self.oracle.images[digest].open().items()}
        assert {key: found.first_seen for key, found in known.items()} == expected

    def _check_image(self, image: dict[str, Any], verdict: Verdict) -> None:
        if verdict.reason == "findings_not_read":
            assert image["findings_error"]
            return
        check_words(image, verdict.words, verdict.open_before)
        findings = self.oracle.images[image["digest"]].findings
        for word, found in image["changes"].items():
            for entry in found:
                key = number_of(entry["id"]), entry["package"]
                assert entry["first_seen"] == f"{findings[key].first_seen:%Y-%m-%dT%H:%M:%SZ}", word
        assert image["counts"] == dict(Counter(found.severity for found in findings.values() if not found.gone_at))


@dataclass
class Waiting:
    """What waits to be reported of one image."""

    at: datetime
    open_before: int
    words: list[dict[Key, str]] = field(default_factory=list)
    open_now: dict[Key, datetime] = field(default_factory=dict)
    unread: bool = False


class WindowPlayer(Player):
    """Plays a history in a long report window: all scans of an image become one entry of one report."""

    waiting: dict[str, Waiting]

    def play(self, steps: Sequence[Step]) -> None:
        self.waiting = {}
        # So that a finding that the last window has not had may be withdrawn in this one.
        self.world.deliver(self.world.now + DAY)
        for scan in steps:
            self._scan(replace(scan, gap=10 * MINUTE, delivery="once"))
        before = len(self.world.documents())
        self.world.deliver()
        images = [image for document in self.world.documents()[before:] for image in document["images"]]
        assert {image["digest"]: bool(image["findings_error"]) for image in images} == {
            digest: waiting.unread for digest, waiting in self.waiting.items()
        }
        for image in images:
            waiting = self.waiting[image["digest"]]
            if waiting.words:
                words = net(waiting.at, waiting.words, waiting.open_now)
                check_words(image, words, waiting.open_before)

    def _arrive(self, late: Late) -> None:
        digest, asked_at = late.facts["digest"], self.world.now
        self.world.process(late.event)
        verdict = self._judge(late, asked_at)
        if verdict.reason in ("", "inventory", "scan_failed"):
            return
        waiting = self.waiting.setdefault(digest, Waiting(late.facts["at"], verdict.open_before))
        waiting.unread = verdict.short or verdict.reason == "findings_not_read"
        if verdict.reason != "findings_not_read":
            if not waiting.words:
                waiting.at, waiting.open_before = late.facts["at"], verdict.open_before
            waiting.words.append(verdict.words)
            waiting.open_now = {key: known.first_seen for key, known in self.oracle.images[digest].open().items()}


def check_words(image: dict[str, Any], words: dict[Key, str], open_before: int) -> None:
    """Check what is said of an image, and that the books balance; the report may not have room to name everything."""
    said = {
        (number_of(entry["id"]), entry["package"]): word for word, found in image["changes"].items() for entry in found
    }
    assert {key: words.get(key) for key in said} == said
    assert len(words) - len(said) == image["findings_omitted"]
    totals = image["totals"]
    assert totals == {word: list(words.values()).count(word) for word in totals}
    appeared = totals["new"] + totals["back"] + totals["known_here"] + totals["no_longer_ignored"]
    balance = open_before + appeared - totals["fixed"] - totals["withdrawn"]
    assert (image["open_before"], image["open_now"]) == (open_before, balance)
    assert image["findings_error"] or sum(image["counts"].values()) == balance


def number_of(id_: str) -> int:
    """Return the number in the id of a vulnerability."""
    return int(id_.rpartition("-")[2])


def identity(finding: Finding) -> Key:
    """Return the true identity of a finding."""
    return number_of(finding.id), finding.package
