"""Which tags name builds of the same application."""

import pytest
from ecr_scan_reporter.reporting.comparison.tags import family
from hypothesis import given
from hypothesis import strategies as st

SAME = [
    ("4.2.0", "4.3.1"),
    ("v1.9", "v1.10"),
    ("main-3f2a9c1", "main-5176135"),
    ("main-5176135", "main-9999999"),
    ("v1.2-3-g3f2a9c1", "v1.2-14-g5176135"),
    ("main-51761350-1722500000", "main-3f2a9c1e-1722586400"),
    ("prod-deadbeef", "prod-1234567"),
    ("2026-08-01", "2026-11-29"),
    ("20260801", "20261129"),
    ("1.0.1234567", "1.0.9"),
    ("a" * 64, "0123456789abcdef" * 4),
    ("6f1ed002-ab58-4b52-9b1c-0123456789ab", "00000000-1111-4222-8333-444444444444"),
    ("build-6f1ed002-ab58-4b52-9b1c-0123456789ab", "build-aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"),
    ("feature-x-3F2A9C1", "feature-x-77be01d"),
    ("node18-slim", "node20-slim"),
    # A long run of digits may be a number.
    ("build-7", "build-1234567"),
    ("main_3f2a9c1", "main_77be01d"),
]
OTHER = [
    ("python", "python3.9"),
    ("v12-alpine", "v12-slim"),
    ("main-3f2a9c1", "feature-3f2a9c1"),
    ("1.0", "1.0.1"),
    ("1.0", "1.0-rc1"),
    ("web", "web2"),
    ("node", "node18-slim"),
    ("prod", "prod-deadbeef"),
    ("v3", "main-3f2a9c1"),
    ("main-3f2a9c1", "main-12"),
    ("v1.9.5", "1.9.5"),
    ("main", "latest"),
    ("build-7", "build-12345ab"),
    # Six digits are no hash, and neither is what is part of a word.
    ("main-3f2a9c", "main-77be01"),
    ("main-facade", "main-decade"),
    ("mainx3f2a9c1", "mainx77be01d"),
    ("main-3f2a9c1x", "main-77be01dx"),
]


@pytest.mark.parametrize(("tag", "other"), SAME)
def test_builds_of_one_application_agree(tag: str, other: str) -> None:
    assert family(tag).agrees(family(other))
    assert family(other).agrees(family(tag))


@pytest.mark.parametrize(("tag", "other"), OTHER)
def test_tags_of_two_applications_do_not_agree(tag: str, other: str) -> None:
    assert not family(tag).agrees(family(other))
    assert not family(other).agrees(family(tag))


@pytest.mark.parametrize(
    ("earlier", "later"),
    [("1.9.5", "1.10.0"), ("v2.0", "v10.0"), ("2026-08-31", "2026-09-01"), ("20260831", "20260901"), ("b9", "b10")],
)
def test_versions_have_an_order(earlier: str, later: str) -> None:
    assert family(earlier).is_ordered
    assert family(earlier).numbers < family(later).numbers


@pytest.mark.parametrize("tag", ["main-3f2a9c1", "prod-deadbeef", "v1.2-3-g3f2a9c1", "a" * 64, "latest"])
def test_commit_ids_and_names_have_no_order(tag: str) -> None:
    assert not family(tag).is_ordered


@pytest.mark.parametrize(
    ("tag", "bare"), [("a" * 64, True), ("5176135", True), ("main-3f2a9c1", False), ("1.0", False)]
)
def test_bare_hash_does_not_say_which_application_it_is(tag: str, bare: bool) -> None:
    assert family(tag).is_bare is bare


@given(st.text("0123456789abcdefgv.-_ABCx", max_size=40))
def test_every_tag_agrees_with_itself_and_keeps_its_text(tag: str) -> None:
    found = family(tag)
    assert found.agrees(found)
    assert len(found.texts) == len(found.kinds) + 1 == len(found.numbers) + 1
    assert all(text in tag for text in found.texts)


@given(st.sampled_from(["main-{}", "{}", "v1-g{}", "prod-{}-linux"]), st.integers(7, 64), st.data())
def test_any_commit_id_agrees_with_any_other(pattern: str, length: int, data: st.DataObject) -> None:
    first, second = (data.draw(st.text("0123456789abcdef", min_size=length, max_size=length)) for _ in range(2))
    assert family(pattern.format(first)).agrees(family(pattern.format(second)))
