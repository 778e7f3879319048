"""Renders the widget's pages: whatever others have named is text in them, and they fit into what a widget may be."""

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from ecr_scan_reporter.memory.coverage import Coverage
from ecr_scan_reporter.memory.images import ImageRecord, Update
from ecr_scan_reporter.memory.summaries import OverdueInImage, RepositorySummary
from ecr_scan_reporter.reporting.registry_state import registry_state
from ecr_scan_reporter.reporting.widget.html import WidgetContext, render_problem, render_registry, render_repository
from ecr_scan_reporter.reporting.widget.images import repository_images
from ecr_scan_reporter.shared.durations import Duration

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = Duration(0, 0, 7)
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:console-widget"
VIEW = WidgetContext("platform", WEEK, ARN, NOW)
VIEWS = [
    WidgetContext("platform", WEEK, ARN, NOW, dark=dark, narrow=narrow)
    for dark in (False, True)
    for narrow in (False, True)
]
PLAIN = "plain"
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></div></svg><iframe src=//x>",
    '</cwdb-action><cwdb-action action="call" endpoint="arn">{}',
    "javascript:alert(1)",
    "&lt;b&gt;&amp;",
    "\u202eevil\u0000\n\r\t\u2028",
    "@critical {color:red} </style>",
    "\\u003cscript\\u003e",
]


