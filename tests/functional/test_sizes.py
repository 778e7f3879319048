"""The reporter, whatever is put into an image, and how large it is: everybody's reports are published.

The fake of AWS has the limits of DynamoDB, SNS and SQS, and rejects what is larger.
"""

import random
import string
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import hypothesis
import pytest
from ecr_scan_reporter.aws import findings
from ecr_scan_reporter.reporting import delivery
from fake_aws import FakeScan, Fault, finding
from hypothesis import given
from hypothesis import strategies as st
from support.configuration import CHAT
from support.random_tests import examples
from support.reporter_harness import ReporterHarness, document, enhanced, mail
from support.virtual_time import TIME

SQS_BYTES = 256 * 1024
# Few bytes per character, many, what JSON escapes, and what zlib cannot make smaller.
ALPHABETS = ("a", string.ascii_letters + string.digits, "é日\U0001f600", '\x00\x1b"\\', "<&`|*_")


def text(source: random.Random, length: int, alphabet: str) -> str:
    return "".join(source.choices(alphabet, k=length))


def entries(source: random.Random, number: int, versions: int, length: int, alphabet: str) -> list[dict[str, Any]]:
    """Return entries of Inspector with packages in so many versions, and texts of a length."""

    def some(most: int = length) -> str:
        return text(source, most, alphabet)

    found = []
    for n in range(number):
        entry = enhanced(f"CVE-2026-{n:06}{some(length // 2)}", "CRITICAL", "")
        name = f"p{n}{some()}"
        entry["packageVulnerabilityDetails"] |= {
            "sourceUrl": f"https://example.com/{some(8 * length)}",
            "relatedVulnerabilities": [f"GHSA-{some()}" for _ in range(min(versions, 40))],
            "vulnerablePackages": [
                {"name": name, "version": f"{v}{some()}", "fixedInVersion": some(), "filePath": f"/{some()}"}
                for v in range(versions)
            ],
        }
        found.append(entry)
    return found


def check(inbox: ReporterHarness, found: list[dict[str, Any]], tags: tuple[str, ...] = ("1.0",)) -> list[Any]:
    """Report an image with these entries twice, and one of another team; return the documents of the reports."""
    hostile = inbox.image("team-a/app", *tags, scan=FakeScan("ACTIVE", enhanced_findings=found))
    other = inbox.image("team-b/app", "1.0", scan=FakeScan(findings=[finding("CVE-2026-9999", "CRITICAL", "zlib")]))
    assert inbox.report(hostile, other, seconds=250) == []
    documents = [document(report) for report in inbox.reports()]
    assert {image["repository"] for one in documents for image in one["images"]} == {"team-a/app", "team-b/app"}
    # A rebuild that differs in nothing says nothing: what was left out of memory was left out in the same way.
    before = len(documents)
    TIME.sleep(3600)
    again = inbox.image("team-a/app", *tags, name="rebuild", scan=FakeScan("ACTIVE", enhanced_findings=found))
    assert inbox.report(again, seconds=250) == []
    assert len(inbox.reports()) == before
    assert all(len(message.body.encode()) <= SQS_BYTES for message in inbox.aws.messages())
    return documents


def test_package_in_many_versions_is_one_finding(inbox: ReporterHarness) -> None:
    found = enhanced("CVE-2026-0001", "CRITICAL", "openssl")
    found["packageVulnerabilityDetails"]["vulnerablePackages"] = [
        {"name": "openssl", "version": f"3.0.{n:04}"} for n in range(1300)
    ]
    [report] = check(inbox, [found])
    [image] = [image for image in report["images"] if image["repository"] == "team-a/app"]
    [shown] = image["changes"]["new"]
    assert shown["installed_versions"] == [f"3.0.{n:04}" for n in range(20)]
    assert shown["versions_omitted"] == 1280
    assert "openssl 3.0.0000, 3.0.0001, 3.0.0002, ..." in " ".join(mail(inbox.reports()[0]).split())


