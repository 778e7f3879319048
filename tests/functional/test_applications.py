"""The reporter, with the images of applications as registries have them: what is compared with what.

Each image is pushed a minute before its scan unless a test says otherwise, and its event is read five seconds later.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.messages.reports_queue import DueMessage, to_body
from fake_aws import FakeImage, FakeScan, digest_of, finding, index_image
from support.invocations import REGISTRY
from support.reporter_harness import UNSUPPORTED, ReporterHarness, document, enhanced, mail

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# The fake has no results of scans that end in the future.
START = datetime(2025, 11, 9, 9, 0, tzinfo=UTC)
A = finding("CVE-2026-0001", "CRITICAL", "openssl", "3.0.1")
B = finding("CVE-2026-0002", "HIGH", "zlib", "1.2.13")
C = finding("CVE-2026-0003", "HIGH", "busybox", "1.36.1")
D = finding("CVE-2026-0004", "CRITICAL", "curl", "8.5.0")
# Another finding of openssl, so that a scan shows that the package is installed.
A2 = finding("CVE-2026-0005", "LOW", "openssl", "3.0.1")
COMMITS = [
    ("main-3f2a9c1", "main-5176135"),
    ("v1.2-3-g3f2a9c1", "v1.2-14-g5176135"),
    ("main-3f2a9c1e-1722500000", "main-51761350-1722586400"),
    ("prod-deadbeef", "prod-5176135"),
    ("a" * 64, "5" * 64),
    ("6f1ed002-ab58-4b52-9b1c-0123456789ab", "00000000-1111-4222-8333-444444444444"),
]


class Application:
    """Pushes images to a repository, and lets the reporter read the events of their scans."""

    def __init__(self, inbox: ReporterHarness, repository: str = "app") -> None:
        self.inbox, self.repository, self._pushed = inbox, repository, dict[str, datetime]()

    def scan(
        self,
        at: float,
        name: str,
        findings: Sequence[dict[str, Any]] = (),
        *,
        tags: Sequence[str] | None = None,
        platform: str = "",
        failure: str = "",
        pushed: float | None = None,
        receives: int = 1,
        event: dict[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """Report a scan of an image so many days after the start; return the image's entry in the new report.

        An image with a platform is part of an index, which has the tags.
        """
        now = START + at * DAY
        tags = (name,) if tags is None else tags
        pushed_at = now - timedelta(minutes=1) if pushed is None else START + pushed * DAY
        pushed_at = self._pushed.setdefault(name, pushed_at)
        listed = "enhanced_findings" if "packageVulnerabilityDetails" in (findings or [{}])[0] else "findings"
        scan = FakeScan("COMPLETE", now, **{listed: list(findings)})  # type: ignore[arg-type]
        if failure:
            scan = FakeScan("FAILED", description=failure)
        detail = {"scan-status": "FAILED"} if failure else {}
        own = () if platform else tags
        made = self.inbox.image(
            self.repository, *own, name=name, scan=scan, pushed_at=pushed_at, at=now, event=detail | (event or {})
        )
        if platform:
            index = index_image(digest_of(f"index {name}"), {digest_of(name): platform}, tuple(tags))
            self.inbox.repositories[self.repository].put(index)
        return self.read(now + timedelta(seconds=5), made, receives=receives)

    def read(self, now: datetime, event: Any, receives: int = 1) -> dict[str, Any] | None:
        """Let the reporter read a message; return the entry of its image in the new report."""
        before = len(self.inbox.reports())
        self.failed = self.inbox.report(event, now=now, receives=receives)
        documents = [document(report) for report in self.inbox.reports()[before:]]
        assert len(documents) <= 1
        images = [image for found in documents for image in (*found["images"], *found["failed_scans"])]
        assert len(images) <= 1
        return images[0] if images else None

    def overdue(self, at: float, name: str) -> dict[str, Any] | None:
        """Send what the daily pass sends of an image whose deadline has passed."""
        return self.read(START + at * DAY, to_body(DueMessage(REGISTRY.image(self.repository, digest_of(name)))))


def changes(image: dict[str, Any] | None) -> dict[str, list[str]]:
    """Return the numbers of the findings by what changed, without those that are still open."""
    if image is None:
        return {}
    return {
        word: sorted(entry["id"][-1] for entry in found)
        for word, found in image["changes"].items()
        if found and word != "still_open"
    }


@pytest.fixture
def app(inbox: ReporterHarness) -> Application:
    return Application(inbox)


@pytest.fixture
def dated(make_reporter: Callable[..., ReporterHarness]) -> Application:
    return Application(make_reporter(FIX_WITHIN='{"CRITICAL": 7, "HIGH": 30}', NOTIFY_ON_FIXED="true"))


# Tags


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), COMMITS)
def test_next_build_of_a_commit_is_silent_and_ages_go_on(dated: Application, first: str, second: str) -> None:
    assert changes(dated.scan(0, first, [A, B])) == {"new": ["1", "2"]}
    assert dated.scan(6, second, [A, B]) is None
    image = dated.overdue(7.1, second)
    assert image is not None
    assert [entry["first_seen"] for entry in image["overdue"]] == ["2025-11-09T09:00:00Z"]
    assert dated.overdue(7.2, first) is None


def test_builds_of_two_applications_with_bare_hashes_do_not_touch_each_other(dated: Application) -> None:
    assert changes(dated.scan(0, "a" * 64, [A, B])) == {"new": ["1", "2"]}
    assert changes(dated.scan(1, "b" * 64, [C, D])) == {"new": ["3", "4"]}
    assert dated.scan(2, "c" * 64, [A, B]) is None
    assert dated.scan(3, "5" * 64, [C, D]) is None
    assert dated.scan(4, "d" * 64, [A, B]) is None
    assert changes(dated.scan(5, "e" * 64, [C])) == {"fixed": ["4"]}
    image = dated.overdue(7.1, "d" * 64)
    assert image is not None
    assert [entry["id"] for entry in image["overdue"]] == ["CVE-2026-0001"]


def test_two_release_lines_do_not_touch_each_other(dated: Application) -> None:
    assert changes(dated.scan(0, "1.9.4", [A, B])) == {"new": ["1", "2"]}
    dated.scan(0.1, "2.3.0", [A, C])
    assert dated.scan(2, "1.9.5", [A, B]) is None
    assert dated.scan(3, "2.3.1", [A, C]) is None
    assert changes(dated.scan(4, "1.9.10", [A])) == {"fixed": ["2"]}
    for name in ("1.9.10", "2.3.1"):
        image = dated.overdue(7.1, name)
        assert image is not None
        assert [entry["id"] for entry in image["overdue"]] == ["CVE-2026-0001"]
    assert dated.overdue(7.2, "1.9.5") is None


@pytest.mark.parametrize(("before", "after"), [("", "linux/amd64"), ("linux/amd64", ""), ("linux/arm64", "")])
def test_plain_manifest_and_index_replace_each_other(app: Application, before: str, after: str) -> None:
    app.scan(0, "1.0", [A, B], platform=before)
    assert app.scan(1, "1.1", [A, B], platform=after) is None


def test_new_operating_system_is_the_same_application(dated: Application) -> None:
    openssl = enhanced("CVE-2026-0001", "CRITICAL", "openssl")
    certifi = enhanced("CVE-2026-0002", "CRITICAL", "certifi")
    platforms = [
        {"details": {"awsEcrContainerImage": {"platform": platform}}} for platform in ("DEBIAN_11", "DEBIAN_12")
    ]
    dated.scan(0, "1.0", [entry | {"resources": [platforms[0]]} for entry in (openssl, certifi)])
    assert changes(dated.scan(3, "1.1", [certifi | {"resources": [platforms[1]]}])) == {"fixed": ["1"]}
    assert dated.overdue(7.1, "1.0") is None
    image = dated.overdue(7.2, "1.1")
    assert image is not None
    assert [(entry["id"], entry["first_seen"]) for entry in image["overdue"]] == [
        ("CVE-2026-0002", "2025-11-09T09:00:00Z")
    ]


def test_first_image_of_a_branch_has_only_what_the_repository_does_not_know(app: Application) -> None:
    app.scan(0, "main", [A, B, C])
    image = app.scan(2, "feature-login", [A, B, C, D])
    assert changes(image) == {"new": ["4"], "known_here": ["1", "2", "3"]}
    assert image is not None
    assert {entry["first_seen"] for entry in image["changes"]["known_here"]} == {"2025-11-09T09:00:00Z"}
    assert app.scan(3, "feature-other", [A, B, C]) is None


def test_image_that_has_little_in_common_is_a_first_scan(app: Application) -> None:
    app.scan(0, "main", [A, B, C])
    assert changes(app.scan(2, "tool", [C, D])) == {"new": ["3", "4"]}


def test_tags_of_the_event_count_even_if_they_have_moved(app: Application) -> None:
    app.scan(0, "build 1", [A, B], tags=["latest"])
    # The next build takes the tag before the event of this one is read.
    now = START + DAY
    event = app.inbox.image("app", "latest", name="build 2", scan=FakeScan("COMPLETE", now, findings=[A, B]), at=now,
                            pushed_at=now - HOUR)  # fmt: skip
    app.inbox.image(
        "app", "latest", name="build 3", scan=FakeScan("COMPLETE", now, findings=[A]), pushed_at=now, at=now
    )
    assert app.read(now + timedelta(minutes=1), event) is None


def test_image_that_lost_its_tag_does_not_rejoin_its_application(app: Application) -> None:
    app.scan(0, "1.0", [A, B])
    app.scan(1, "1.1", [A])
    app.inbox.repositories["app"].put(FakeImage(digest_of("1.0"), (), pushed_at=START - timedelta(minutes=1)))
    assert app.scan(3, "1.0", [A, B], tags=[]) is None
    assert app.scan(4, "1.2", [A]) is None


def test_tag_that_no_scan_has_seen_is_looked_up(app: Application) -> None:
    app.scan(0, "image", [A, B], tags=["1.0-rc1"])
    app.inbox.repositories["app"].put(
        FakeImage(digest_of("image"), ("1.0-rc1", "1.0"), pushed_at=START - timedelta(minutes=1))
    )
    assert app.scan(2, "1.1", [A, B]) is None


def test_platforms_that_are_scanned_before_their_index_exists_wait_for_it(app: Application) -> None:
    app.scan(0, "1.0", [A, B], platform="linux/amd64")
    now = START + DAY
    scan = FakeScan("COMPLETE", now, findings=[A, B])
    event = app.inbox.image("app", name="child", scan=scan, pushed_at=now - timedelta(minutes=1), at=now)
    assert app.read(now + timedelta(seconds=5), event) is None
    assert app.failed == ["0"]
    app.inbox.repositories["app"].put(index_image(digest_of("index"), {digest_of("child"): "linux/amd64"}, ("1.1",)))
    assert app.read(now + timedelta(seconds=65), event, receives=2) is None
    assert app.failed == []
    assert app.scan(2, "1.2", [A], platform="linux/amd64") is None


def test_untagged_image_that_stays_without_an_index_is_reported(app: Application) -> None:
    now = START + DAY
    scan = FakeScan("COMPLETE", now, findings=[A])
    event = app.inbox.image("app", name="child", scan=scan, pushed_at=now - timedelta(minutes=1), at=now)
    assert app.read(now + timedelta(seconds=5), event) is None
    assert app.read(now + timedelta(seconds=65), event, receives=2) is None
    assert changes(app.read(now + timedelta(minutes=31), event, receives=3)) == {"new": ["1"]}


# What a database takes back


@pytest.mark.slow
@pytest.mark.parametrize("hours", [24, 24 - 1 / 60, 1])
def test_finding_that_the_database_takes_back_is_closed_once_across_rebuilds(dated: Application, hours: float) -> None:
    builds = 40 if hours > 20 else 60
    dated.scan(0, "1.0", [A, A2])
    said = []
    for build in range(1, builds):
        image = dated.scan(build * hours / 24, f"1.{build}", [A2])
        said += [(build, word) for word, found in changes(image).items() if "1" in found]
    [(build, word)] = said
    assert word == "withdrawn"
    assert (build - 1) * hours >= 20
    assert dated.overdue(31, f"1.{builds - 1}") is None


@pytest.mark.slow
def test_finding_that_flaps_is_neither_closed_nor_new(dated: Application) -> None:
    dated.scan(0, "1.0", [A, A2])
    for build in range(1, 30):
        # A deadline passes once.
        image = dated.scan(build, f"1.{build}", [A2] if build % 2 else [A, A2])
        assert changes(image) == {}


def test_weekly_scans_of_old_builds_do_not_say_it_again(dated: Application) -> None:
    for build in range(10):
        dated.scan(build, f"1.{build}", [A, A2])
    said = [image for build in range(10) if (image := dated.scan(20 + build / 100, f"1.{build}", [A2]))]
    said += [image for build in range(10) if (image := dated.scan(27 + build / 100, f"1.{build}", [A2]))]
    assert [changes(image) for image in said] == [{"withdrawn": ["1"]}]


# Deadlines and links


def test_successor_that_is_gone_supersedes_nothing(dated: Application) -> None:
    dated.scan(0, "1.0", [A])
    dated.scan(2, "1.1", [A])
    assert dated.overdue(7.1, "1.0") is None
    dated.inbox.repositories["app"].remove(digest_of("1.1"))
    image = dated.overdue(8.1, "1.0")
    assert image is not None
    assert [entry["id"] for entry in image["overdue"]] == ["CVE-2026-0001"]
    assert dated.overdue(9.1, "1.0") is None


def test_image_stays_superseded_when_a_build_in_between_is_gone(dated: Application) -> None:
    for day in range(4):
        dated.scan(day, f"1.{day}", [A])
    for day in (1, 2):
        dated.inbox.repositories["app"].remove(digest_of(f"1.{day}"))
    assert dated.overdue(7.1, "1.0") is None
    dated.inbox.repositories["app"].remove(digest_of("1.3"))
    assert dated.overdue(7.2, "1.0") is not None


def test_images_of_an_inventory_in_any_order_report_the_newest_only(dated: Application) -> None:
    order = [3, 0, 4, 1, 2]
    for place, version in enumerate(order):
        dated.scan(place / 1000, f"1.{version}", [A], pushed=-30 + version)
    overdue = [version for version in range(5) if dated.overdue(7.1, f"1.{version}")]
    assert overdue == [4]


def test_all_platforms_are_superseded_by_an_image_without_them(dated: Application) -> None:
    dated.scan(0, "amd", [A], tags=["1.0"], platform="linux/amd64")
    index = {digest_of("amd"): "linux/amd64", digest_of("arm"): "linux/arm64"}
    dated.scan(0.001, "arm", [A], tags=["1.0"], platform="linux/arm64")
    dated.inbox.repositories["app"].put(index_image(digest_of("index arm"), index, ("1.0",)))
    dated.scan(1, "1.1", [A])
    assert dated.overdue(7.1, "amd") is None
    assert dated.overdue(7.2, "arm") is None
    assert dated.overdue(7.3, "1.1") is not None


# Failures


@pytest.mark.slow
def test_failure_is_told_once_per_application_and_reason(app: Application) -> None:
    first = app.scan(0, "1.0", failure=UNSUPPORTED)
    assert first is not None
    assert first["unsupported"]
    for build in range(1, 10):
        assert app.scan(build, f"1.{build}", failure=UNSUPPORTED) is None
    other = app.scan(10, "1.10", failure="InternalError: The scan did not end.")
    assert other is not None
    assert app.scan(11, "1.11", failure="InternalError: The scan did not end.") is None
    app.scan(12, "1.12", [A])
    assert app.scan(13, "1.13", failure="InternalError: The scan did not end.") is not None
    assert app.scan(14, "1.13", failure=UNSUPPORTED) is not None


# Answers that are older than their event


def test_answer_that_is_older_than_its_event_is_read_again(app: Application) -> None:
    app.scan(0, "1.0", [A])
    now = START + 7 * DAY
    stale = FakeScan("COMPLETE", START, findings=[A])
    event = app.inbox.image("app", "1.0", name="1.0", scan=stale, pushed_at=START - timedelta(minutes=1), at=now)
    assert app.read(now + timedelta(seconds=5), event) is None
    assert app.failed == ["0"]
    app.inbox.repositories["app"].scans[digest_of("1.0")] = FakeScan("COMPLETE", now, findings=[A, B])
    assert changes(app.read(now + timedelta(seconds=65), event, receives=2)) == {"new": ["2"]}


def test_list_that_stays_shorter_than_its_event_claims_no_absence_and_says_so(dated: Application) -> None:
    dated.scan(0, "1.0", [A, B, C])
    now = START + DAY
    scan = FakeScan("COMPLETE", now, findings=[A, D])
    counts = {"finding-severity-counts": {"CRITICAL": 2, "HIGH": 3}}
    event = dated.inbox.image("app", "1.1", name="1.1", scan=scan, pushed_at=now - HOUR, at=now, event=counts)
    for receives in (1, 2):
        assert dated.read(now + timedelta(minutes=receives), event, receives=receives) is None
        assert dated.failed == ["0"]
    image = dated.read(now + timedelta(minutes=40), event, receives=3)
    assert dated.failed == []
    assert changes(image) == {"new": ["4"]}
    text = mail(dated.inbox.reports()[-1])
    assert "shorter than its event says" in text
    assert "FIXED" not in text


def test_failed_event_while_the_old_result_is_still_there(app: Application) -> None:
    app.scan(0, "1.0", [A])
    now = START + 7 * DAY
    stale = FakeScan("COMPLETE", START, findings=[A])
    failed = {"scan-status": "FAILED"}
    event = app.inbox.image("app", "1.0", name="1.0", scan=stale, pushed_at=START - timedelta(minutes=1), at=now,
                            event=failed)  # fmt: skip
    for receives in (1, 2):
        assert app.read(now + timedelta(minutes=receives), event, receives=receives) is None
        assert app.failed == ["0"]
    image = app.read(now + timedelta(minutes=40), event, receives=3)
    assert image is not None
    assert app.failed == []
    assert not image["unsupported"]


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [("python", "python3.9"), ("node", "node18-slim"), ("web", "web2")])
def test_tags_that_begin_alike_are_two_applications(dated: Application, first: str, second: str) -> None:
    own, other = [A, B], [C, D]
    assert changes(dated.scan(0, first, own)) == {"new": ["1", "2"]}
    # Nothing of the first one is fixed, and none of its deadlines goes over.
    assert changes(dated.scan(1, second, other)) == {"new": ["3", "4"]}
    for at, tag, findings in ((2, first, own), (3, second, other)):
        assert dated.scan(at, f"{tag} again", findings, tags=[tag]) is None
    for at, tag, findings, late in ((10, first, own, "1"), (11, second, other, "4")):
        image = dated.scan(at, f"{tag} once more", findings, tags=[tag])
        assert image is not None
        assert (changes(image), [entry["id"][-1] for entry in image["overdue"]]) == ({}, [late])


# The scanner


def test_switch_of_the_scanner_is_one_inventory_and_nothing_is_withdrawn(dated: Application) -> None:
    dated.scan(0, "1.0", [A, B])
    before = len(dated.inbox.reports())
    jar = enhanced("CVE-2026-0009", "CRITICAL", "log4j-core", fixed="2.17.1")
    openssl = enhanced("CVE-2026-0001", "CRITICAL", "openssl", fixed="3.0.2")
    assert dated.scan(2, "1.0", [openssl, jar]) is None
    dated.inbox.check(START + 4 * DAY)
    [report] = [document(report) for report in dated.inbox.reports()[before:]]
    assert report["images"] == []
    assert report["inventory"]["images"] == 1
    text = mail(dated.inbox.reports()[-1])
    assert "withdrawn" not in text.lower()
    assert dated.scan(5, "1.0", [openssl, jar]) is None
    # And back: what basic scanning does not look for is not gone.
    assert dated.scan(9, "1.0", [A]) is None
    assert dated.scan(10.5, "1.0", [A]) is None
    assert "withdrawn" not in mail(dated.inbox.reports()[-1]).lower()


# Reminders


@pytest.mark.slow
def test_reminders_are_one_short_list(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(REMIND_AFTER="30d")
    # Each has findings of its own: what two images of a repository have in common is known here, and not reported.
    many = [[finding(f"CVE-2026-{1000 + n}", "HIGH", f"package-{i}") for i in range(50)] for n in range(100)]
    for day in (0, 32):
        now = START + day * DAY
        events = [
            inbox.image(
                "app",
                f"service-{chr(97 + n // 26)}{chr(97 + n % 26)}",
                name=f"image {n}",
                scan=FakeScan("COMPLETE", now, findings=many[n]),
                pushed_at=START - timedelta(minutes=1),
                at=now,
            )
            for n in range(100)
        ]
        before = len(inbox.reports())
        assert inbox.report(*events, now=now + timedelta(minutes=1), seconds=250) == []
    messages = inbox.reports()[before:]
    assert len(messages) == 1
    found = document(messages[0])
    assert (found["images"], found["reminders"]["images"]) == ([], 100)
    assert found["reminders"]["counts"] == {"HIGH": 5_000}
    assert len(found["reminders"]["worst_images"]) == 20
    text = mail(messages[0])
    assert text.startswith("Reminder of 100 images: 5,000 high.\n")
    sentence = "These images have not been reported for 30 days, and are still at or above a threshold."
    assert sentence in " ".join(text.split())
    assert len(text.splitlines()) < 40


def test_what_is_known_here_is_reminded_of_as_where_it_was_found(
    make_reporter: Callable[..., ReporterHarness],
) -> None:
    app = Application(make_reporter(REMIND_AFTER="30d"))
    app.scan(0, "main", [A, B])
    reports = len(app.inbox.reports())
    assert app.scan(2, "feature-login", [A, B]) is None
    assert len(app.inbox.reports()) == reports
    app.scan(31, "feature-login", [A, B])
    assert document(app.inbox.reports()[-1])["reminders"]["images"] == 1


@pytest.mark.slow
def test_reminder_with_news_of_another_image_is_a_section(make_reporter: Callable[..., ReporterHarness]) -> None:
    app = Application(make_reporter(REMIND_AFTER="30d"))
    app.scan(0, "1.0", [A])
    now = START + 31 * DAY
    events = [
        app.inbox.image(name, "1.0", name=image, scan=FakeScan("COMPLETE", now, findings=[D]), pushed_at=pushed, at=now)
        for name, image, pushed in (("app", "1.0", START), ("web", "web", now))
    ]
    app.inbox.repositories["app"].scans[digest_of("1.0")] = FakeScan("COMPLETE", now, findings=[A])
    assert app.inbox.report(*events, now=now + timedelta(minutes=1)) == []
    report = app.inbox.reports()[-1]
    assert report.subject == "[ECR] 1 new critical in 1 image, reminder of 1 image: 1 critical: web:1.0"
    assert report.attributes["new_critical"] == ("Number", "1")
    assert report.attributes["repositories"] == ("String.Array", '["app", "web"]')
    assert [image["repository"] for image in document(report)["images"]] == ["web"]
    assert [image["repository"] for image in document(report)["reminders"]["worst_images"]] == ["app"]
