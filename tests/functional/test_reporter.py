"""The reporter over HTTP: what is told, to whom, in which words, and that nothing is lost."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ecr_scan_reporter import reporter
from fake_aws import FakeAws, FakeImage, FakeRegistry, FakeScan, Fault, Publication, digest_of, finding, index_image
from syrupy.assertion import SnapshotAssertion

TOPIC, CHAT = (f"arn:aws:sns:eu-west-1:123456789012:{name}" for name in ("reports", "chat"))
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text())
UNSUPPORTED = "UnsupportedImageError: The operating system and/or package manager are not supported."


def enhanced(name: str, severity: str, package: str, fixed: str = "", **fields: Any) -> dict[str, Any]:
    """A finding of enhanced scanning."""
    vulnerable = {"name": package, "version": "1.0", **({"fixedInVersion": fixed} if fixed else {})}
    details = {"vulnerabilityId": name, "sourceUrl": f"https://example.com/{name}", "vulnerablePackages": [vulnerable]}
    return {
        "severity": severity,
        "status": "ACTIVE",
        "fixAvailable": "YES" if fixed else "NO",
        "exploitAvailable": "NO",
        "packageVulnerabilityDetails": details,
        **fields,
    }


class Inbox:
    """The reporter, set up for a fake, and what it published."""

    def __init__(self, aws: FakeAws) -> None:
        self.aws = aws
        self.repositories: dict[str, Any] = {}

    def image(
        self,
        repository: str,
        *tags: str,
        scan: FakeScan | None = None,
        name: str = "",
        event: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Put an image into the registry; returns the event of its scan, with the counts of its findings."""
        digest = digest_of(name or f"{repository}{tags}")
        held = self.repositories.get(repository) or self.aws.registry.add(repository)
        self.repositories[repository] = held
        held.put(FakeImage(digest, tags))
        counts: dict[str, int] = {}
        if scan:
            held.scans[digest] = scan
            for entry in (*scan.findings, *scan.enhanced_findings):
                if entry.get("status", "ACTIVE") == "ACTIVE":
                    counts[str(entry["severity"])] = counts.get(str(entry["severity"]), 0) + 1
        detail = {
            "scan-status": "COMPLETE",
            "repository-name": repository,
            "finding-severity-counts": counts,
            "image-digest": digest,
            "image-tags": list(tags),
            **(event or {}),
        }
        return {
            "detail-type": "ECR Image Scan",
            "source": "aws.ecr",
            "account": "123456789012",
            "time": "2026-11-23T09:14:00Z",
            "region": "eu-west-1",
            "detail": detail,
        }

    def tell(self, *events: Any) -> list[str]:
        """Hand a gathering to the function; returns which messages failed."""
        records: Any = [
            {"messageId": str(number), "body": event if isinstance(event, str) else json.dumps(event)}
            for number, event in enumerate(events)
        ]
        answer = reporter.handler({"Records": records}, None)
        for publication in self.reports():
            jsonschema.validate(document(publication), SCHEMA, format_checker=jsonschema.FormatChecker())
            assert publication.subject is not None
            assert 0 < len(publication.subject) < 100
            assert publication.subject.isascii()
            assert publication.subject.isprintable()
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def reports(self) -> list[Publication]:
        return [publication for publication in self.aws.publications() if publication.topic == TOPIC]

    def chats(self) -> list[dict[str, Any]]:
        return [json.loads(publication.message) for publication in self.aws.publications() if publication.topic == CHAT]


def document(publication: Publication) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(json.loads(publication.message)["default"])
    return parsed


def mail(publication: Publication) -> str:
    text: str = json.loads(publication.message)["email"]
    return text


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Inbox]]:
    """Makes an inbox for a reporter with these settings."""
    with FakeAws(FakeRegistry()) as aws:

        def make(**settings: str) -> Inbox:
            defaults = {
                "REPORTS_TOPIC_ARN": TOPIC,
                "REPOSITORIES_FILTER_REGEXP": "^(?!sandbox/)",
                "SEVERITY_THRESHOLDS": '{"CRITICAL":1,"HIGH":1}',
                "NOTIFY_ON_SCAN_FAILURE": "true",
                "REPORTER_NAME": "platform",
            }
            for name, value in {**aws.environment(), **defaults, **settings}.items():
                monkeypatch.setenv(name, value)
            reporter._environment.cache_clear()
            return Inbox(aws)

        yield make
    reporter._environment.cache_clear()


