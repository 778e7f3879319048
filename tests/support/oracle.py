"""An oracle of the reporter's memory: the rules of what is new, fixed, open and reported, written apart from the code.

It knows the true identity of every finding, which the code has to find out from ids, aliases, versions and duplicates.
It is slow and simple, and keeps everything it has ever seen.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

# The true identity of a finding: the number of the vulnerability, and the name of the package.
Key = tuple[int, str]

ORDER = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
NEWS = ("new", "back", "raised", "fix_available", "exploit_known")
GONE = ("fixed", "withdrawn")


@dataclass(frozen=True)
class Entry:
    """One entry of a scan; several entries may be of one finding."""

    key: Key
    version: str
    severity: str
    fix: bool
    exploit: bool


@dataclass(frozen=True)
class Result:
    """What ECR holds of the last scan of an image."""

    status: str
    completed_at: datetime
    entries: Sequence[Entry] = ()


@dataclass(frozen=True)
class Rules:
    """The settings of the reporter."""

    thresholds: Mapping[str, int]
    every_scan: bool = False
    notify_on_fixed: bool = False
    notify_on_failure: bool = True
    remind_after: timedelta | None = None


@dataclass
class Known:
    """A finding of an image."""

    first_seen: datetime
    worst: str
    severity: str
    fix: bool
    exploit: bool
    versions: frozenset[str]
    missed: int = 0
    gone_at: datetime | None = None


@dataclass
class ImageState:
    """An image as it is known."""

    pushed_at: datetime
    operating_system: str
    event_at: datetime | None = None
    scanned_at: datetime | None = None
    failed: bool = False
    tags: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    listed: Mapping[str, int] = field(default_factory=dict)
    reported_at: datetime | None = None
    findings: dict[Key, Known] = field(default_factory=dict)

    def open(self) -> dict[Key, Known]:
        return {key: known for key, known in self.findings.items() if known.gone_at is None}


@dataclass
class Verdict:
    """What has to become of one event. `words` has what changed since the scan before, where scans were compared."""

    reason: str = ""
    words: dict[Key, str] = field(default_factory=dict)
    open_before: int = 0


class Oracle:
    """Judges the events of one repository, in the order in which they are processed."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.images: dict[str, ImageState] = {}
        self.known_since: datetime | None = None
        self._tracks: dict[str, list[tuple[datetime, str]]] = {}

    def push(self, digest: str, pushed_at: datetime, operating_system: str) -> None:
        self.images[digest] = ImageState(pushed_at, operating_system)

    def judge(
        self,
        digest: str,
        at: datetime,
        tags: tuple[str, ...],
        failed: bool,
        counts: Mapping[str, int],
        result: Result,
        current_tags: tuple[str, ...],
        now: datetime,
    ) -> Verdict:
        """Judge an event; `result` and `current_tags` are what ECR holds when the event is processed."""
        image = self.images[digest]
        if image.event_at and at <= image.event_at:
            return Verdict()
        self.known_since = self.known_since or now
        unknown, image.event_at = image.event_at is None, at
        if image.scanned_at:
            self._join(digest, set(tags) - set(image.tags), at)
        if result.status == "COMPLETE" and (failed or result.entries or not any(counts.values())):
            image.failed = False
            return self._complete(digest, image, at, tags if image.scanned_at else current_tags, result, now)
        if failed and result.status != "COMPLETE":
            return self._failed(image, current_tags if unknown else tags, unknown)
        return self._unread(image, tags, counts, result)

    def _complete(
        self, digest: str, image: ImageState, at: datetime, tags: tuple[str, ...], result: Result, now: datetime
    ) -> Verdict:
        if image.scanned_at and result.completed_at <= image.scanned_at:
            return Verdict()
        first = image.scanned_at is None
        inventory = first and self._is_inventory(image)
        before, successor = image.findings, False
        if first and not inventory and (predecessor := self._predecessor(digest, tags)):
            before, successor = predecessor.findings, True
            image.reported_at = predecessor.reported_at
        if first:
            self._join(digest, tags, image.pushed_at)
        image.tags, image.scanned_at = tags, result.completed_at
        image.listed = Counter(entry.severity for entry in result.entries)
        open_before = sum(known.gone_at is None for known in before.values())
        image.findings, words = self._compare(result.entries, before, at, successor)
        image.counts = Counter(known.severity for known in image.open().values())
        reason = "inventory" if inventory else self._reason(image, words, now)
        if reason:
            image.reported_at = now
        return Verdict(reason, words, open_before)

    def _failed(self, image: ImageState, tags: tuple[str, ...], unknown: bool) -> Verdict:
        again, image.failed = image.failed, True
        if again:
            return Verdict()
        image.tags = tags
        if unknown and self._is_inventory(image):
            return Verdict("inventory")
        return Verdict("scan_failed" if self.rules.notify_on_failure else "")

    def _unread(self, image: ImageState, tags: tuple[str, ...], counts: Mapping[str, int], result: Result) -> Verdict:
        image.tags = tags
        worth = _positive(counts) != _positive(image.listed) and self._over(counts)
        never_read = image.scanned_at is None
        if never_read:
            image.counts = image.listed = counts
        if result.status == "SCAN_ELIGIBILITY_EXPIRED":
            return Verdict()
        # A scan that was complete came after the one that failed, even if nobody could read its findings.
        image.failed = False
        if not worth:
            return Verdict()
        return Verdict("inventory" if never_read and self._is_inventory(image) else "findings_not_read")

    def _is_inventory(self, image: ImageState) -> bool:
        assert self.known_since
        return image.pushed_at < self.known_since - timedelta(days=1)

    def _join(self, digest: str, tags: Iterable[str], since: datetime) -> None:
        for label in _labels(tags):
            self._tracks.setdefault(label, []).append((since, digest))

    def _predecessor(self, digest: str, tags: tuple[str, ...]) -> ImageState | None:
        """Return the image that had one of the tags before, or else the newest earlier one of the same family."""
        image = self.images[digest]
        for label in _labels(tags):
            earlier = [found for found in self._tracks.get(label, ()) if found[0] < image.pushed_at]
            for _, other in sorted(earlier, reverse=True):
                candidate = self.images[other]
                systems = {image.operating_system, candidate.operating_system} - {""}
                if other != digest and len(systems) < 2:
                    return candidate
        return None

    def _compare(
        self, entries: Sequence[Entry], before: Mapping[Key, Known], at: datetime, successor: bool
    ) -> tuple[dict[Key, Known], dict[Key, str]]:
        scan = _fold(entries)
        installed = {(entry.key[1], entry.version) for entry in entries}
        after: dict[Key, Known] = {}
        words: dict[Key, str] = {}
        for key, known in before.items():
            if known.gone_at and at - known.gone_at > timedelta(days=30):
                continue
            if key in scan:
                word, after[key] = self._again(known, scan[key])
                words[key] = "back" if known.gone_at else word
                continue
            copy = after[key] = Known(**vars(known))
            if known.gone_at:
                continue
            if successor:
                same_version = any((key[1], version) in installed for version in known.versions)
                words[key] = "still_open" if same_version else "fixed"
                copy.missed = 1
            else:
                copy.missed += 1
                words[key] = "withdrawn" if copy.missed == 2 else "still_open"
            if words[key] != "still_open":
                copy.gone_at = at
        for key in scan.keys() - after.keys():
            found = scan[key]
            after[key], words[key] = found, "new"
            found.first_seen = at
        return after, words

    def _again(self, known: Known, found: Known) -> tuple[str, Known]:
        word = "still_open"
        if found.fix and not known.fix:
            word = "fix_available"
        if found.exploit and not known.exploit:
            word = "exploit_known"
        worse = ORDER.index(found.severity) < ORDER.index(known.worst)
        if worse and found.severity in self.rules.thresholds:
            word = "raised"
        found.first_seen = known.first_seen
        found.worst = found.severity if worse else known.worst
        found.fix, found.exploit = found.fix or known.fix, found.exploit or known.exploit
        return word, found

    def _over(self, counts: Mapping[str, int]) -> set[str]:
        return {severity for severity, number in self.rules.thresholds.items() if counts.get(severity, 0) >= number}

    def _reason(self, image: ImageState, words: Mapping[Key, str], now: datetime) -> str:
        over = self._over(image.counts)
        if any(word in NEWS and image.findings[key].severity in over for key, word in words.items()):
            return "news"
        if over and self.rules.every_scan:
            return "every_scan"
        last = image.reported_at
        if over and self.rules.remind_after and (last is None or last <= now - self.rules.remind_after):
            return "reminder"
        gone = [key for key, word in words.items() if word in GONE]
        if self.rules.notify_on_fixed and any(image.findings[key].severity in self.rules.thresholds for key in gone):
            return "fixed"
        return ""


