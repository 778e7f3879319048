"""The console widget shows what the table has, and answers any event."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from ecr_scan_reporter import console_widget
from ecr_scan_reporter.console_widget import DESCRIPTION, answer
from ecr_scan_reporter.memory.scans import ScanMemory
from ecr_scan_reporter.memory.summaries import RepositorySummary, summary_item
from fake_aws import FakeAws, Fault, digest_of
from hypothesis import given, settings
from hypothesis import strategies as st
from support.configuration import memory_table
from support.invocations import REGISTRY, Context
from support.random_tests import examples
from support.sample_registry import registry_items
from support.virtual_time import TIME

FIRST = "team-a/checkout"
Show = Callable[..., str]


@pytest.fixture
def aws(aws: FakeAws, configure: Callable[..., None]) -> FakeAws:
    """A table with ten repositories."""
    configure()
    table = memory_table(aws)
    table.put_many(registry_items(10, TIME.now()))
    ScanMemory(table, REGISTRY).remember(FIRST, {digest_of("asked"): None}, [digest_of("asked")], "run", TIME.now())
    aws.reset()
    return aws


@pytest.fixture
def show(aws: FakeAws) -> Show:
    """Calls the function as a dashboard does."""

    def call(event: object = None, **context: object) -> str:
        arguments: Any = {} if event is None else event
        if context:
            arguments = {**arguments, "widgetContext": context}
        html = console_widget.handler(arguments, Context())
        assert isinstance(html, str)
        json.dumps(html).encode()
        return html

    return call


def test_registry_is_one_query(show: Show, aws: FakeAws) -> None:
    html = show()
    assert "10 repositories" in html
    assert f">{FIRST}</a>" in html
    assert aws.calls() == {"Query": 1}


def test_repository_is_two_queries(show: Show, aws: FakeAws) -> None:
    html = show({"repository": FIRST, "search": "team"})
    assert ">4.0.0, latest</a>" in html
    assert '{"search": "team"}' in html
    assert digest_of("asked")[:19] not in html
    assert aws.calls() == {"Query": 2}


@pytest.mark.parametrize("ahead", [timedelta(days=8), timedelta(days=400)])
def test_clock_that_was_ahead_hides_no_repository(show: Show, aws: FakeAws, ahead: timedelta) -> None:
    table = memory_table(aws)
    table.put(
        summary_item(REGISTRY, RepositorySummary("team-z/early", TIME.now() + ahead, open={"LOW": 1}), TIME.now())
    )
    html = show()
    assert "11 repositories" in html
    assert f">{FIRST}</a>" in html
    assert "not counted" not in html
    # Nor does one that is ahead for all of them.
    table.put_many(registry_items(10, TIME.now() + ahead))
    console_widget.dependencies().state = None
    assert f">{FIRST}</a>" in show()
    assert ">4.0.0, latest</a>" in show({"repository": FIRST})


def test_state_from_the_future_is_read_again(show: Show, aws: FakeAws) -> None:
    deps = console_widget.dependencies()
    answer({}, deps, Context().invoked_function_arn, TIME.now() + timedelta(days=1))
    show()
    assert aws.calls() == {"Query": 2}


def test_state_is_read_again_after_a_minute(show: Show, aws: FakeAws) -> None:
    deps, now = console_widget.dependencies(), TIME.now()
    for seconds in (0, 30, 60):
        answer({}, deps, Context().invoked_function_arn, now + timedelta(seconds=seconds))
    assert aws.calls() == {"Query": 1}
    answer({}, deps, Context().invoked_function_arn, now + timedelta(seconds=61))
    assert aws.calls() == {"Query": 2}


def test_page_follows_theme_and_width(show: Show) -> None:
    assert len({show(theme=theme, width=width) for theme in ("light", "dark") for width in (400, 1400)}) == 4
    assert show(theme="dark", width=400) == show(theme="dark", width=639.5, height=200)


@pytest.mark.parametrize(
    ("event", "context", "searched"),
    [
        ({}, {"forms": {"all": {"search": "worker"}}}, "worker"),
        ({"search": "worker"}, {}, "worker"),
        ({"search": "worker"}, {"forms": {"all": {"search": "checkout"}}}, "worker"),
        ({"search": ""}, {"forms": {"all": {"search": "worker"}}}, ""),
        ({}, {"forms": None}, ""),
    ],
    ids=["input field", "parameter", "parameter before the field", "show all", "no field"],
)
def test_search_comes_from_the_action_or_the_input_field(
    show: Show, event: dict[str, Any], context: dict[str, Any], searched: str
) -> None:
    html = show(event, **context)
    assert f'<input name="search" value="{searched}"' in html
    assert (f">{FIRST}</a>" in html.partition("Repositories</div>")[2]) is (searched == "")


def test_widget_describes_itself(show: Show, aws: FakeAws) -> None:
    assert console_widget.handler({"describe": True}, Context()) == {"markdown": DESCRIPTION}
    assert aws.calls() == {}


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"repository": "no/such"}, "repository is 'no/such'; expected a repository with scanned images"),
        ({"repository": 7}, "repository is 'int'; expected text of at most 256 characters"),
        ({"search": "x" * 257}, "expected text of at most 256 characters"),
        ({"page": 0}, "page is '0'; expected a whole number from 1"),
        ({"page": "2"}, "page is '2'; expected a whole number from 1"),
        ({"page": True}, "page is 'True'; expected a whole number from 1"),
        ([], "the event is not a JSON object; expected the parameters of a custom widget"),
        ({"Records": [{"messageId": "1", "body": "{}"}]}, "'Records' is unknown; expected repository, search, page"),
        ({"repositry": FIRST}, "the parameter 'repositry' is unknown; expected repository, search, page"),
        ({"describe": "no"}, "describe is 'no'; expected true"),
    ],
)
def test_bad_input_is_answered_with_a_message(show: Show, event: object, message: str) -> None:
    assert message in show(event).replace("&#x27;", "'")


def test_table_that_cannot_be_read_is_answered_with_a_message(
    show: Show, aws: FakeAws, caplog: pytest.LogCaptureFixture
) -> None:
    aws.behavior.faults.append(Fault("Query", "AccessDeniedException"))
    assert "Could not read the memory table. The log of this function says why." in show()
    assert "the function's role lacks dynamodb:Query" in caplog.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()), lambda inner: st.lists(inner)
)


@settings(max_examples=examples(200))
@given(
    st.dictionaries(st.sampled_from(["repository", "search", "page", "describe", "x"]), JSON),
    st.dictionaries(st.sampled_from(["theme", "width", "height", "forms", "params"]), JSON),
)
def test_any_event_is_answered(show: Show, event: dict[str, Any], context: dict[str, Any]) -> None:
    event.pop("describe", None)
    html = show(event, **context)
    assert html.startswith("<style>")
    assert html.endswith("</div>")
