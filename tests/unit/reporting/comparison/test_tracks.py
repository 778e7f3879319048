"""Tags that change from build to build are one family, and the variants of an image are not."""

import pytest
from ecr_scan_reporter.reporting.comparison.tracks import tag_family, track_labels


@pytest.mark.parametrize(
    ("tag", "family"),
    [
        ("4.2.0", "#.#.#"),
        ("v1.10.3-rc2", "v#.#.#-rc#"),
        ("2026-11-23", "#-#-#"),
        ("v12-alpine", "v#-alpine"),
        ("v12-slim", "v#-slim"),
        ("latest", "latest"),
        ("main", "main"),
        # Seven hexadecimal digits, some of them letters and some of them not, are a commit; six are not.
        ("main-3f2a9c1", "main-~"),
        ("main-77be01d", "main-~"),
        ("3f2a9c1d77be01d3f2a9c1d77be01d3f2a9c1d7a", "~"),
        ("3F2A9C1", "~"),
        ("3f2a9c", "#f#a#c"),
        ("build-1234567", "build-#"),
        ("20261123", "#"),
        ("deadbeef", "deadbeef"),
        ("facade-1", "facade-#"),
        # g is no hexadecimal digit.
        ("3f2a9cg", "#f#a#cg"),
        ("pr-12-3f2a9c1-amd64", "pr-#-~-amd#"),
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "~"),
        ("build-3F2504E0-4F89-11D3-9A0C-0305E82C3301.2", "build-~.#"),
        # A UUID of digits alone is one as well.
        ("12345678-1234-1234-1234-123456789012", "~"),
        ("", ""),
    ],
)
def test_family_of_a_tag(tag: str, family: str) -> None:
    assert tag_family(tag) == family


def test_labels_are_the_tags_and_their_families() -> None:
    assert track_labels(["4.2.0", "latest", "4.3.1"]) == [
        "tag:4.2.0",
        "tag:4.3.1",
        "tag:latest",
        "family:#.#.#",
        "family:latest",
    ]
    assert track_labels([]) == []
    # Of a thousand tags, ten.
    assert track_labels(str(number) for number in range(1000, 2000)) == [
        *(f"tag:{number}" for number in range(1000, 1010)),
        "family:#",
    ]
