"""Which image an image replaces."""

from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.memory.pushes import PushedImage
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.predecessors import candidates, inherited_successors, replaced_by, siblings

START = datetime(2026, 3, 1, tzinfo=UTC)
A, B = (tuple(Finding(f"CVE-2026-{n}", "HIGH", f"package-{n}") for n in range(at, at + 6)) for at in (0, 100))


def image(day: int, *tags: str, platform: str = "", findings: tuple[Finding, ...] = A) -> PushedImage:
    known = PushedImage(f"sha256:{day:064}", START + timedelta(days=day), tags, platform)
    return known.with_findings(findings)


def replaced(new: PushedImage, *others: PushedImage) -> PushedImage | None:
    return candidates(new, others).replaced


def test_tag_is_the_strongest_evidence() -> None:
    before, other = image(1, "latest", "1.0", findings=B), image(2, "1.1")
    assert replaced(image(3, "1.2", "latest"), before, other) == before


def test_most_shared_tags_come_before_the_newest_image() -> None:
    line, newest = image(1, "1.9.4", "1.9", "1"), image(2, "2.3.0", "2", "1")
    assert replaced(image(3, "1.9.5", "1.9", "1"), line, newest) == line


def test_version_replaces_the_one_before_it_whatever_was_pushed_in_between() -> None:
    old, line, other = image(1, "1.9.3"), image(2, "1.9.4"), image(3, "2.3.0")
    assert replaced(image(4, "1.9.5"), old, line, other) == line
    assert replaced(image(4, "2.3.1"), old, line, other) == other
    assert replaced(image(4, "1.10.0"), old, line, other) == line


def test_lowest_version_replaces_nothing() -> None:
    assert replaced(image(4, "1.0.0"), image(1, "1.9.3"), image(2, "2.0.0")) is None


def test_builds_of_a_branch_replace_the_newest_even_if_everything_differs() -> None:
    assert replaced(image(2, "main-5176135", findings=B), image(1, "main-3f2a9c1")) == image(1, "main-3f2a9c1")


def test_bare_hashes_of_two_applications_are_told_apart_by_what_is_in_them() -> None:
    first, second = image(1, "a" * 64), image(2, "b" * 64, findings=B)
    assert replaced(second, first) is None
    assert replaced(image(3, "c" * 64), first, second) == first
    assert replaced(image(4, "5" * 64, findings=B), first, second) == second


def test_image_without_findings_replaces_the_newest_of_its_family() -> None:
    first, second = image(1, "a" * 64), image(2, "b" * 64, findings=B)
    assert replaced(image(3, "c" * 64, findings=()), first, second) == second


@pytest.mark.parametrize("platform", ["", "linux/amd64"])
def test_unknown_platform_agrees_with_any_and_takes_the_same_or_the_most_common_one(platform: str) -> None:
    arm, amd = image(1, "1.0", platform="linux/arm64"), image(1, "1.0", platform="linux/amd64")
    arm = arm._replace(digest=f"sha256:{77:064}")
    assert replaced(image(2, "1.1", platform=platform), arm, amd) == amd
    assert replaced(image(2, "1.1", platform=platform), amd, arm) == amd


def test_other_platform_does_not_fit() -> None:
    assert replaced(image(2, "1.1", platform="linux/arm64"), image(1, "1.0", platform="linux/amd64")) is None
    plain = image(1, "1.0")
    assert replaced(image(2, "1.1", platform="linux/arm64"), plain) == plain


def test_later_push_is_never_replaced() -> None:
    assert replaced(image(1, "latest"), image(2, "latest")) is None


def test_image_without_tags_replaces_nothing_and_knows_what_is_alike() -> None:
    alike, other = image(1, "main-3f2a9c1"), image(2, "tool", findings=B)
    found = candidates(image(3), (alike, other))
    assert found.replaced is None
    assert found.alike[0] == alike


def test_likeness_decides_among_many_builds() -> None:
    builds = [image(day, f"{day:064x}", findings=A if day % 2 else B) for day in range(1, 30)]
    assert candidates(image(40, "f" * 64), builds).replaced == builds[28]
    assert candidates(image(40, "f" * 64, findings=B), builds).replaced == builds[27]


@pytest.mark.parametrize(
    ("mine", "its", "is_alike"),
    [
        (A, A, True),
        (A[:2], A[:3], True),
        # Two of three are more than half of each; one of two is not.
        (A[:3], (*A[:2], *B[:1]), True),
        (A[:1], A[:2], False),
        (A[:2], A[:4], False),
        ((), (), False),
    ],
)
def test_images_that_share_more_than_half_of_the_findings_of_each_are_alike(
    mine: tuple[Finding, ...], its: tuple[Finding, ...], is_alike: bool
) -> None:
    found = candidates(image(2, "feature-login", findings=mine), [image(1, "main", findings=its)])
    assert bool(found.alike) is is_alike


