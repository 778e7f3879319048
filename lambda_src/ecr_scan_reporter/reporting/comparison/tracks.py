"""Names the tracks of an image: a track is what people mean by "the application", which they rebuild and tag again."""

import re
from collections.abc import Iterable
from itertools import product

# What ECR accepts as a tag: any other text names no track, so that no label has the characters that end keys.
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}")
# A UUID or a commit that no other letter or digit touches; `git describe` writes a "g" before a commit.
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_COMMIT = re.compile(rf"((?<![0-9A-Za-z])g?)({_UUID}|[0-9a-fA-F]{{7,}})(?![0-9A-Za-z])")
_DIGITS = re.compile(r"[0-9]+")
# An image may have 1,000 tags; the first ones in alphabetical order are enough to find its predecessor.
_MAX_TAGS = 10
# Of more runs in one tag, the others are taken for commits.
_MAX_UNCLEAR = 2


def tag_families(tag: str) -> list[str]:
    """Return a tag with what changes from build to build replaced.

    Each UUID, and each run of seven or more hexadecimal digits that is bounded by what is no letter or digit, becomes
    `~`; each other run of digits becomes `#`. So `4.2.0` and `4.3.1` are one family, as are `main-3f2a9c1` and
    `main-77be01d`, but `v12-alpine` and `v12-slim` are two. About 4 % of commits that are cut to seven digits have no
    letter, so such a run may be either: the tag then belongs to both families, that of commits first.
    """
    parts: list[tuple[str, ...]] = []
    end = unclear = 0
    for match in _COMMIT.finditer(tag):
        parts.append((_DIGITS.sub("#", tag[end : match.start()]) + match[1],))
        may_be_number = match[2].isdecimal() and unclear < _MAX_UNCLEAR
        parts.append(("~", "#") if may_be_number else ("~",))
        unclear += may_be_number
        end = match.end()
    parts.append((_DIGITS.sub("#", tag[end:]),))
    return ["".join(choice) for choice in product(*parts)]


def track_labels(tags: Iterable[str]) -> list[str]:
    """Return the labels of an image's tracks: each of its tags, then the families of each tag.

    No label is the beginning of another one, so that a range of keys has those of one label.
    """
    kept = sorted(filter(_TAG.fullmatch, set(tags)))[:_MAX_TAGS]
    families = dict.fromkeys(family for tag in kept for family in tag_families(tag))
    return [f"tag:{tag}/" for tag in kept] + [f"family:{family}/" for family in families]
