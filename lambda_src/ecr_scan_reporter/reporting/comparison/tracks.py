"""Names the tracks of an image: a track is what people mean by "the application", which they rebuild and tag again."""

import re
from collections.abc import Iterable

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{7,}")
_DIGITS = re.compile(r"[0-9]+")
# An image may have 1,000 tags; the first ones in alphabetical order are enough to find its predecessor.
_MAX_TAGS = 10


def tag_family(tag: str) -> str:
    """Return a tag with what changes from build to build replaced.

    Each UUID, and each run of seven or more hexadecimal digits with both a digit and a letter, becomes `~`; each run of
    digits becomes `#`. So `4.2.0` and `4.3.1` are one family, as are `main-3f2a9c1` and `main-77be01d`, but
    `v12-alpine` and `v12-slim` are two.
    """
    return _DIGITS.sub("#", _HEXADECIMAL.sub(_replace_commit, _UUID.sub("~", tag)))


def _replace_commit(match: re.Match[str]) -> str:
    text = match.group()
    return text if text.isdigit() or text.isalpha() else "~"


def track_labels(tags: Iterable[str]) -> list[str]:
    """Return the labels of an image's tracks: each of its tags, then each family of its tags."""
    kept = sorted(set(tags))[:_MAX_TAGS]
    return [f"tag:{tag}" for tag in kept] + [f"family:{family}" for family in sorted({tag_family(tag) for tag in kept})]
