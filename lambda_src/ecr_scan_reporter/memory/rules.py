"""The rules for ignored findings in the table, as Terraform wrote them, and when each was added and used."""

import json
import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

from ecr_scan_reporter.aws.dynamodb import Item, Table
from ecr_scan_reporter.errors import AwsError
from ecr_scan_reporter.memory import lifetimes
from ecr_scan_reporter.memory.codec import attributes, from_item, readable
from ecr_scan_reporter.memory.items import END, expires, text, to_seconds
from ecr_scan_reporter.settings import compile_regexp
from ecr_scan_reporter.shared.concurrency import concurrent_map

logger = logging.getLogger(__name__)

_RULES, _USES = "IGNORED", "RULES"
# After how long the rules are read again, and the use of a rule is written again: neither costs a request per event.
_READ_AGAIN_AFTER, _WRITE_AFTER = timedelta(minutes=5), timedelta(days=1)


class IgnoreRule(NamedTuple):
    """A rule for findings that should not be reported.

    Args:
        id: of the vulnerability; "" if the rule names a package.
        package: the name of a package; "" if the rule names a vulnerability.
        reason: why the findings are ignored.
        owner: who answers for that.
        expires: the day on which the rule ends (UTC); None if it ends for each finding when a fix is known.
        repositories: matched from the start of a repository's name; None for all.
        key: identifies the rule, by all that it says.
    """

    id: str
    package: str
    reason: str
    owner: str
    expires: date | None
    repositories: re.Pattern[str] | None
    key: str

    @property
    def name(self) -> str:
        """The rule as people know it, such as `CVE-2026-1234 in team-a/`."""
        where = f" in {self.repositories.pattern}" if self.repositories else ""
        return (self.id or f"package {self.package}") + where


class RuleUse(NamedTuple):
    """When a rule was used, to the day. Times are None for never.

    Args:
        added_at: when the reporter first read the rule.
        matched_at: when it last matched a finding, even one that an earlier rule already ignored.
        used_at: when it last ignored a finding.
        ended_at: when it last failed to match a finding because a fix is known.
    """

    added_at: datetime | None = None
    matched_at: datetime | None = None
    used_at: datetime | None = None
    ended_at: datetime | None = None


class RuleMemory:
    """The part of the memory table with the rules. A copy is kept for five minutes.

    A rule that cannot be read matches nothing, so its findings are reported; a warning says why.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._read_at: datetime | None = None
        self._rules: tuple[IgnoreRule, ...] = ()
        self._uses: dict[str, RuleUse] = {}

    def read(self, now: datetime) -> tuple[IgnoreRule, ...]:
        """Return the rules, in the order of the list; those read last if DynamoDB rejects the call.

        Raises:
            AwsError: DynamoDB rejected the call, and none were read before: what they ignore is not known.
        """
        if self._read_at and self._read_at <= now < self._read_at + _READ_AGAIN_AFTER:
            return self._rules
        try:
            rules = tuple(_rules(sorted(self._table.query(_RULES, " ", END), key=_position)))
            uses = self._table.query(_USES, " ", END) if rules else ()
            self._uses = dict(readable(uses, _use))
            self._rules, self._read_at = rules, now
        except AwsError as error:
            if self._read_at is None:
                raise
            extra = {"reason": str(error), "rules": len(self._rules)}
            logger.warning("could not read ignored_findings; the rules read last still apply", extra=extra)
        return self._rules

    def uses(self) -> Mapping[str, RuleUse]:
        """Return when each rule was used, by its key, as of the last `read`."""
        return self._uses

    def remember(
        self, matched: Collection[str], used: Collection[str], ended: Collection[str], now: datetime, pool: Executor
    ) -> None:
        """Remember the use of rules, each at most once a day. A failure is only logged; the next use is remembered.

        Args:
            matched: the keys of the rules that matched.
            used: the keys of those that ignored a finding.
            ended: the keys of those that did not match because a fix is known.
            pool: for concurrent calls.
        """
        if self._read_at is None:
            # The uses may not have been read yet, and must not be overwritten as new.
            return
        added: dict[str, RuleUse] = {}
        changes: list[tuple[str, dict[str, datetime]]] = []
        for key in {rule.key for rule in self._rules}:
            known = self._uses.get(key, RuleUse())
            times = {"matched_at": key in matched, "used_at": key in used, "ended_at": key in ended}
            changed = {
                name: now
                for name, happened in times.items()
                if happened and now - (getattr(known, name) or now - _WRITE_AFTER) >= _WRITE_AFTER
            }
            if not known.added_at:
                added[key] = RuleUse(added_at=now, **changed)
            elif changed:
                changes.append((key, changed))
        try:
            self._table.put_many(_use_item(key, use, now) for key, use in added.items())
            self._uses |= added
            concurrent_map(pool, lambda change: self._update(*change, now), changes)
        except AwsError as error:
            logger.warning("could not remember the use of ignored_findings", extra={"reason": str(error)})

    def _update(self, key: str, changed: Mapping[str, datetime], now: datetime) -> None:
        times = {name: to_seconds(moment) for name, moment in changed.items()}
        item = self._table.update((_USES, key), {"expires": expires(now, lifetimes.RULE_USE), **times})
        self._uses.update(readable([item], _use))


def _position(item: Item) -> int:
    sk = text(item, "sk")
    return int(sk) if sk.isdecimal() else 0


def _rules(items: Sequence[Item]) -> Iterator[IgnoreRule]:
    for item in items:
        try:
            values = json.loads(text(item, "rules"))
        except (RecursionError, ValueError) as error:
            values = error
        if not isinstance(values, list):
            _warn(f"item {text(item, 'sk')}", f"rules is {values!r:.100}; expected a JSON list")
            continue
        for value in values:
            try:
                yield parse_rule(value)
            except ValueError as error:
                _warn(f"{value!r:.200}", str(error))


def parse_rule(value: object) -> IgnoreRule:
    """Parse a rule of `ignored_findings`.

    Raises:
        ValueError: the rule is invalid; the message says what is expected.
    """
    if not isinstance(value, dict):
        raise ValueError(f"the rule is {value!r:.100}; expected a JSON object")
    texts = {name: _text(value, name) for name in ("id", "package", "reason", "owner", "expires", "repositories")}
    if bool(texts["id"]) == bool(texts["package"]) or not texts["reason"] or not texts["owner"]:
        raise ValueError("expected either id or package, a reason and an owner")
    until_fixed = value.get("until_fixed") in (True, "true")
    if bool(texts["expires"]) == until_fixed:
        raise ValueError("expected either expires or until_fixed = true")
    return IgnoreRule(
        id=texts["id"],
        package=texts["package"],
        reason=texts["reason"],
        owner=texts["owner"],
        expires=None if until_fixed else date.fromisoformat(texts["expires"]),
        repositories=compile_regexp("repositories", texts["repositories"]) if texts["repositories"] else None,
        key=sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32],
    )


def _text(value: Mapping[str, Any], name: str) -> str:
    part = value.get(name) or ""
    if not isinstance(part, str):
        raise ValueError(f"{name} is {part!r:.100}; expected text")
    return part


def _use(item: Item) -> tuple[str, RuleUse]:
    return text(item, "sk"), from_item(RuleUse, item)


def _use_item(key: str, use: RuleUse, now: datetime) -> Item:
    return {"pk": _USES, "sk": key, "expires": expires(now, lifetimes.RULE_USE), **attributes(use)}


def _warn(rule: str, reason: str) -> None:
    extra = {"rule": rule, "reason": reason}
    logger.warning("could not read a rule of ignored_findings; its findings are reported", extra=extra)
