"""The families of random histories: which builds one repository gets, and how they are tagged.

Builds are pushed in their order, unless a history chooses another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

INDEX_MEDIA_TYPE = "application/vnd.oci.image.index.v1+json"

_BOTH = ("linux/amd64", "linux/arm64")
_ARM_FIRST = ("linux/arm64/v8", "linux/amd64")
# Before the first retry of an event that came five minutes after the push, and long after the last one.
_SOON, _NEXT_DAY = timedelta(minutes=5, seconds=30), timedelta(days=1)


@dataclass(frozen=True)
class Build:
    """A build: one image if its platform is unknown, otherwise an index, which may be made some time later.

    `app` is a number of the applications.
    """

    tags: tuple[str, ...]
    platforms: tuple[str, ...] = ("",)
    app: int = 0
    index_after: timedelta = timedelta()


@dataclass(frozen=True)
class Family:
    """The builds of a repository; those of `old` were there before memory was. Daily builds change little."""

    builds: tuple[Build, ...]
    old: frozenset[int] = frozenset()
    daily: bool = False


def _plain(tags: Sequence[str], app: int = 0) -> tuple[Build, ...]:
    return tuple(Build((tag,), app=app) for tag in tags)


def _in_turn(*lines: Sequence[Build]) -> tuple[Build, ...]:
    return tuple(build for builds in zip(*lines, strict=True) for build in builds)


def _hashes(app: int, number: int) -> tuple[Build, ...]:
    return _plain([sha256(f"{app}/{n}".encode()).hexdigest() for n in range(number)], app)


# The fourth commit is one of the 3.8 % without a letter.
_COMMITS = ("main-3f2a9c1", "main-77be01d", "main-c0ffee1", "main-5176135", "main-deadbee", "main-0a1b2c3")

FAMILIES = {
    "versions": Family((*_plain(["1.0", "1.1", "1.10", "1.1-slim", "2.0", "0.9"]),), old=frozenset({4, 5})),
    "release lines": Family(
        _in_turn(_plain(["v1.9.4", "v1.9.5", "v1.9.10"]), _plain(["v2.3.0", "v2.3.1", "v2.3.2"])), old=frozenset({0})
    ),
    "commits": Family(_plain(_COMMITS), old=frozenset({0})),
    "described": Family(
        _plain(["api-1.4-2-g5176135", "api-1.4-7-g3f2a9c1", "api-1.5-0-g8812345", "api-1.5-1-gfacade1"])
    ),
    "hashes of two applications": Family(_in_turn(_hashes(0, 3), _hashes(1, 3))),
    "latest": Family(tuple(Build(("latest",)) for _ in range(5))),
    "main with commits": Family(tuple(Build(("main", commit)) for commit in _COMMITS), old=frozenset({1})),
    "indexes": Family(
        (
            Build(("1.0",)),
            Build(("1.1",), _BOTH),
            Build(("1.2",)),
            Build(("1.3",), _ARM_FIRST),
            Build(("1.4",), ("linux/amd64",)),
            Build(("1.5",), _BOTH),
        )
    ),
    "indexes of main": Family(
        (
            Build(("main",)),
            Build(("main",), _BOTH),
            Build(("main", "1.0")),
            Build(("main",)),
            Build(("main", "1.1"), _BOTH),
            Build(("main",), _BOTH),
        )
    ),
    "indexes of commits": Family(
        tuple(
            Build((commit,), platforms)
            for commit, platforms in zip(_COMMITS, (("",), _BOTH, _BOTH, ("",), _BOTH, _BOTH), strict=True)
        )
    ),
    "indexes made later": Family(
        (
            Build(("1.0",), _BOTH),
            Build(("1.1",), _BOTH, index_after=_SOON),
            Build(("1.2",), _BOTH, index_after=_NEXT_DAY),
            Build(("1.3",), _BOTH, index_after=_SOON),
            Build(("1.4",), _BOTH),
        )
    ),
    "branches": Family(
        (
            *_plain(["main-3f2a9c1", "main-77be01d", "feature-login", "main-5176135"]),
            *_plain(["feature-login", "fix-CVE-2026-1234", "nightly"]),
        )
    ),
    "daily dates": Family(_plain([f"2026-03-{day:02}" for day in range(1, 11)]), daily=True),
    "daily commits": Family(tuple(Build((commit,)) for commit in _COMMITS), daily=True),
    "daily latest": Family(tuple(Build(("latest",)) for _ in range(8)), daily=True),
}
