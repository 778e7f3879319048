"""Quiet hours: windows of the week, by the clock of a time zone, in which reports wait."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import NamedTuple

EXPECTED = (
    'windows such as "FRI 18:00-MON 08:00", "MON-THU 20:00-07:00", "SAT 09:00-17:00" or "22:00-06:00", which do not '
    "cover the whole week"
)
ZONE_EXPECTED = 'the name of a time zone, such as "Europe/Berlin" or "UTC"'

_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_DAY, _TIME = f"(?:{'|'.join(_DAYS)})", "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_WINDOW = re.compile(f"(?:({_DAY})(?:-({_DAY}))? )?({_TIME})-(?:({_DAY}) )?({_TIME})")
# No absolute path, and none to another folder.
_ZONE = re.compile("[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_WEEK = timedelta(days=7)


class QuietWindow(NamedTuple):
    """A window. It begins on each of `days` (0 is Monday) at `start`, and ends `after` days later at `end`."""

    days: frozenset[int]
    start: time
    after: int
    end: time

    @classmethod
    def parse(cls, text: str) -> "QuietWindow":
        """Parse a window such as `FRI 18:00-MON 08:00`.

        Raises:
            ValueError: it has another form.
        """
        parts = _WINDOW.fullmatch(text.upper())
        if not parts or (parts[4] and (parts[2] or not parts[1])):
            raise ValueError(f"{text!r} is no window")
        first, start, end = _DAYS.index(parts[1] or "MON"), time.fromisoformat(parts[3]), time.fromisoformat(parts[5])
        last = _DAYS.index(parts[2] or parts[1] or "SUN")
        days = frozenset((first + n) % 7 for n in range((last - first) % 7 + 1))
        after = (_DAYS.index(parts[4]) - first) % 7 if parts[4] else 0
        if not after and end <= start:
            after = 7 if parts[4] else 1
        return cls(days, start, after, end)


class QuietHours(NamedTuple):
    """Windows of the week in which reports wait.

    Args:
        windows: one at least. They may overlap.
        zone: by whose clock.
        exploited: whether newly exploited findings are reported all the same.
    """

    windows: tuple[QuietWindow, ...]
    zone: tzinfo
    exploited: bool = False

    @classmethod
    def parse(cls, windows: Iterable[str], zone: tzinfo, *, exploited: bool = False) -> "QuietHours":
        """Parse windows.

        Raises:
            ValueError: one of them has another form, or they leave no time for a report.
        """
        quiet = cls(tuple(map(QuietWindow.parse, windows)), zone, exploited)
        start = datetime(2026, 1, 5, tzinfo=UTC)
        if (end := quiet.until(start)) and end - start > _WEEK:
            raise ValueError("the windows cover the whole week")
        return quiet

    def until(self, moment: datetime) -> datetime | None:
        """Return the end of the quiet hours that a moment is in; None if it is in none."""
        end = moment
        while end - moment <= _WEEK and (later := max(self._ends(end), default=None)):
            end = later
        return None if end == moment else end

    def _ends(self, moment: datetime) -> Iterator[datetime]:
        """Yield the ends of the windows that a moment is in."""
        today = moment.astimezone(self.zone).date()
        for window in self.windows:
            for days in range(window.after + 1):
                day = today - timedelta(days=days)
                start, end = (
                    # A time that a change of the clocks leaves out is an hour later; of one that it repeats, the first.
                    datetime.combine(on, at, self.zone).astimezone(UTC)
                    for on, at in ((day, window.start), (day + timedelta(days=window.after), window.end))
                )
                if day.weekday() in window.days and start <= moment < end:
                    yield end

    def due(self, due_at: datetime, now: datetime, checked: timedelta) -> datetime:
        """Return when something is due, given when it would be due without quiet hours.

        Args:
            due_at: that time.
            now: during quiet hours, nothing is due.
            checked: what is due is published within so long. If quiet hours began before, it is due at their end.
        """
        if end := self.until(now) or self.until(due_at):
            return end
        end = self.until(due_at + checked)
        return end if end and end <= now else due_at


def time_zone(name: str) -> tzinfo:
    """Return a time zone, with its changes of the clocks.

    The data of the runtime's operating system comes first, if there is any: images of Amazon Linux have been without.
    Then dateutil's own, which the runtime has with boto3; it may be a few years old.

    Raises:
        ValueError: there is no such zone.
    """
    # Not at the top: few reporters have quiet hours.
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from dateutil.zoneinfo import get_zonefile_instance

    if not _ZONE.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a time zone")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        zone: tzinfo | None = get_zonefile_instance().get(name)
        if zone is None:
            raise ValueError(f"there is no time zone {name!r}") from error
        return zone
