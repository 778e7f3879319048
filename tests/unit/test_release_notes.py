"""The notes of a release are its section of the changelog."""

import pytest
from release_notes import notes

CHANGELOG = (
    "# Changelog\n\n## Unreleased\n\n- Later.\n\n## 1.2.3 - 2026-11-23\n\n### Added\n- This.\n\n## [1.2.2]\n\n- Old.\n"
)


def test_notes_are_the_section_of_the_version() -> None:
    assert notes(CHANGELOG, "v1.2.3") == "### Added\n- This.\n"
    assert notes(CHANGELOG, "v1.2.2") == "- Old.\n"


@pytest.mark.parametrize("tag", ["", "1.2.3", "v1.2", "v1.2.4", "v1.2.30", "v1.2.3; rm"])
def test_version_without_a_section_is_rejected(tag: str) -> None:
    with pytest.raises(ValueError, match=f"tag is '{tag}'; expected"):
        notes(CHANGELOG, tag)