@pytest.fixture
def inbox(set_up: Callable[..., Inbox]) -> Inbox:
    return set_up()


def found(*severities: str) -> FakeScan:
    return FakeScan(findings=[finding(f"CVE-2026-{n:04}", severity) for n, severity in enumerate(severities, start=1)])


def gathering(inbox: Inbox) -> list[dict[str, Any]]:
    """A gathering with everything in it."""
    worst = [
        finding("CVE-2026-1234", "CRITICAL", "openssl", "3.0.1-r2"),
        finding("CVE-2026-2345", "CRITICAL", "openssl", "3.0.1-r2"),
    ]
    worst += [finding(f"CVE-2026-{n}", "HIGH", "openssl", "3.0.1-r2") for n in range(3000, 3005)]
    worst += [finding(f"CVE-2026-{n}", "MEDIUM", f"lib{n}", "1.0") for n in range(4000, 4037)]
    fixable = [
        enhanced("CVE-2026-5001", "HIGH", "log4j-core", "2.17.1", exploitAvailable="YES", score=9.8),
        enhanced("CVE-2026-5002", "HIGH", "zlib", score=8.1),
        enhanced("CVE-2026-5003", "HIGH", "zlib", "1.3", status="SUPPRESSED"),
    ]
    child = inbox.image("team-a/worker", name="child", scan=FakeScan(enhanced_findings=fixable))
    index = {child["detail"]["image-digest"]: "linux/arm64"}
    inbox.repositories["team-a/worker"].put(index_image(digest_of("index"), index, ("2.0", "latest")))
    failed = {"scan-status": "FAILED", "finding-severity-counts": {}}
    return [
        inbox.image("team-b/api", "1.0", scan=found("HIGH")),
        inbox.image("team-a/checkout", "4.2.0", "stable", scan=FakeScan(findings=worst)),
        child,
        inbox.image("team-b/legacy", "1.0", scan=FakeScan("FAILED", description=UNSUPPORTED), event=failed),
        inbox.image("team-b/clean", "1.0", scan=found("MEDIUM", "LOW")),
    ]


def test_a_gathering_is_one_message_the_worst_image_first(inbox: Inbox, snapshot: SnapshotAssertion) -> None:
    assert inbox.tell(*gathering(inbox)) == []
    [report] = inbox.reports()
    assert report.subject == "[ECR] 2 critical, 8 high in 3 images, 1 scan failed: team-a/checkout:4.2.0 and 3 more"
    assert report.structure == "json"
    assert {name: value for name, (_, value) in report.attributes.items()} == {
        "severity": "CRITICAL",
        "repositories": '["team-a/checkout", "team-a/worker", "team-b/api", "team-b/legacy"]',
        "account": "123456789012",
        "region": "eu-west-1",
        "failed_scans": "1",
    }
    assert mail(report) == snapshot(name="mail")
    assert document(report) == snapshot(name="document")


def test_a_mail_keeps_to_76_columns_but_for_its_links(inbox: Inbox) -> None:
    inbox.tell(*gathering(inbox))
    lines = mail(inbox.reports()[0]).splitlines()
    assert [line for line in lines if len(line) > 76 and "https://" not in line] == []


def test_a_chat_gets_the_same_as_markdown(set_up: Callable[..., Inbox], snapshot: SnapshotAssertion) -> None:
    inbox = set_up(CHAT_TOPIC_ARN=CHAT)
    inbox.tell(*gathering(inbox))
    [chat] = inbox.chats()
    assert (chat["version"], chat["source"]) == ("1.0", "custom")
    assert chat == snapshot


