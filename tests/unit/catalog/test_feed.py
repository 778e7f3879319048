"""The parser of the catalog: what is wrong in anything is wrong as a whole."""

import json
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from ecr_scan_reporter.catalog.feed import MAX_ENTRIES, parse_feed
from ecr_scan_reporter.errors import FeedError
from ecr_scan_reporter.memory.codec import encode, pack
from ecr_scan_reporter.models.exploited import CatalogEntry
from hypothesis import given, settings
from hypothesis import strategies as st
from support.feed import catalog, entry
from support.random_tests import examples
from support.virtual_time import TIME

TODAY = TIME.now().date()
A = entry("CVE-2026-0001", TODAY, 3, ransomware=True)
GOOD = catalog(A)


def changed(body: bytes, **fields: Any) -> bytes:
    return json.dumps(json.loads(body) | fields).encode()


BROKEN = {
    "wrong count": changed(GOOD, count=22),
    "count is text": changed(GOOD, count="21"),
    "456 bytes of HTML": b"<html>" + 450 * b"x",
    "nothing": b"",
    "no JSON object": b"[]",
    "no list": changed(GOOD, vulnerabilities={}),
    "no entries": changed(GOOD, vulnerabilities=[], count=0),
    "too many entries": catalog(others=5_001),
    "digits": GOOD.replace(b'"count": 21', b'"count": ' + 4000 * b"9"),
    "more digits": GOOD.replace(b'"count": 21', b'"count": ' + 100_000 * b"9"),
    "not a number": GOOD.replace(b'"count": 21', b'"count": NaN'),
    "infinite": GOOD.replace(b'"count": 21', b'"count": 1e999'),
    "control characters": GOOD.replace(b"Example Product", b"Example\x00\x1bProduct"),
    "depth": 100_000 * b"[",
    "no UTF-8": GOOD.replace(b"Example", b"\xff\xfe"),
    "cut off": GOOD[:-100],
    "an entry twice": catalog(A, A),
    "an entry is text": catalog("CVE-2026-0001"),  # type: ignore[arg-type]
    "id with markup": catalog({**A, "cveID": "CVE-2026-0001<b>"}),
    "id with a line": catalog({**A, "cveID": "CVE-2026-0001\n"}),
    "id with other digits": catalog({**A, "cveID": "CVE-2026-\u0661\u0662\u0663\u0664"}),
    "no id": catalog({**A, "cveID": None}),
    "no due date": catalog({**A, "dueDate": ""}),
    "a day that is none": catalog({**A, "dateAdded": "2026-02-30"}),
    "a week for a day": catalog({**A, "dateAdded": "2026-W01-1"}),
    "due before it was added": catalog(entry("CVE-2026-0001", TODAY, -1)),
    "added in the future": catalog(entry("CVE-2026-0001", TODAY + timedelta(days=30))),
    "due in a thousand years": catalog({**A, "dueDate": "3026-01-01"}),
}


def test_entries_have_ids_days_and_a_flag_and_no_text() -> None:
    entries = parse_feed(GOOD, TIME.now())
    assert len(entries) == 21
    found = entries["CVE-2026-0001"]
    assert (found.added, found.days, found.ransomware) == (TODAY, 3, True)
    assert "Example" not in repr(entries)


def test_copy_that_has_lost_more_than_a_tenth_is_refused() -> None:
    assert len(parse_feed(catalog(others=18), TIME.now(), before=20)) == 18
    with pytest.raises(FeedError, match="it has 17 vulnerabilities, and the last copy had 20"):
        parse_feed(catalog(others=17), TIME.now(), before=20)


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_catalog_is_refused(name: str) -> None:
    with pytest.raises(FeedError) as error:
        parse_feed(BROKEN[name], TIME.now())
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 100


@given(st.data())
@settings(max_examples=examples(50))
def test_whatever_is_in_an_entry_it_is_parsed_or_refused(data: st.DataObject) -> None:
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
        max_leaves=5,
    )
    name = data.draw(st.sampled_from([*A, "count", "vulnerabilities"]))
    value = data.draw(values)
    body = changed(GOOD, **{name: value}) if name not in A else catalog({**A, name: value})
    try:
        entries = parse_feed(body, TIME.now())
    except FeedError:
        return
    assert len(entries) == 21


def test_largest_catalog_fits_into_an_item() -> None:
    random = Random(1)
    entries = {
        f"CVE-{random.randint(1999, 2099)}-{random.randint(10**18, 10**19 - 1)}": CatalogEntry(
            TODAY - timedelta(days=random.randint(0, 9999)),
            random.randint(0, 3650),
            random.random() < 0.5,
            since=TIME.now() - timedelta(seconds=random.randint(0, 10**9)),
            changed_at=TIME.now() - timedelta(seconds=random.randint(0, 10**9)),
            removed=random.random() < 0.5,
        )
        for _ in range(2 * MAX_ENTRIES)
    }
    assert len(pack(encode(dict[str, CatalogEntry], entries), level=9)) < 400_000
