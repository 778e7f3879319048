"""Finds the image that an image replaces, and what is known of it: the strongest evidence counts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.errors import AccessDeniedError
from ecr_scan_reporter.memory.images import ImageMemory, ImageRecord
from ecr_scan_reporter.memory.items import FORMAT, image_key
from ecr_scan_reporter.memory.pushes import PushedImage, PushedImages
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.images import Image
from ecr_scan_reporter.reporting.baseline import Baseline, encode_findings, is_comparable
from ecr_scan_reporter.reporting.comparison.changes import KnownFinding
from ecr_scan_reporter.reporting.predecessor_search import find_link
from support.invocations import REGISTRY
from support.world import StubRegistry

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
# Of two applications.
A, B = (tuple(Finding(f"CVE-2026-{n}", "HIGH", f"package-{n}") for n in range(at, at + 6)) for at in (0, 100))


class Repository:
    """A repository whose images are remembered one after the other, each by its number."""

    def __init__(self, table: Table) -> None:
        self.table, self.memory, self.stub = table, ImageMemory(table, START + 400 * DAY), StubRegistry()
        self.looked_up: list[str] = []
        self.ecr: EcrRegistry | Any = self
        self.images: list[PushedImage] = []

    def image(self, repository: str, digest: str) -> Image:
        """Answer for ECR, and note which images it was asked about."""
        self.looked_up.append(digest)
        return self.stub.image(repository, digest)

    def push(
        self,
        *tags: str,
        findings: Sequence[Finding] = A,
        platform: str = "",
        replaces: Sequence[int] = (),
        **record: Any,
    ) -> int:
        """Remember an image that was pushed a day after the one before, and scanned; return its number.

        Args:
            tags: of its event.
            findings: of its scan.
            platform: if an index names it.
            replaces: the numbers of the images that it is linked to.
            record: what else is remembered of it.
        """
        number = self.next_number()
        new = pushed(number, *tags, findings=findings, platform=platform)
        known = [KnownFinding(finding, START + number * DAY) for finding in findings]
        scan: dict[str, Any] = {"scanned_at": START + number * DAY, "findings_format": FORMAT}
        self.memory.write(
            REGISTRY.image("app", digest(number)),
            ImageRecord(**{"tags": tags, **scan, **record}),
            START + number * DAY,
            findings=encode_findings(known),
            pushed=new,
            replaced=[self.images[other - 1] for other in replaces],
        )
        self.images.append(new)
        self.stub.images[digest(number)] = Image("app", digest(number), tags)
        return number

    def fail(self, *tags: str, failure: str, predecessor: str = "") -> int:
        """Remember an image of which no scan was complete; return its number."""
        number = self.next_number()
        new = PushedImage(digest(number), START + number * DAY, tags)
        record = ImageRecord(tags=tags, failed=True, failure=failure, predecessor=predecessor)
        self.memory.write(REGISTRY.image("app", new.digest), record, START + number * DAY, pushed=new)
        self.images.append(new)
        return number

    def next_number(self) -> int:
        """Return the number of the next image."""
        return len(self.images) + 1

    def link(self, *tags: str, findings: Sequence[Finding] = A, platform: str = "") -> Baseline:
        """Return what the next image is compared with."""
        number = self.next_number()
        new = pushed(number, *tags, findings=findings, platform=platform)
        return find_link(
            REGISTRY.image("app", digest(number)), new, self.memory, PushedImages(self.table, []), self.ecr
        )


def digest(number: int) -> str:
    return f"sha256:{number:064}"


def pushed(number: int, *tags: str, findings: Sequence[Finding] = A, platform: str = "") -> PushedImage:
    return PushedImage(digest(number), START + number * DAY, tags, platform).with_findings(findings)


def predecessor(link: Baseline) -> int | None:
    return int(link.predecessor.digest.removeprefix("sha256:")) if link.predecessor else None


def replaced(link: Baseline) -> set[int]:
    return {int(other.digest.removeprefix("sha256:")) for other in link.replaced}


def ids(findings: Sequence[KnownFinding] | None) -> set[str]:
    return {known.finding.id for known in findings or ()}


IDS_A, IDS_B = ({finding.id for finding in found} for found in (A, B))


@pytest.fixture
def app(table: Table) -> Repository:
    return Repository(table)


def test_first_image_of_a_repository_is_compared_with_nothing(app: Repository) -> None:
    assert app.link("1.0") == Baseline()
    assert app.looked_up == []


def test_image_that_had_the_tag_is_replaced(app: Repository) -> None:
    before = app.push("latest", "blue", findings=B, scanner="basic")
    app.push("green")
    link = app.link("latest")
    assert (predecessor(link), ids(link.findings), link.record.scanner) == (before, IDS_B, "basic")
    assert link.record == app.memory.read(REGISTRY.image("app", digest(before))).record
    assert (link.known_here, app.looked_up) == ((), [])


def test_image_that_had_the_tag_is_replaced_once_more(app: Repository) -> None:
    # Two lines may go on from one image.
    base = app.push("1.0")
    app.push("1.1", replaces=[base])
    assert predecessor(app.link("1.0")) == base


def test_version_before_is_replaced_whatever_was_pushed_in_between(app: Repository) -> None:
    before = app.push("1.9.4", findings=B)
    app.push("2.3.0")
    link = app.link("1.9.5")
    assert (predecessor(link), ids(link.findings)) == (before, IDS_B)


def test_most_alike_build_that_nothing_has_replaced_is_replaced(app: Repository) -> None:
    first, other = app.push("a" * 64), app.push("b" * 64, findings=B)
    assert predecessor(app.link("c" * 64)) == first
    second = app.push("c" * 64, replaces=[first])
    assert predecessor(app.link("d" * 64)) == second
    assert predecessor(app.link("d" * 64, findings=B)) == other


def test_build_that_is_as_alike_but_replaced_is_not_replaced_again(app: Repository) -> None:
    # The newest is less alike; the two before it are a line of their own, whose last one counts.
    first = app.push("main-3f2a9c1", findings=A)
    second = app.push("main-5176135", findings=A[:5], replaces=[first])
    app.push("main-77be01d", findings=B)
    assert predecessor(app.link("main-aaaaaaa")) == second


def test_alike_image_is_known_here_and_not_replaced(app: Repository) -> None:
    app.push("main-3f2a9c1")
    app.push("tool", findings=B)
    link = app.link("feature-login")
    assert (link.predecessor, link.findings, link.replaced) == (None, (), ())
    assert ids(link.known_here) == IDS_A


def test_most_alike_image_is_the_one_that_is_known_here(app: Repository) -> None:
    app.push("main-3f2a9c1")
    app.push("next", findings=(*A[:5], *B[:1]))
    assert ids(app.link("feature-login").known_here) == IDS_A


def test_nothing_is_known_here_if_nothing_is_alike(app: Repository) -> None:
    app.push("main-3f2a9c1", findings=B)
    assert app.link("feature-login") == Baseline()


def test_image_without_findings_knows_nothing_here(app: Repository) -> None:
    app.push("main-3f2a9c1")
    app.push("tool", findings=())
    assert app.link("feature-login", findings=()) == Baseline()


def test_alike_image_whose_findings_are_not_known_is_skipped(app: Repository) -> None:
    app.push("main-3f2a9c1")
    app.push("other", scanned_at=None)
    link = app.link("feature-login")
    assert ids(link.known_here) == IDS_A
    assert app.looked_up == [digest(1)]


def test_alike_image_has_a_tag_by_now_that_no_scan_has_seen(app: Repository) -> None:
    candidate = app.push("1.0-rc1")
    app.stub.images[digest(candidate)] = Image("app", digest(candidate), ("1.0-rc1", "1.0"))
    link = app.link("1.1")
    assert (predecessor(link), ids(link.findings), link.known_here) == (candidate, IDS_A, ())
    assert app.looked_up == [digest(candidate)]


@pytest.mark.parametrize("tags", [("1.0-rc1",), (), ("1.0-rc1", "stable")])
def test_tags_that_tell_nothing_make_no_link(app: Repository, tags: tuple[str, ...]) -> None:
    candidate = app.push("1.0-rc1")
    app.stub.images[digest(candidate)] = Image("app", digest(candidate), tags)
    link = app.link("1.1")
    assert (link.predecessor, ids(link.known_here)) == (None, IDS_A)


def test_alike_image_that_is_gone_from_ecr_is_known_here(app: Repository) -> None:
    app.push("1.0-rc1")
    app.stub.images.clear()
    link = app.link("1.1")
    assert (link.predecessor, ids(link.known_here)) == (None, IDS_A)


def test_failed_look_up_of_tags_is_tried_again(app: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(repository: str, digest: str) -> Image:
        raise AccessDeniedError("no")

    app.push("1.0-rc1")
    monkeypatch.setattr(app, "image", denied)
    with pytest.raises(AccessDeniedError):
        app.link("1.1")


def test_tags_are_looked_up_only_if_there_is_no_predecessor(app: Repository) -> None:
    app.push("1.0")
    app.push("feature-login")
    assert predecessor(app.link("1.1")) == 1
    assert app.looked_up == []


def test_findings_are_those_of_the_last_image_before_whose_scan_was_complete(app: Repository) -> None:
    first = app.push("1.0", scanner="enhanced")
    second = app.fail("1.1", failure="No space.", predecessor=digest(first))
    app.fail("1.2", failure="No space.", predecessor=digest(second))
    link = app.link("1.3")
    assert (ids(link.findings), link.record.scanner) == (IDS_A, "enhanced")


def test_predecessor_whose_scans_all_failed_tells_why(app: Repository) -> None:
    app.fail("1.0", failure="UnsupportedImageError")
    number = app.next_number()
    new = PushedImage(digest(number), START + number * DAY, ("1.1",))
    link = find_link(REGISTRY.image("app", digest(number)), new, app.memory, PushedImages(app.table, []), app.ecr)
    assert (predecessor(link), link.findings) == (1, None)
    assert (link.record.failed, link.record.failure) == (True, "UnsupportedImageError")


def test_link_names_all_platforms_of_what_is_replaced(app: Repository) -> None:
    for platform in ("linux/amd64", "linux/arm64"):
        app.push("1.0", platform=platform)
    app.push("0.9", platform="linux/386")
    link = app.link("1.1", platform="linux/arm64")
    assert predecessor(link) == 2
    assert replaced(link) == {1, 2}


def test_platform_is_compared_with_its_own(app: Repository) -> None:
    app.push("1.0", platform="linux/amd64")
    app.push("1.0", platform="linux/arm64", findings=B)
    assert ids(app.link("1.1", platform="linux/arm64", findings=A).findings) == IDS_B
    # It is no platform of what it replaces.
    app.push("1.1", platform="linux/amd64", replaces=[1, 2])
    link = app.link("1.1", platform="linux/arm64", findings=A)
    assert (predecessor(link), replaced(link)) == (2, {1, 2})


def test_image_that_memory_has_forgotten_is_not_replaced(app: Repository) -> None:
    app.push("1.0")
    app.table.delete_many([("REPOSITORY#123456789012#eu-west-1#app", image_key(digest(1)))])
    assert app.link("1.1") == Baseline()


@pytest.mark.parametrize(
    ("record", "comparable"),
    [
        (ImageRecord(), False),
        (ImageRecord(scanned_at=START), False),
        (ImageRecord(findings_format=FORMAT), False),
        (ImageRecord(scanned_at=START, findings_format=FORMAT), True),
        (ImageRecord(scanned_at=START, findings_format=FORMAT, failed=True), True),
        (ImageRecord(scanned_at=START, findings_format=FORMAT + 1), False),
    ],
)
def test_findings_are_comparable_if_this_release_can_read_them(record: ImageRecord, comparable: bool) -> None:
    assert is_comparable(record) is comparable