def test_a_chat_keeps_within_its_limits(set_up: Callable[..., Inbox]) -> None:
    inbox = set_up(CHAT_TOPIC_ARN=CHAT)
    inbox.tell(*(inbox.image(f"team-{n:03}/{'x' * 100}", "1.0", scan=found("HIGH")) for n in range(120)))
    [chat] = inbox.chats()
    assert len(chat["content"]["title"]) <= 250
    assert len(chat["content"]["description"]) <= 8000
    assert "more images" in chat["content"]["description"]


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"CRITICAL": 1}, True),
        ({"HIGH": 1}, True),
        ({"CRITICAL": 0, "HIGH": 0, "MEDIUM": 99, "TOTAL": 99}, False),
        ({"UNTRIAGED": 9, "UNDEFINED": 9}, False),
        ({}, False),
    ],
)
def test_an_image_is_told_when_a_threshold_is_reached(inbox: Inbox, counts: dict[str, int], told: bool) -> None:
    inbox.tell(inbox.image("app", "1", scan=found(), event={"finding-severity-counts": counts}))
    assert len(inbox.reports()) == told


def test_a_threshold_may_be_a_number(set_up: Callable[..., Inbox]) -> None:
    inbox = set_up(SEVERITY_THRESHOLDS='{"MEDIUM":2}')
    inbox.tell(inbox.image("one", "1", scan=found("MEDIUM")), inbox.image("two", "1", scan=found("MEDIUM", "MEDIUM")))
    assert [image["repository"] for image in document(inbox.reports()[0])["images"]] == ["two"]


@pytest.mark.parametrize("wanted", [True, False])
def test_a_failed_scan_is_told_with_its_reason_where_that_is_wanted(set_up: Callable[..., Inbox], wanted: bool) -> None:
    inbox = set_up(NOTIFY_ON_SCAN_FAILURE=str(wanted).lower())
    inbox.tell(
        inbox.image("app", "1", scan=FakeScan("FAILED", description="No space."), event={"scan-status": "FAILED"})
    )
    assert len(inbox.reports()) == wanted
    if wanted:
        [failed] = document(inbox.reports()[0])["failed_scans"]
        assert (failed["reason"], failed["unsupported"]) == ("No space.", False)
        assert inbox.reports()[0].attributes["severity"][1] == "NONE"


def test_repositories_that_do_not_match_are_not_told(inbox: Inbox) -> None:
    assert inbox.tell(inbox.image("sandbox/app", "1", scan=found("CRITICAL"))) == []
    assert inbox.reports() == []


def test_with_fixable_only_what_has_no_fix_does_not_count(set_up: Callable[..., Inbox]) -> None:
    inbox = set_up(FIXABLE_ONLY="true")
    fix = enhanced("CVE-1", "HIGH", "a", "2.0")
    none = enhanced("CVE-2", "CRITICAL", "b")
    inbox.tell(
        inbox.image("mixed", "1", scan=FakeScan(enhanced_findings=[fix, none])),
        inbox.image("hopeless", "1", scan=FakeScan(enhanced_findings=[none])),
    )
    [image] = document(inbox.reports()[0])["images"]
    assert (image["repository"], image["counts"]) == ("mixed", {"HIGH": 1})
    assert [entry["id"] for entry in image["findings"]] == ["CVE-1"]


def test_the_same_event_twice_is_told_once_and_the_last_scan_counts(inbox: Inbox) -> None:
    event = inbox.image("app", "1", scan=found("HIGH"))
    older = {**event, "time": "2026-11-22T09:14:00Z"}
    assert inbox.tell(event, event, older) == []
    [image] = document(inbox.reports()[0])["images"]
    assert image["scanned_at"] == "2026-11-23T09:14:00Z"


def test_an_image_that_is_gone_is_told_with_the_counts_of_the_event(inbox: Inbox) -> None:
    event = inbox.image("app", scan=found("HIGH", "HIGH"))
    inbox.repositories["app"].remove(event["detail"]["image-digest"])
    assert inbox.tell(event) == []
    [image] = document(inbox.reports()[0])["images"]
    assert (image["counts"], image["findings"], image["tags"]) == ({"HIGH": 2}, [], [])
    assert "(no tag)" in mail(inbox.reports()[0])