def test_other_platform_of_the_same_build_is_not_alike() -> None:
    amd, arm = image(1, "main", platform="linux/amd64"), image(2, "main", platform="linux/arm64")
    assert candidates(arm, [amd]).alike == ()


def test_of_images_that_were_pushed_at_the_same_time_the_digest_tells_the_order() -> None:
    first, new, last = (image(1, "main")._replace(digest=f"sha256:{letter * 64}") for letter in "abc")
    assert replaced(new, first, last) == first


def test_image_that_is_scanned_late_knows_what_replaces_it() -> None:
    later = [image(5, "1.2"), image(4, "1.1"), image(6, "2.0")]
    assert replaced_by(image(1, "1.0"), later) == (image(4, "1.1").digest,)
    assert replaced_by(image(1, "1.5"), later) == (image(6, "2.0").digest,)
    assert replaced_by(image(1, "3.0"), later) == ()
    assert replaced_by(image(7, "1.0"), later) == ()


def test_late_image_is_replaced_by_the_next_one_with_its_tag_or_by_one_that_is_alike() -> None:
    assert replaced_by(image(1, "latest"), [image(3, "latest"), image(2, "latest")]) == (image(2, "latest").digest,)
    later = [image(2, "b" * 64, findings=B), image(3, "c" * 64)]
    assert replaced_by(image(1, "a" * 64), later) == (image(3, "c" * 64).digest,)


def test_all_platforms_are_replaced_together() -> None:
    amd, arm = image(1, "1.0", platform="linux/amd64"), image(2, "1.0", platform="linux/arm64")
    assert siblings(amd, [amd, arm, image(3, "1.1", platform="linux/arm64"), image(4)]) == [arm.digest]


def test_large_images_are_compared_by_a_part_of_their_findings() -> None:
    many = tuple(Finding(f"CVE-2026-{n}", "LOW", f"package-{n % 200}") for n in range(3000))
    large, most, other = (
        image(1, "a" * 64, findings=many),
        image(2, "b" * 64, findings=many[100:]),
        image(3, findings=A),
    )
    assert large.is_sample
    found = candidates(most, (large, other))
    assert (found.replaced, found.alike[0]) == (large, large)


def test_image_without_a_complete_scan_is_considered_only_for_another_one() -> None:
    failed = image(2, "b" * 64)._replace(findings=None, packages=frozenset())
    other = image(1, "a" * 64, findings=B)
    assert replaced(image(3, "c" * 64), other, failed) is None
    assert replaced(image(3, "c" * 64)._replace(findings=None), other, failed) == failed


def test_build_that_another_one_has_replaced_is_not_replaced_again_but_by_its_other_platforms() -> None:
    amd, arm = (image(day, "main-3f2a9c1", platform=f"linux/{name}") for day, name in ((1, "amd64"), (2, "arm64")))
    new_amd, new_arm = (
        image(day, "main-77be01d", platform=f"linux/{name}") for day, name in ((5, "amd64"), (6, "arm64"))
    )
    amd, arm = (old._replace(successors=frozenset({new_amd.digest})) for old in (amd, arm))
    assert replaced(new_arm, amd, arm, new_amd) == arm
    assert replaced(image(7, "main-0a1b2c3", platform="linux/arm64"), amd, arm, new_amd) is None
    # The scan of arm64 comes after its build was replaced.
    assert inherited_successors(arm._replace(successors=frozenset()), [amd, new_amd]) == {new_amd.digest}
    assert inherited_successors(new_arm, [amd, arm, new_amd]) == frozenset()


def test_plain_manifests_and_indexes_with_one_tag_replace_the_newest() -> None:
    plain, amd, arm = (
        image(1, "main"),
        image(2, "main", platform="linux/amd64"),
        image(3, "main", platform="linux/arm64"),
    )
    assert replaced(image(4, "main"), plain, amd, arm) == amd
    assert replaced(image(4, "main", platform="linux/arm64/v8"), plain, amd, arm) == arm
    assert replaced(image(5, "main", platform="linux/arm64"), arm, image(4, "main")) == image(4, "main")


def test_platforms_of_one_index_do_not_replace_each_other() -> None:
    amd, arm = image(1, "main", platform="linux/amd64"), image(2, "main", platform="linux/arm64")
    assert replaced(arm, amd) is None
    assert replaced_by(amd, [arm]) == ()


def test_number_among_commits_is_no_version_whenever_they_were_pushed() -> None:
    earlier, later = image(1, "main-1111111"), image(3, "main-3f2a9c1")
    assert replaced(image(2, "main-0000000"), earlier) is None
    assert replaced(image(2, "main-0000000"), earlier, later) == earlier
