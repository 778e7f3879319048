"""Print the notes of a release: its section of CHANGELOG.md. `release_notes.py v1.2.3`."""

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parent.parent / "CHANGELOG.md"


def notes(changelog: str, tag: str) -> str:
    """Return the section of a version, without its heading.

    Args:
        changelog: text of the changelog.
        tag: version with a "v" before it, such as v1.2.3.

    Raises:
        ValueError: the tag has another form, or the changelog has no such section.
    """
    if not re.fullmatch(r"v[0-9]+\.[0-9]+\.[0-9]+", tag):
        raise ValueError(f"tag is {tag!r}; expected a version such as v1.2.3")
    section = re.search(rf"^## \[?{re.escape(tag[1:])}\b.*?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if section is None or not section[1].strip():
        raise ValueError(f"tag is {tag!r}; expected one that CHANGELOG.md has a section for, such as ## {tag[1:]}")
    return section[1].strip() + "\n"


def main() -> None:
    """Print the notes."""
    try:
        print(notes(CHANGELOG.read_text(), sys.argv[1] if len(sys.argv) > 1 else ""), end="")
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