def test_a_repository_that_is_gone_is_no_obstacle(inbox: Inbox) -> None:
    event = inbox.image("app", scan=found("HIGH"))
    inbox.aws.registry.remove("app")
    assert inbox.tell(event) == []
    assert len(inbox.reports()) == 1


def test_the_events_of_aws_are_told(inbox: Inbox, aws_event: Callable[..., dict[str, Any]]) -> None:
    names = ("ecr-image-scan-complete", "ecr-image-scan-failed", "inspector2-scan")
    assert inbox.tell(*map(aws_event, names)) == []
    documents = [document(report) for report in inbox.reports()]
    assert sorted((told["account"], told["region"]) for told in documents) == [
        ("000000000000", "us-east-1"),
        ("123456789012", "us-east-1"),
        ("123456789012", "us-east-2"),
    ]


def test_what_is_no_scan_event_comes_back_and_its_neighbours_are_told(inbox: Inbox) -> None:
    assert inbox.tell("poison", inbox.image("app", "1", scan=found("HIGH")), "{}") == ["0", "2"]
    assert len(inbox.reports()) == 1


def test_each_group_gets_its_own_images_and_no_others(set_up: Callable[..., Inbox]) -> None:
    inbox = set_up(GROUP_BY="^([^/]+)/")
    names = ("team-a/app", "team-b/app", "team-a/worker", "ungrouped")
    inbox.tell(*(inbox.image(name, "1", scan=found("HIGH")) for name in names))
    told = {document(report)["group"]: document(report) for report in inbox.reports()}
    assert {group: sorted(image["repository"] for image in report["images"]) for group, report in told.items()} == {
        "team-a": ["team-a/app", "team-a/worker"],
        "team-b": ["team-b/app"],
        None: ["ungrouped"],
    }
    groups = [report.attributes.get("group", ("", None))[1] for report in inbox.reports()]
    assert sorted(map(str, groups)) == ["None", "team-a", "team-b"]


def test_a_gathering_too_large_for_one_message_becomes_several(inbox: Inbox) -> None:
    many = FakeScan(findings=[finding(f"CVE-2026-{n:04}", "HIGH", f"package-{n}") for n in range(200)])
    assert inbox.tell(*(inbox.image(f"team/app-{n:03}", "1.0", scan=many) for n in range(200))) == []
    reports = inbox.reports()
    assert 1 < len(reports) <= 4
    told = [image["repository"] for report in reports for image in document(report)["images"]]
    assert len(told) == len(set(told)) == 200
    assert [(document(report)["part"], document(report)["parts"]) for report in reports] == [
        (number, len(reports)) for number in range(1, len(reports) + 1)
    ]
    assert all(f"Message 1 of {len(reports)}" in mail(report) for report in reports[:1])
    image = document(reports[0])["images"][0]
    assert image["findings_left_out"] + len(image["findings"]) == 200
    assert "more findings\n" in mail(reports[0])


def test_only_the_part_that_was_not_published_comes_back(set_up: Callable[..., Inbox]) -> None:
    inbox = set_up(GROUP_BY="^([^/]+)/")
    events = [inbox.image(f"team-{name}/app", "1", scan=found("HIGH")) for name in ("a", "b", "c")]
    inbox.aws.behavior.faults.append(Fault("Publish", "AuthorizationError", status=403, containing="team-b"))
    assert inbox.tell(*events) == ["1"]
    assert sorted(str(document(report)["group"]) for report in inbox.reports()) == ["team-a", "team-c"]


def test_a_chat_that_fails_keeps_the_mail_from_being_sent_twice(set_up: Callable[..., Inbox]) -> None:
    inbox = set_up(CHAT_TOPIC_ARN=CHAT)
    inbox.aws.behavior.faults.append(Fault("Publish", "AuthorizationError", status=403, containing=CHAT, times=1))
    event = inbox.image("app", "1", scan=found("HIGH"))
    assert inbox.tell(event) == ["0"]
    assert inbox.reports() == []
    assert inbox.tell(event) == []
    assert (len(inbox.reports()), len(inbox.chats())) == (1, 1)


