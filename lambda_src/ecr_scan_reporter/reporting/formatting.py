"""Words, dates, counts and names in all messages; untrusted text in them; the groups that `group_by` captures."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time

from ecr_scan_reporter.errors import UndecidedError
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.models.severities import SEVERITIES
from ecr_scan_reporter.settings import ReporterSettings
from ecr_scan_reporter.shared.durations import Duration
from ecr_scan_reporter.shared.matching import match

# Versions that one line names.
_MAX_VERSIONS = 3
# Why images were not scanned in time.
_COVERAGE_WORDS = {
    "never_scanned": "never scanned",
    "failed": "scan failed",
    "unsupported": "unsupported system",
    "too_old": "scanned too long ago",
    "expired": "monitoring lapsed",
    "quota": "daily quota used up",
    "not_read": "result not read yet",
    "other": "for another reason",
}


def short_digest(digest: str) -> str:
    """Shorten a digest to twelve hexadecimal digits, as `docker images` does."""
    return digest[:19]


def image_name(repository: str, name: str) -> str:
    """Return the full name of an image; `name` is a tag or a short digest."""
    return f"{repository}@{name}" if name.startswith("sha256:") else f"{repository}:{name}"


def captured_group(repository: str, group_by: re.Pattern[str] | None) -> str | None:
    """Return the group that `group_by` captures in the name of a repository.

    None if it is not set, does not match, or takes too long.
    """
    with suppress(UndecidedError):
        found = match(group_by, repository) if group_by else None
        return found.group(1) if found else None
    return None


def code(text: str) -> str:
    """Format untrusted text as a code span, in which nothing is markup."""
    text = truncate(replace_unprintable(text), 200).replace("`", "'")
    return f"`{text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}`"


def dumps(value: object) -> str:
    """Encode as strict JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def replace_unprintable(text: str) -> str:
    """Replace characters that break a line or hide text by "?"."""
    return "".join(char if char.isprintable() else "?" for char in text)


def to_ascii(text: str) -> str:
    """Replace characters that are not printable ASCII by "?"."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)


def truncate(text: str, length: int) -> str:
    """Cut a text to `length` characters, with an ellipsis if it is longer."""
    return text if len(text) <= length else text[: length - 3] + "..."


def pluralize(number: int, word: str, plural: str = "") -> str:
    """Format `1 image`, `2,000 images`."""
    return f"{number:,} {word if number == 1 else plural or f'{word}s'}"


def format_counts(counts: Mapping[str, int], severities: int = len(SEVERITIES), none: str = "no findings") -> str:
    """Format `2 critical, 9 high`, most severe first, with at most this many severities; `none` if all are zero."""
    known = [f"{counts[severity]:,} {severity.lower()}" for severity in SEVERITIES if counts.get(severity)]
    return ", ".join(known[:severities]) or none


def format_duration(duration: Duration) -> str:
    """Format `7 days`, `1 month, 2 weeks and 3 days`."""
    sizes = ((duration.months, "month"), (duration.weeks, "week"), (duration.days, "day"))
    *others, last = [pluralize(number, word) for number, word in sizes if number]
    return f"{', '.join(others)} and {last}" if others else last


def format_date(moment: datetime) -> str:
    """Format `9 Nov 2026`, UTC."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y}"


def format_day(moment: datetime, other: datetime) -> str:
    """Format `9 Nov`, UTC; with its year if that is not the year of `other`."""
    date = format_date(moment)
    return date if moment.astimezone(UTC).year != other.astimezone(UTC).year else date[: -len(" 2026")]


def start_of(day: date) -> datetime:
    """Return the beginning of a day, UTC."""
    return datetime.combine(day, time(), UTC)


def format_time(moment: datetime) -> str:
    """Format `09:14`, UTC."""
    return f"{moment.astimezone(UTC):%H:%M}"


def format_rfc3339(moment: datetime) -> str:
    """Format `2026-11-23T09:14:00Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def reason_words(reason: str) -> str:
    """Return why images were not scanned in time; an unknown reason in its own words."""
    return _COVERAGE_WORDS.get(reason) or " ".join(re.findall("[a-z0-9]+", reason.lower())) or _COVERAGE_WORDS["other"]


def package_label(package: str, versions: Sequence[str]) -> str:
    """Format `openssl 3.0.1-r2`."""
    return f"{package} {_named(versions)}".strip() or "package not named"


def fixed_in(versions: Sequence[str]) -> str:
    """Format `fixed in 3.0.15-r0`; "" if no version is known.

    Versions are not compared: each ecosystem orders them differently.
    """
    return f"fixed in {_named(versions)}" if versions else ""


def _named(versions: Sequence[str]) -> str:
    return ", ".join((*versions[:_MAX_VERSIONS], *(["..."] if len(versions) > _MAX_VERSIONS else [])))


def origin(registry: RegistryId, group: str | None, settings: ReporterSettings) -> str:
    """Format `prod (123456789012), eu-west-1, group team-a`: where a message comes from, and whom it is for."""
    account, region = registry
    is_named = settings.account_name and account == settings.registry.account
    where = f"{settings.account_name} ({account}), {region}" if is_named else f"Account {account}, {region}"
    return where if group is None else f"{where}, group {group}"


def foot(settings: ReporterSettings) -> list[str]:
    """Return the last lines of a mail: whom to ask, and where to ignore a finding or to send it to someone else."""
    questions = f": questions to {settings.contact}" if settings.contact else ""
    return [
        f'ecr-scan-reporter "{settings.name}" in {settings.registry.account}{questions}.',
        "Its Terraform module block says what is ignored (ignored_findings)",
        "and who gets what (subscriptions, group_by, severity_thresholds).",
    ]