class Page(HTMLParser):
    """The structure of a page, its text, and the parameters of its actions. Fails if an element is not closed."""

    VOID = frozenset({"input", "br", "rect"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words = ""
        self.actions: list[tuple[str, dict[str, Any]]] = []
        self._open: list[str] = []
        self._last_closed = ""
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "cwdb-action":
            # It acts on the element right before it.
            assert self._last_closed == "a"
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self._last_closed = tag

    def handle_data(self, data: str) -> None:
        self._last_closed = ""
        if self._open[-1:] == ["cwdb-action"]:
            self.actions.append((data, json.loads(data)))
        elif self._open[-1:] != ["style"]:
            self.words += data


def pages(name: str, view: WidgetContext = VIEW) -> list[str]:
    """Return pages on which everything that others may name has this name."""
    found = Update(name, (name,), (name,), Counter(CRITICAL=1))
    summary = RepositorySummary(
        name,
        NOW,
        coverage=Coverage({"in_time": 1, name: 1}, {name: [name]}),
        open=Counter({"CRITICAL": 1, name: 1}),
        images_by_worst=Counter({"CRITICAL": 1, name: 1}),
        updates=[found],
        overdue=1,
        overdue_worst=[OverdueInImage(name, name, name, name, NOW - DAY)],
    )
    gone = RepositorySummary(f"{name}2", NOW - 30 * DAY)
    record = ImageRecord(
        event_at=NOW, tags=(name, name), platform=name, counts={name: 1}, updates=(found,), failed=True
    )
    images = repository_images([(name, record)], WEEK, NOW)
    return [
        render_registry(registry_state([summary, gone], WEEK), view._replace(search=name)),
        render_repository(registry_state([summary], WEEK), images, view._replace(repository=name, search=name)),
        render_problem(name, view),
    ]


@pytest.mark.parametrize("view", VIEWS, ids=["light", "light, narrow", "dark", "dark, narrow"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_are_text(hostile: str, view: WidgetContext) -> None:
    for html, plain in zip(pages(hostile, view), pages(PLAIN, view), strict=True):
        page = Page(html)
        assert page.elements == Page(plain).elements
        assert {value.partition(":")[0] for _, name, value in page.attributes if name == "href"} <= {"https"}
        assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"]
        assert "\u202e" not in html
        assert "\n" not in page.words


def test_hostile_names_come_back_from_an_action_as_they_were() -> None:
    for hostile in HOSTILE:
        page = Page(pages(hostile)[0])
        assert hostile in [parameters.get("repository") for _, parameters in page.actions]
        # The same whether the console takes the text of the element or its markup.
        assert not any(char in data for data, _ in page.actions for char in "<>&")


def test_pages_have_neither_scripts_nor_anything_from_elsewhere() -> None:
    allowed = {"style", "div", "span", "a", "cwdb-action", "svg", "title", "rect", "ul", "li", "b", "br", "input"}
    allowed |= {"table", "thead", "tr", "th", "td"}
    for view in VIEWS:
        for html in pages(PLAIN, view):
            page = Page(html)
            assert {tag for tag, _ in page.elements} <= allowed
            assert {(tag, name) for tag, name, _ in page.attributes if name in ("href", "src")} <= {("a", "href")}
            assert "url(" not in html
            assert "@import" not in html


def test_every_style_is_below_one_class_and_has_its_colors() -> None:
    for view in VIEWS:
        match = re.match(r"<style>(.*?)</style><div class=\"(esr[^\"]*)\">", render_problem("text", view), re.DOTALL)
        assert match is not None
        assert "cwdb-no-default-styles" in match[2]
        rules = match[1].strip().splitlines()
        assert [
            rule for rule in rules if not all(part.startswith(".esr") for part in rule.split("{")[0].split(","))
        ] == []
        assert "@" not in match[1]


def test_dark_page_differs_in_its_colors_alone() -> None:
    light, dark = (pages(PLAIN, view) for view in (VIEWS[0], VIEWS[2]))
    assert light != dark
    for one, other in zip(light, dark, strict=True):
        assert re.sub("<style>.*</style>", "", one, flags=re.DOTALL) == re.sub(
            "<style>.*</style>", "", other, flags=re.DOTALL
        )


def many(number: int) -> list[RepositorySummary]:
    long = "x" * 250
    return [
        RepositorySummary(
            f"{long}{position:05}",
            NOW,
            coverage=Coverage({"in_time": 1}),
            open=Counter(CRITICAL=number - position, HIGH=1, MEDIUM=1, LOW=1),
            images_by_worst=Counter(CRITICAL=1, HIGH=1, MEDIUM=1, LOW=1, NONE=1),
        )
        for position in range(number)
    ]


def test_10_000_repositories_are_pages_of_50() -> None:
    state = registry_state(many(10_000), WEEK)
    html = render_registry(state, VIEW)
    assert len(html) < 150_000
    page = Page(html)
    assert "1 to 50 of 10,000, the worst first" in page.words
    assert [parameters for _, parameters in page.actions if "page" in parameters] == [{"search": "", "page": 2}]
    last = Page(render_registry(state, VIEW._replace(page=1_000)))
    assert "9,951 to 10,000 of 10,000" in last.words
    assert [parameters for _, parameters in last.actions if "page" in parameters] == [{"search": "", "page": 199}]


def test_search_lists_what_has_it_in_its_name_and_turns_its_pages() -> None:
    state = registry_state(many(200), WEEK)
    page = Page(render_registry(state, VIEW._replace(search="X001", page=2)))
    assert "51 to 100 of 100" in page.words
    turned = [parameters for _, parameters in page.actions if "page" in parameters]
    assert turned == [{"search": "X001", "page": 1}]
    assert ("input", "value", "X001") in page.attributes
    assert "No repository name contains this text." in Page(render_registry(state, VIEW._replace(search="none"))).words


@pytest.mark.parametrize(
    ("scanned", "missed", "percent"),
    [(1, 0, "100%"), (999_999, 1, "99.99%"), (1, 2, "33.33%"), (9, 1, "90%"), (0, 3, "0%")],
)
def test_percentage_is_never_rounded_up(scanned: int, missed: int, percent: str) -> None:
    summary = RepositorySummary("app", NOW, coverage=Coverage({"in_time": scanned, "failed": missed}))
    assert f"Scanned within 7 days{percent}" in Page(render_registry(registry_state([summary], WEEK), VIEW)).words


def test_registry_before_its_first_run_says_so() -> None:
    assert "No run has finished yet" in Page(render_registry(registry_state([], WEEK), VIEW)).words


def test_what_needs_attention_is_named() -> None:
    state = registry_state([RepositorySummary("app", NOW - 8 * DAY), RepositorySummary("gone", NOW - 30 * DAY)], WEEK)
    words = Page(render_registry(state, VIEW)).words
    assert "No run has visited a repository for 7 days: is the schedule enabled?" in words
    assert "1 repository has not been visited for 7 days: gone." in words


def test_findings_that_are_overdue_for_longest_are_named() -> None:
    found = [OverdueInImage("1.0", f"CVE-{days}", "zlib", "HIGH", NOW - days * DAY) for days in range(1, 8)]
    state = registry_state([RepositorySummary("app", NOW, overdue=9, overdue_worst=found)], WEEK)
    words = Page(render_registry(state, VIEW)).words
    assert re.findall(r"CVE-\d", words) == [f"CVE-{days}" for days in (7, 6, 5, 4, 3)]
    assert "and 4 more overdue" in words
    assert "past their deadlines, by 7 days at most" in words


def test_image_links_to_the_console_of_its_partition() -> None:
    record = ImageRecord(event_at=NOW, tags=("1.0",), failed=True, unsupported=True)
    images = repository_images([("sha256:1", record), ("sha256:2", ImageRecord())], WEEK, NOW)
    html = render_repository(None, images, VIEW._replace(repository="team-a/app"))
    page = Page(html)
    [url] = [value for _, name, value in page.attributes if name == "href"]
    assert url == (
        "https://eu-west-1.console.aws.amazon.com/ecr/repositories/private/123456789012/team-a/app/_/image/"
        "sha256%3A1/scan-results?region=eu-west-1"
    )
    assert "not supported" in page.words
    assert "Not listed: 1 image without a scan for 7 days, most of them deleted." in page.words
    assert "no run has finished here yet" in page.words
    elsewhere = VIEW._replace(endpoint=ARN.replace("arn:aws:", "arn:aws-iso:"))
    assert "href" not in render_repository(None, images, elsewhere._replace(repository="team-a/app"))


def test_action_calls_the_function_of_the_widget() -> None:
    page = Page(pages(PLAIN)[0])
    assert {value for tag, name, value in page.attributes if (tag, name) == ("cwdb-action", "endpoint")} == {ARN}
    assert {value for tag, name, value in page.attributes if (tag, name) == ("cwdb-action", "action")} == {"call"}