EVIL = [
    "line\r\nBcc: all@example.com",
    "<!channel> & <https://evil.example|click>",
    "[click](https://evil.example) *bold* `code`",
    '"},"default":"',
    "\u202eoverride \x00 \x1b[31m",
    "日本語/イメージ",
    "x" * 5000,
]


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_from_outside_breaks_the_subject_the_json_the_mail_or_the_markdown(
    set_up: Callable[..., Inbox], evil: str
) -> None:
    inbox = set_up(CHAT_TOPIC_ARN=CHAT)
    scan = FakeScan(findings=[replace_values(finding("CVE-1", "HIGH", evil, evil), evil)])
    event = inbox.image("app", "1", scan=scan, event={"image-tags": [evil]})
    named = inbox.image("app2", "1", scan=found("HIGH"), event={"repository-name": evil})
    failed = inbox.image("app3", "1", scan=FakeScan("FAILED", description=evil), event={"scan-status": "FAILED"})
    assert inbox.tell(event, named, failed) == []
    [report] = inbox.reports()
    assert all(line.isprintable() for line in mail(report).splitlines())
    assert "\nBcc" not in mail(report)
    description = inbox.chats()[0]["content"]["description"]
    assert "<" not in description
    assert description.count("`") % 2 == 0
    assert "evil" not in re.sub("`[^`]*`|[(]https://eu-west-1[.]console[^)]*[)]", "", description)


def test_a_name_that_ecr_cannot_have_is_told_all_the_same(inbox: Inbox) -> None:
    event = inbox.image("app", scan=found("HIGH"), event={"repository-name": "x"})
    assert inbox.tell(event) == []
    assert document(inbox.reports()[0])["images"][0]["repository"] == "x"


def replace_values(entry: dict[str, object], evil: str) -> dict[str, object]:
    return {**entry, "name": evil, "uri": evil}


def test_counts_that_fill_the_subject_are_cut(set_up: Callable[..., Inbox]) -> None:
    inbox = set_up(SEVERITY_THRESHOLDS='{"LOW":1}')
    counts = dict.fromkeys(("MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED"), 1_000_000)
    events = [inbox.image(f"app-{n}", "1", event={"finding-severity-counts": counts}) for n in range(20)]
    assert inbox.tell(*events) == []  # every subject is held to its limits there
    assert [report.subject[-3:] for report in inbox.reports() if report.subject] == ["..."]


def test_scores_that_are_no_numbers_are_none(inbox: Inbox) -> None:
    entry = finding("CVE-1", "HIGH")
    entry["attributes"] = [{"key": "CVSS3_SCORE", "value": "high"}, {"key": "empty"}]
    inbox.tell(inbox.image("app", "1", scan=FakeScan(findings=[entry])))
    assert document(inbox.reports()[0])["images"][0]["findings"][0]["score"] is None


@pytest.mark.parametrize(
    ("partition", "host"),
    [("aws-cn", "console.amazonaws.cn"), ("aws-us-gov", "console.amazonaws-us-gov.com"), ("aws-iso", None)],
)
def test_the_link_leads_to_the_console_of_the_partition(
    set_up: Callable[..., Inbox], partition: str, host: str | None
) -> None:
    arn = TOPIC.replace("aws", partition, 1)
    inbox = set_up(REPORTS_TOPIC_ARN=arn)
    inbox.tell(
        inbox.image("team/app", "1", scan=found("HIGH")), inbox.image("bb", "1", event={"scan-status": "FAILED"})
    )
    [report] = [publication for publication in inbox.aws.publications() if publication.topic == arn]
    link = document(report)["images"][0]["link"]
    assert (link is None) if host is None else link.startswith(f"https://eu-west-1.{host}/ecr/repositories/private/")
