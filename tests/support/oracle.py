"""An oracle of the reporter's memory: the rules of what is new, fixed, open and reported, written apart from the code.

It knows the true identity of every finding, which the code has to find out from ids, aliases, versions and duplicates.
It is slow and simple, and keeps everything it has ever seen. Which image replaces which is in `oracle_predecessors`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Literal

from support.oracle_predecessors import (
    ImageState,
    Key,
    Known,
    find_alike,
    find_last_build,
    find_predecessor,
    is_replaced,
    is_superseded,
)

ORDER = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
NEWS = ("new", "back", "raised", "fix_available", "exploit_known")
GONE = ("fixed", "withdrawn")
# For how many days the ids of events are known, and how much the dates of a scan and its event differ at most.
_ID_DAYS, _DATES_DIFFER = 14, timedelta(minutes=30)
# What was not among the open findings of the image before.
APPEARED = ("new", "back", "known_here")

# What a scan is compared with: an earlier one of the same digest, the predecessor's, or that of an image much alike.
Baseline = Literal["same", "predecessor", "alike"]


@dataclass(frozen=True)
class Entry:
    """One entry of a scan; several entries may be of one finding. An advisory may be about several vulnerabilities."""

    key: Key
    version: str
    severity: str
    fix: bool
    exploit: bool
    about: Sequence[int] = ()


@dataclass(frozen=True)
class Result:
    """What ECR holds of the last scan of an image; `reason` is why it failed."""

    status: str
    completed_at: datetime
    entries: Sequence[Entry] = ()
    reason: str = ""


@dataclass(frozen=True)
class Rules:
    """The settings of the reporter; `fix_within` is days by severity."""

    thresholds: Mapping[str, int]
    every_scan: bool = False
    notify_on_fixed: bool = False
    notify_on_failure: bool = True
    remind_after: timedelta | None = None
    fix_within: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Verdict:
    """What has to become of one event. `words` has what changed since the scan before, where scans were compared.

    `short`: the list of findings is shorter than the event says.
    """

    reason: str = ""
    words: dict[Key, str] = field(default_factory=dict)
    open_before: int = 0
    short: bool = False


class Oracle:
    """Judges the events of one repository, in the order in which they are processed."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.images: dict[str, ImageState] = {}
        self.known_since: datetime | None = None

    def push(self, digest: str, pushed_at: datetime, build: str = "") -> None:
        self.images[digest] = ImageState(digest, pushed_at, build or digest)

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
        platform: str = "",
    ) -> Verdict:
        """Judge an event; `result`, `current_tags` and `platform` are what ECR has when the event is processed."""
        image = self.images[digest]
        day = now.toordinal()
        if at in image.events and day - image.events[at] <= _ID_DAYS:
            return Verdict()
        image.events[at] = day
        self.known_since = self.known_since or now
        unknown, late = image.event_at is None, image.event_at is not None and at < image.event_at
        if late:
            # Later events have said what there is to say, unless the last one was of a scan that failed.
            if result.status != "COMPLETE" and (failed or not image.outcome):
                return Verdict()
            counts = counts if result.status != "COMPLETE" else {}
        time = image.event_at = max(at, image.event_at or at)
        if not image.scanned_at or (result.status == "COMPLETE" and result.completed_at > image.scanned_at):
            image.tags |= set(tags)
        if not image.scanned_at and (failed or result.status == "COMPLETE"):
            image.tags |= set(current_tags)
            image.platform = platform
        if result.status == "COMPLETE":
            verdict = self._complete(image, time, failed, counts, result, now, late)
            if verdict.reason and not tags:
                # Before an image is named, its index is looked up.
                image.tags |= set(current_tags)
                image.platform = platform
            return verdict
        if failed:
            return self._failed(image, result.reason, unknown)
        return self._unread(image, counts, result, late)

    def overdue(self, digest: str, now: datetime) -> bool:
        """Return whether an image is reported when somebody asks about its deadlines."""
        return bool(self._newly_overdue(self.images[digest], now))

    def _complete(
        self,
        image: ImageState,
        at: datetime,
        failed: bool,
        counts: Mapping[str, int],
        result: Result,
        now: datetime,
        late: bool,
    ) -> Verdict:
        if image.scanned_at and result.completed_at <= image.scanned_at:
            if late:
                return Verdict()
            image.outcome = ""
            is_other = not failed and result.completed_at <= at + _DATES_DIFFER and counts != image.listed
            return self._unread(image, counts, result) if is_other else Verdict()
        image.outcome, image.known = "", True
        # A list that is shorter than its event says nothing about what is absent; the counts of an earlier scan do not
        # matter.
        short = not failed and result.completed_at <= at and len(result.entries) < sum(counts.values())
        first, scan = image.scanned_at is None, _fold(result.entries)
        inventory = first and self._is_inventory(image)
        baseline, other = self._baseline(image, set(scan), inventory)
        if other is not image:
            image.reported_at = other.reported_at
        before = other.open() if baseline == "alike" else other.findings
        open_before = 0 if baseline == "alike" else len(other.open())
        image.findings, words = self._compare(result.entries, before, at, baseline, short)
        image.scanned_at = result.completed_at
        image.counts = Counter(known.severity for known in image.open().values())
        image.listed = Counter(entry.severity for entry in result.entries)
        overdue = self._newly_overdue(image, at if inventory else now)
        reason = "inventory" if inventory else self._reason(image, words, overdue, now)
        told, image.told = image.told, _positive(counts) if short else {}
        if not reason and short and image.told != told and self._over(counts):
            reason = "findings_not_read"
        if reason:
            image.reported_at = now
        return Verdict(reason, words, open_before, short)

    def _failed(self, image: ImageState, reason: str, unknown: bool) -> Verdict:
        last = image.outcome
        if last is None and (before := find_last_build(image, self.images)):
            last = self.images[before].outcome
        image.outcome, image.known = reason, True
        if unknown and self._is_inventory(image):
            return Verdict("inventory")
        return Verdict("scan_failed" if self.rules.notify_on_failure and last != reason else "")

    def _unread(self, image: ImageState, counts: Mapping[str, int], result: Result, late: bool = False) -> Verdict:
        # What counts is what the last scan listed, entry by entry. The same counts are told once.
        known, image.told = (_positive(image.listed), _positive(image.told)), _positive(counts)
        worth = _positive(counts) not in known and self._over(counts)
        never_read = image.scanned_at is None
        if never_read:
            image.counts = image.listed = counts
        if result.status == "SCAN_ELIGIBILITY_EXPIRED":
            return Verdict()
        # A scan that was complete came after the one that failed, even if nobody could read its findings.
        if not late:
            image.outcome = None if never_read else ""
        if not worth:
            return Verdict()
        return Verdict("inventory" if never_read and self._is_inventory(image) else "findings_not_read")

    def _is_inventory(self, image: ImageState) -> bool:
        assert self.known_since
        return image.pushed_at < self.known_since - timedelta(days=1)

    def _baseline(self, image: ImageState, findings: set[Key], inventory: bool) -> tuple[Baseline, ImageState]:
        """Return what a scan is compared with; the predecessor is found by the first complete one, once."""
        if image.scanned_at or inventory:
            return "same", image
        image.predecessor = find_predecessor(image, self.images, findings)
        if image.predecessor:
            return "predecessor", self.images[image.predecessor]
        alike = find_alike(image, self.images, findings)
        return ("alike", self.images[alike]) if alike else ("same", image)

    def _compare(
        self, entries: Sequence[Entry], before: Mapping[Key, Known], at: datetime, baseline: Baseline, short: bool
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
                words[key] = "back" if known.gone_at else "known_here" if baseline == "alike" else word
            elif baseline != "alike":
                copy = after[key] = Known(**vars(known))
                advisories = [entry for entry in entries if entry.key[1] == key[1] and key[0] in entry.about]
                if advisories and not known.gone_at:
                    # An advisory is about it.
                    words[key], copy.absent_since = "still_open", None
                    copy.versions = frozenset(entry.version for entry in advisories)
                elif not known.gone_at:
                    same_version = any((key[1], version) in installed for version in known.versions)
                    fixed = baseline == "predecessor" and not same_version
                    words[key] = "still_open" if short else _absent(copy, at, fixed)
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
        found.first_seen, found.overdue_told = known.first_seen, known.overdue_told
        found.worst = found.severity if worse else known.worst
        found.fix, found.exploit = found.fix or known.fix, found.exploit or known.exploit
        return word, found

    def _over(self, counts: Mapping[str, int]) -> set[str]:
        return {severity for severity, number in self.rules.thresholds.items() if counts.get(severity, 0) >= number}

    def _newly_overdue(self, image: ImageState, now: datetime) -> list[Known]:
        """Return the findings whose deadline has passed and that are to be reported for that; each is told once."""
        late = []
        for known in image.open().values():
            if days := self.rules.fix_within.get(known.severity):
                day = known.first_seen.astimezone(UTC).date() + timedelta(days=days)
                if datetime.combine(day, time(), UTC) <= now and not known.overdue_told:
                    late.append(known)
        if is_superseded(image, self.images):
            return []
        for known in late:
            known.overdue_told = True
        return late

    def _reason(self, image: ImageState, words: Mapping[Key, str], late: Sequence[Known], now: datetime) -> str:
        over = self._over(image.counts)
        if any(word in NEWS and image.findings[key].severity in over for key, word in words.items()):
            return "news"
        if over and self.rules.every_scan:
            return "every_scan"
        if late:
            return "overdue"
        gone = [key for key, word in words.items() if word in GONE]
        # If another image has replaced this one, it says what is fixed.
        told = not is_replaced(image, self.images)
        if (
            told
            and self.rules.notify_on_fixed
            and any(image.findings[key].severity in self.rules.thresholds for key in gone)
        ):
            return "fixed"
        last = image.reported_at
        if over and self.rules.remind_after and (last is None or last <= now - self.rules.remind_after):
            return "reminder"
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
        was_open = reported[0].get(key, "new") not in APPEARED
        if key not in open_now:
            if was_open:
                words[key] = said[-1] if said[-1] in GONE else "withdrawn"
        elif was_open:
            gone = max((number for number, word in enumerate(said) if word in GONE), default=-1)
            lasting = [word for word in said[gone + 1 :] if word not in ("still_open", *APPEARED)]
            words[key] = lasting[-1] if lasting else "still_open"
        else:
            appeared = [word for word in said if word in APPEARED]
            words[key] = appeared[0] if appeared else "back" if open_now[key] < first_at else "new"
    return words


def _absent(known: Known, at: datetime, fixed: bool) -> str:
    """Return what it means that a scan does not have a finding, and note it."""
    word = "still_open"
    if fixed:
        word = "fixed"
    elif known.absent_since is None:
        known.absent_since = at
    elif at - known.absent_since >= timedelta(hours=20):
        word = "withdrawn"
    if word != "still_open":
        known.gone_at = at
    return word


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


def _positive(counts: Mapping[str, int]) -> dict[str, int]:
    return {severity: number for severity, number in counts.items() if number}