@pytest.mark.slow
@pytest.mark.parametrize(("number", "versions", "length"), [(1, 1300, 250), (40, 60, 40), (400, 3, 250)])
@pytest.mark.parametrize("alphabet", ALPHABETS[1:3], ids=["ascii", "unicode"])
def test_image_of_any_size_is_reported(
    inbox: ReporterHarness, number: int, versions: int, length: int, alphabet: str
) -> None:
    check(inbox, entries(random.Random(1), number, versions, length, alphabet))


@pytest.mark.slow
def test_more_findings_than_are_kept_are_counted(inbox: ReporterHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "_MAX_FINDINGS", 100)
    found = [enhanced(f"CVE-2026-{n:06}", "MEDIUM", f"package-{n}") for n in range(200)]
    found += [enhanced("CVE-2026-999999", "CRITICAL", "openssl")]
    [report] = check(inbox, found)
    [image] = [image for image in report["images"] if image["repository"] == "team-a/app"]
    assert image["findings_error"] == "Only the worst 100 of 201 findings are kept."
    assert image["counts"] == {"CRITICAL": 1, "MEDIUM": 99}
    # What is not kept is not gone.
    image = inbox.images_reported(
        TIME.now() + timedelta(days=1),
        inbox.image(
            "team-a/app",
            "1.0",
            name="next",
            scan=FakeScan("ACTIVE", enhanced_findings=[*found, enhanced("CVE-2026-999998", "CRITICAL", "curl")]),
            at=TIME.now() + timedelta(days=1),
        ),
    )[0]
    assert (image["totals"]["new"], image["totals"]["fixed"], image["totals"]["withdrawn"]) == (1, 0, 0)


@pytest.mark.slow
@hypothesis.settings(max_examples=examples(200))
@given(st.data())
def test_random_sizes(make_reporter: Callable[..., ReporterHarness], data: st.DataObject) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT, GROUP_BY="^([^/]+)/")
    inbox.aws.start_over()
    source, alphabet = random.Random(data.draw(st.integers(0, 9))), data.draw(st.sampled_from(ALPHABETS))
    number, versions = data.draw(st.sampled_from([(1, 500), (30, 30), (300, 2), (0, 1)]))
    tags = tuple(f"{n}{text(source, 120, string.ascii_letters)}" for n in range(data.draw(st.sampled_from([1, 999]))))
    found = entries(source, number, versions, data.draw(st.integers(0, 300)), alphabet)
    found.append(enhanced("CVE-2026-999999", "CRITICAL", "openssl"))
    check(inbox, found, tags)


@pytest.mark.slow
def test_page_that_can_hardly_be_compressed_waits_in_the_queue_with_less(
    inbox: ReporterHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The largest that was found takes 500 bytes less than the queue has room for.
    monkeypatch.setattr(delivery, "MAX_BODY", 200_000)
    source, letters = random.Random(1), "".join(map(chr, range(0x21, 0x7F)))
    sent = [
        inbox.image(f"app-{n}", "1.0", scan=FakeScan("ACTIVE", enhanced_findings=entries(source, 9, 20, 127, letters)))
        for n in range(12)
    ]
    # The first page is out, so another one that SNS rejects waits in the queue.
    inbox.aws.behavior.faults.append(Fault("Publish", "KMSDisabled", passed=1))
    assert inbox.report(*sent, seconds=250) == []
    inbox.aws.behavior.faults.clear()
    waiting = [message.body for message in inbox.aws.messages() if '"publish"' in message.body]
    assert max(map(len, waiting)) <= 200_000
    assert inbox.report(*waiting) == []
    first, *others = sorted(map(document, inbox.reports()), key=lambda report: report["part"])
    assert [report["part"] for report in others] == list(range(2, first["parts"] + 1)) != []
    # Each image is named, and where its findings had no room in the queue, it says how many were left out.
    images = [image for report in (first, *others) for image in report["images"]]
    assert sorted(image["repository"] for image in images) == sorted(f"app-{n}" for n in range(12))
    assert {len(image["changes"]["new"]) + image["findings_omitted"] for image in images} == {9}
    assert any(image["findings_omitted"] for image in images)
