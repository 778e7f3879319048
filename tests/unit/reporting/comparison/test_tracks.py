"""Tags that change from build to build are one family, and the variants of an image are not."""

import re

import pytest
from ecr_scan_reporter.reporting.comparison.tracks import tag_families, track_labels
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("tag", "families"),
    [
        ("4.2.0", ["#.#.#"]),
        ("v1.10.3-rc2", ["v#.#.#-rc#"]),
        ("2026-11-23", ["#-#-#"]),
        ("v12-alpine", ["v#-alpine"]),
        ("v12-slim", ["v#-slim"]),
        ("python", ["python"]),
        ("python3.9", ["python#.#"]),
        ("latest", ["latest"]),
        # Seven hexadecimal digits are a commit, with or without digits and letters; six are not.
        ("main-3f2a9c1", ["main-~"]),
        ("main-77be01d", ["main-~"]),
        ("prod-deadbeef", ["prod-~"]),
        ("deadbeef", ["~"]),
        ("3f2a9c1d77be01d3f2a9c1d77be01d3f2a9c1d7a", ["~"]),
        ("3F2A9C1", ["~"]),
        ("3f2a9c", ["#f#a#c"]),
        ("facade-1", ["facade-#"]),
        ("main_3f2a9c1.2", ["main_~.#"]),
        # Of digits alone, they may be a number as well: of a build, or of the second.
        ("main-5176135", ["main-~", "main-#"]),
        ("main-517613", ["main-#"]),
        ("20261123", ["~", "#"]),
        ("1722500000", ["~", "#"]),
        ("1.0.1234567", ["#.#.~", "#.#.#"]),
        ("main-51761350-1722500000", ["main-~-~", "main-~-#", "main-#-~", "main-#-#"]),
        ("main-3f2a9c1-1722500000", ["main-~-~", "main-~-#"]),
        ("1111111-2222222-3333333", ["~-~-~", "~-#-~", "#-~-~", "#-#-~"]),
        # `git describe` writes a "g" before the commit.
        ("v1.2-3-g3f2a9c1", ["v#.#-#-g~"]),
        ("v1.2-3-g5176135", ["v#.#-#-g~", "v#.#-#-g#"]),
        ("g3f2a9c1", ["g~"]),
        # No other letter or digit touches a commit.
        ("3f2a9cg", ["#f#a#cg"]),
        ("v3f2a9c1", ["v#f#a#c#"]),
        ("build5176135", ["build#"]),
        ("gg3f2a9c1", ["gg#f#a#c#"]),
        ("G3f2a9c1", ["G#f#a#c#"]),
        ("3f2a9c1x", ["#f#a#c#x"]),
        ("pr-12-3f2a9c1-amd64", ["pr-#-~-amd#"]),
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", ["~"]),
        ("build-3F2504E0-4F89-11D3-9A0C-0305E82C3301.2", ["build-~.#"]),
        # A UUID of digits alone is one as well.
        ("12345678-1234-1234-1234-123456789012", ["~"]),
        ("", [""]),
    ],
)
def test_families_of_a_tag(tag: str, families: list[str]) -> None:
    assert tag_families(tag) == families


def test_labels_are_the_tags_and_their_families() -> None:
    assert track_labels(["4.2.0", "latest", "4.3.1"]) == [
        "tag:4.2.0/",
        "tag:4.3.1/",
        "tag:latest/",
        "family:#.#.#/",
        "family:latest/",
    ]
    assert track_labels([]) == []
    # Of a thousand tags, ten.
    assert track_labels(str(number) for number in range(1000, 2000)) == [
        *(f"tag:{number}/" for number in range(1000, 1010)),
        "family:#/",
    ]
    # ECR has no such tags.
    assert track_labels(["", "a/b", "a#1", "~", "-1", "a" * 129, "ü"]) == []


tags = st.from_regex(re.compile(r"[a-g0-9_][a-h0-9_.-]{0,40}", re.ASCII), fullmatch=True)


@given(st.lists(tags, max_size=4))
def test_no_label_is_the_beginning_of_another_one(tags: list[str]) -> None:
    labels = track_labels(tags)
    assert len(set(labels)) == len(labels) <= 10 + 10 * 4
    assert not any(other != label and other.startswith(label) for label in labels for other in labels)


def pattern(tag: str) -> str:
    """Return a regular expression for the tags that agree with this one, written apart from the code."""
    parts = []
    for text in re.split(r"([0-9A-Za-z]+)", tag):
        run = text.removeprefix("g")
        if re.fullmatch("[0-9a-fA-F]{7,}", run):
            number = "|[0-9]+" if run.isdigit() else ""
            parts.append(text[: len(text) - len(run)] + f"(?:[0-9a-fA-F]{{7,}}{number})")
        else:
            parts.append(re.sub("[0-9]+", lambda _: "[0-9]+", re.escape(text)))
    return "".join(parts)


words = st.sampled_from(("main", "v1", "12", "517613", "5176135", "3f2a9c1", "deadbeef", "g5176135", "gdeadbee"))


@given(st.lists(words, min_size=1, max_size=3).map("-".join), st.lists(words, min_size=1, max_size=3).map("-".join))
def test_tags_agree_if_they_share_a_family(tag: str, other: str) -> None:
    shared = set(tag_families(tag)) & set(tag_families(other))
    agree = re.fullmatch(pattern(tag), other) and re.fullmatch(pattern(other), tag)
    # Of three runs that may be numbers, one is not.
    if len(re.findall(r"(?<![0-9])[0-9]{7,}", tag)) < 3 and len(re.findall(r"(?<![0-9])[0-9]{7,}", other)) < 3:
        assert bool(shared) == bool(agree)
