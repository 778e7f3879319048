"""Writes what is generated, or checks that it is current: the part that the scripts of `make reference` share."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

END = "<!-- end -->"


def with_part(page: str, name: str, part: Iterable[str]) -> str:
    """Return a page with other lines between `<!-- NAME -->` and the next `<!-- end -->`, each on a line of its own."""
    begin = f"<!-- {name} -->\n"
    before, _, rest = page.partition(begin)
    return "".join([before, begin, *(f"{line}\n" for line in part), END, rest.partition(END)[2]])


def write_or_check(contents: Mapping[Path, str]) -> None:
    """Write files; with `--check` as the only argument of the program, only compare them.

    Raises:
        SystemExit: a file is stale.
    """
    for path, content in contents.items():
        if sys.argv[1:] != ["--check"]:
            path.write_text(content)
        elif path.read_text() != content:
            place = path.relative_to(Path(__file__).resolve().parent.parent)
            sys.exit(f"{place} is stale; run `make reference`, and commit it")