def net(first_at: datetime, reported: Sequence[Mapping[Key, str]], open_now: Mapping[Key, datetime]) -> dict[Key, str]:
    """Return what several scans of one image amount to, as if there had been one.

    Args:
        first_at: when the first scan was that is reported.
        reported: the words of each scan that is reported; others may have come between.
        open_now: what is open after the last one of them, and when it was first seen.
    """
    words: dict[Key, str] = {}
    for key in {key for found in reported for key in found} | set(open_now):
        said = [found[key] for found in reported if key in found]
        was_open = reported[0].get(key, "new") not in ("new", "back")
        if key not in open_now:
            if was_open:
                words[key] = said[-1] if said[-1] in GONE else "withdrawn"
        elif was_open:
            gone = max((number for number, word in enumerate(said) if word in GONE), default=-1)
            lasting = [word for word in said[gone + 1 :] if word not in ("still_open", "back", "new")]
            words[key] = lasting[-1] if lasting else "still_open"
        else:
            appeared = [word for word in said if word in ("new", "back")]
            words[key] = appeared[0] if appeared else "back" if open_now[key] < first_at else "new"
    return words


def _fold(entries: Sequence[Entry]) -> dict[Key, Known]:
    """Fold the entries of each finding into one, with the worst severity."""
    folded: dict[Key, Known] = {}
    for key in {entry.key for entry in entries}:
        same = [entry for entry in entries if entry.key == key]
        worst = min((entry.severity for entry in same), key=ORDER.index)
        fix, exploit = any(entry.fix for entry in same), any(entry.exploit for entry in same)
        versions = frozenset(entry.version for entry in same)
        folded[key] = Known(datetime.min, worst, worst, fix, exploit, versions)
    return folded


def _labels(tags: Iterable[str]) -> list[str]:
    """Return the tags in their order, and then their families: commits stand for any commit, digits for any digits."""
    families = {re.sub("[0-9]+", "0", re.sub(r"(?<=-)[0-9a-f]{7}$", "commit", tag)) for tag in tags}
    return [f"tag {tag}" for tag in sorted(tags)] + [f"family {family}" for family in sorted(families)]


def _positive(counts: Mapping[str, int]) -> dict[str, int]:
    return {severity: number for severity, number in counts.items() if number}
