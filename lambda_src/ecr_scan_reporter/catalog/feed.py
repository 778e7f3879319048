"""Parses the catalog in CISA's format, and says whether to believe it.

https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities_schema.json
"""

import json
import re
from datetime import date, datetime, timedelta
from typing import Any, NoReturn

from ecr_scan_reporter.errors import FeedError
from ecr_scan_reporter.models.exploited import CatalogEntry

# There were 1,662 in August 2026, and 250 more come in a year. An item of the memory table has room for twice as many:
# those that were removed stay for a while.
MAX_ENTRIES = 5_000
# A copy with fewer than this share of the entries before is not believed. In three years, 11 entries were removed.
_MIN_SHARE_OF_BEFORE = 0.9
# CISA gave 1 to 184 days until August 2026.
_MAX_DAYS = 3650
_CVE, _DATE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}"), re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Python takes long for the digits of large numbers, and refuses more than 4,300 of them.
_MAX_DIGITS = 18


def parse_feed(data: bytes, now: datetime, before: int = 0) -> dict[str, CatalogEntry]:
    """Parse the catalog; return its entries by CVE id.

    Args:
        data: JSON in UTF-8.
        now: when the entries are read.
        before: how many entries the last copy had; 0 to believe one that has lost many.

    Raises:
        FeedError: it is no catalog, any entry of it is invalid, or it has lost many entries.
    """
    try:
        feed = json.loads(data.decode(), parse_int=_integer, parse_float=float, parse_constant=_refuse)
    except (RecursionError, ValueError) as error:
        raise FeedError(f"it is no JSON ({type(error).__name__})") from error
    listed = feed.get("vulnerabilities") if isinstance(feed, dict) else None
    if not isinstance(listed, list) or not listed:
        raise FeedError("it has no list of vulnerabilities")
    if feed.get("count") != len(listed):
        raise FeedError(f"it has {len(listed):,} vulnerabilities, and its count is another number")
    if len(listed) > MAX_ENTRIES:
        raise FeedError(f"it has {len(listed):,} vulnerabilities; expected at most {MAX_ENTRIES:,}")
    entries = dict(_entry(place, value, now) for place, value in enumerate(listed, start=1))
    if len(entries) < len(listed):
        raise FeedError("it has a vulnerability twice")
    if len(entries) < _MIN_SHARE_OF_BEFORE * before:
        raise FeedError(f"it has {len(entries):,} vulnerabilities, and the last copy had {before:,}")
    return entries


def _entry(place: int, value: Any, now: datetime) -> tuple[str, CatalogEntry]:
    found = value if isinstance(value, dict) else {}
    cve, added, due = found.get("cveID"), _day(found.get("dateAdded")), _day(found.get("dueDate"))
    if not isinstance(cve, str) or not _CVE.fullmatch(cve):
        raise FeedError(f"entry {place:,} has no CVE id")
    if not added or not due or added > now.date() + timedelta(days=1) or not 0 <= (due - added).days <= _MAX_DAYS:
        raise FeedError(f"the dates of {cve} are not those of an entry")
    ransomware = found.get("knownRansomwareCampaignUse") == "Known"
    return cve, CatalogEntry(added, (due - added).days, ransomware, now, now)


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and _DATE.fullmatch(value) else None
    except ValueError:
        return None


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("a number has too many digits")
    return int(digits)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
