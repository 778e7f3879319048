"""Random histories of scans: what happened to a few images of one repository, and when the events arrived.

A history is decoded from whole numbers, so that hypothesis makes thousands of them quickly and shrinks them well.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from ecr_scan_reporter.errors import TransientError
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.images import Image
from ecr_scan_reporter.models.scans import ScanResult
from support.invocations import scan_event
from support.oracle import ORDER, Entry, Key, Oracle, Result, Rules, Verdict, net
from support.world import World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_GAPS = (HOUR, DAY, HOUR, DAY, 5 * DAY, 16 * DAY, 31 * DAY)
_OUTCOMES = (*9 * ("COMPLETE",), "FAILED", "FAILED", "SCAN_ELIGIBILITY_EXPIRED", "IN_PROGRESS", "UNREADABLE")
_DELIVERIES = (*6 * ("once",), "twice at once", "twice", "late")
_TAGS = (("1.0",), ("1.1",), ("main-3f2a9c1",), ("1.3-slim",), ("2.0",), ("main-5176135",), ("main-deadbee",))
# This image was there before the memory.
_OLD = 4

Option = TypeVar("Option")


class Dice:
    """Decodes choices from a whole number; 0 always chooses the first option."""

    def __init__(self, number: int) -> None:
        self._number = number

    def pick(self, options: Sequence[Option]) -> Option:
        self._number, chosen = divmod(self._number, len(options))
        return options[chosen]


@dataclass(frozen=True)
class RawEntry:
    """An entry of a scan as ECR has it: `form` is by which of its ids the vulnerability goes, and what it shares."""

    entry: Entry
    form: str

    @property
    def id(self) -> str:
        return f"{'GHSA' if self.form == 'GHSA' else 'CVE'}-{self.entry.key[0]}"

    @property
    def aliases(self) -> tuple[str, ...]:
        own = self.entry.key[0]
        forms = {"GHSA": (f"CVE-{own}",), "both": (f"GHSA-{own}",), "shared": ("GHSA-0", f"GHSA-{own}")}
        return forms.get(self.form, ())


@dataclass(frozen=True)
class Step:
    """One scan of an image; the first one follows the push of the image."""

    image: int
    gap: timedelta
    outcome: str
    delivery: str
    takes_latest: bool
    operating_system: str
    entries: tuple[RawEntry, ...]


def step(number: int) -> Step:
    """Decode one scan."""
    dice = Dice(number)
    image, gap, outcome = dice.pick(range(len(_TAGS))), dice.pick(_GAPS), dice.pick(_OUTCOMES)
    delivery, latest = dice.pick(_DELIVERIES), dice.pick((False, False, True))
    system = dice.pick(("", "ALPINE_LINUX_3_20", "DEBIAN_12"))
    return Step(image, gap, outcome, delivery, latest, system, entries(dice))


def entries(dice: Dice, most: int = 6) -> tuple[RawEntry, ...]:
    """Decode the entries of a scan: few vulnerabilities, so that they flap, double, and come in several versions."""
    return tuple(
        RawEntry(
            Entry(
                (dice.pick(range(1, 5)), dice.pick(("openssl", "zlib"))),
                dice.pick(("1.0", "1.1")),
                dice.pick(ORDER),
                dice.pick((False, True)),
                dice.pick((False, False, True)),
            ),
            dice.pick(("CVE", "GHSA", "both", "shared")),
        )
        for _ in range(dice.pick(range(most + 1)))
    )


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
    held: list[Late] = field(default_factory=list)
    inventory: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.oracle, self._begun = Oracle(self.rules), self.world.now
        self.operating_systems: dict[str, str] = {}
        self._tags: dict[int, tuple[str, ...]] = {}
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
        assert self.world.dlq == []

    def _scan(self, scan: Step) -> None:
        self.world.deliver(self.world.now + scan.gap)
        digest = f"sha256:{scan.image:064}"
        if scan.image not in self._tags:
            self._push(scan, digest)
        if scan.takes_latest and scan.image not in self._latest_before:
            self._move_latest(scan.image)
        self.world.now += timedelta(minutes=5)
        now, found = self.world.now, [raw.entry for raw in scan.entries]
        failed, expired = scan.outcome == "FAILED", scan.outcome == "SCAN_ELIGIBILITY_EXPIRED"
        self._results[digest] = Result(scan.outcome, now, found if scan.outcome == "COMPLETE" else ())
        self.set_result(digest, scan)
        counts = Counter(entry.severity for entry in found) if not (failed or expired) else Counter[str]()
        tags = self._tags[scan.image]
        event = scan_event(digest, now, counts, tags, "FAILED" if failed else "COMPLETE")
        late = Late(event, {"digest": digest, "at": now, "tags": tags, "failed": failed, "counts": counts})
        if scan.delivery == "late":
            self.held.append(late)
            return
        if scan.delivery == "twice at once":
            late.copies = 2
        self._arrive(late)
        if scan.delivery == "twice":
            late.copies = 1
            self.held.append(late)

    def _push(self, scan: Step, digest: str) -> None:
        pushed_at = self._begun - 30 * DAY if scan.image == _OLD else self.world.now
        self._tags[scan.image] = _TAGS[scan.image]
        self.oracle.push(digest, pushed_at, scan.operating_system)
        self.put_image(digest, _TAGS[scan.image], pushed_at)
        self.operating_systems[digest] = scan.operating_system

    def _move_latest(self, image: int) -> None:
        self._latest_before.add(image)
        for other, tags in self._tags.items():
            moved = tuple(tag for tag in tags if tag != "latest") + (("latest",) if other == image else ())
            self._tags[other] = moved
            digest = f"sha256:{other:064}"
            self.put_image(digest, moved, self.oracle.images[digest].pushed_at)

    def put_image(self, digest: str, tags: tuple[str, ...], pushed_at: Any) -> None:
        """Put an image into the registry, in place of the one with this digest."""
        self.world.registry.images[digest] = Image("app", digest, tags, pushed_at=pushed_at)

    def set_result(self, digest: str, scan: Step) -> None:
        """Let ECR have this result of an image's last scan."""
        if scan.outcome == "UNREADABLE":
            self.world.registry.results[digest] = TransientError("the second page cannot be read")
            return
        findings = tuple(
            Finding(
                raw.id,
                raw.entry.severity,
                raw.entry.key[1],
                (raw.entry.version,),
                fix_available=raw.entry.fix,
                exploit_available=raw.entry.exploit,
                aliases=raw.aliases,
            )
            for raw in scan.entries
        )
        complete = scan.outcome == "COMPLETE"
        self.world.registry.results[digest] = ScanResult(
            scan.outcome, "", findings if complete else (), self.world.now, self.operating_systems[digest]
        )

    def _arrive(self, late: Late) -> None:
        digest, before = late.facts["digest"], len(self.world.documents())
        self.world.process(late.event, late.copies)
        tags = self._tags[int(digest.rpartition(":")[2])]
        result = self._results[digest]
        verdict = self.oracle.judge(**late.facts, result=result, current_tags=tags, now=self.world.now)
        if verdict.reason == "inventory":
            self.inventory.append(digest)
        documents = self.world.documents()[before:]
        images = [image for document in documents for image in document["images"]]
        failed = [image["digest"] for document in documents for image in document["failed_scans"]]
        assert failed == ([digest] if verdict.reason == "scan_failed" else [])
        if verdict.reason in ("", "inventory", "scan_failed"):
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
        for scan in steps:
            self._scan(replace(scan, gap=10 * timedelta(minutes=1), delivery="once"))
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
        self.world.process(late.event)
        digest = late.facts["digest"]
        tags = self._tags[int(digest.rpartition(":")[2])]
        verdict = self.oracle.judge(**late.facts, result=self._results[digest], current_tags=tags, now=self.world.now)
        if verdict.reason in ("", "inventory", "scan_failed"):
            return
        waiting = self.waiting.setdefault(digest, Waiting(late.facts["at"], verdict.open_before))
        waiting.unread = verdict.reason == "findings_not_read"
        if not waiting.unread:
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
    balance = open_before + totals["new"] + totals["back"] - totals["fixed"] - totals["withdrawn"]
    assert (image["open_before"], image["open_now"]) == (open_before, balance)
    assert image["findings_error"] or sum(image["counts"].values()) == balance


def number_of(id_: str) -> int:
    """Return the number in the id of a vulnerability."""
    return int(id_.rpartition("-")[2])


def identity(finding: Finding) -> Key:
    """Return the true identity of a finding."""
    return number_of(finding.id), finding.package
