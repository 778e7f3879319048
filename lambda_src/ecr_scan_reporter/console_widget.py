"""The console widget: shows the state of the registry on a CloudWatch dashboard.

It decides which parameters it accepts, below which width the page is narrow, and how long it keeps the state.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Protocol

from ecr_scan_reporter.aws.clients import create_client
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.errors import AwsError, InputError
from ecr_scan_reporter.memory.images import ImageMemory
from ecr_scan_reporter.memory.summaries import repository_summary, summaries
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.reporting.registry_state import RegistryState, registry_state
from ecr_scan_reporter.reporting.widget.html import WidgetContext, render_problem, render_registry, render_repository
from ecr_scan_reporter.reporting.widget.images import repository_images
from ecr_scan_reporter.settings import ConsoleWidgetSettings, parse_settings
from ecr_scan_reporter.shared import clock
from ecr_scan_reporter.shared.text import clean

logger = logging.getLogger(__name__)

DESCRIPTION = """## State of the ECR registry

Shows each repository as of its last run: how many images were scanned in time, images by their worst finding, open
findings, what to do first, and what is overdue. Click the name of a repository to see its images.

### Parameters

Name | Value
---|---
`search` | part of the names of the repositories to list, such as `team-a/`; all by default
`repository` | the name of the one repository to show, such as `team-a/app`
`page` | the number of the page, from 1

### Example

``` yaml
search: team-a/
```
"""

# Pixels; narrower widgets have tables with fewer columns.
_NARROW_BELOW = 640
_PARAMETERS = ("repository", "search", "page")
_MAX_NAME, _MAX_PAGE = 256, 1_000_000
# How long the state of the registry is kept: turning pages and searching then cost no calls.
_STATE_LIFETIME = timedelta(seconds=60)


class FunctionContext(Protocol):
    """The part of Lambda's context object that is used."""

    invoked_function_arn: str


@dataclass(slots=True)
class WidgetDependencies:
    """The settings and client of the console widget. `state`: the state of the registry, and when it was read last."""

    settings: ConsoleWidgetSettings
    table: Table
    state: tuple[datetime, RegistryState] | None = None


def handler(event: object, context: FunctionContext) -> str | dict[str, str]:
    """Answer a call of a custom widget.

    Args:
        event: the parameters of the widget or of one of its actions, such as `{"repository": "team-a/app"}`, and the
            `widgetContext` that the console adds; or `{"describe": true}`.

    Returns:
        HTML, or the documentation of the widget.

    Raises:
        SettingError: an environment variable is invalid.
    """
    if isinstance(event, Mapping) and event.get("describe") is True:
        return {"markdown": DESCRIPTION}
    return answer(event, dependencies(), context.invoked_function_arn)


@cache
def dependencies() -> WidgetDependencies:
    """Create the settings and the client, once per cold start."""
    settings = parse_settings(ConsoleWidgetSettings, os.environ)
    return WidgetDependencies(settings, Table(create_client("dynamodb"), settings.memory_table))


def answer(event: object, deps: WidgetDependencies, endpoint: str, now: datetime | None = None) -> str:
    """Return the page for a call.

    Args:
        event: the parameters of the widget or of the action, and the console's `widgetContext`.
        endpoint: the ARN of the function, which the page's actions call.
        now: the time of the call by default.
    """
    now = now or clock.now()
    context, settings = _widget_context(event), deps.settings
    is_dark, width = context.get("theme") == "dark", context.get("width")
    is_narrow = isinstance(width, int | float) and width < _NARROW_BELOW
    view = WidgetContext(settings.name, settings.max_age, endpoint, now, dark=is_dark, narrow=is_narrow)
    try:
        view = parse_call(event, view)
        return _repository(deps, view) if view.repository else _registry(deps, view)
    except InputError as error:
        return render_problem(str(error), view)
    except AwsError:
        logger.exception("could not read the memory table")
        return render_problem("Could not read the memory table. The log of this function says why.", view)


def parse_call(event: object, view: WidgetContext) -> WidgetContext:
    """Return the context of a page with the parameters of a call.

    Raises:
        InputError: a parameter is invalid.
    """
    if not isinstance(event, Mapping):
        raise InputError("the event is not a JSON object; expected the parameters of a custom widget")
    if unknown := sorted(map(str, event.keys() - {*_PARAMETERS, "widgetContext", "describe"})):
        raise InputError(f"the parameter {clean(unknown[0], 40)!r} is unknown; expected {', '.join(_PARAMETERS)}")
    if event.get("describe", False) is not False:
        raise InputError(f"describe is {clean(str(event['describe']), 40)!r}; expected true")
    forms = _mapping(_mapping(_widget_context(event).get("forms")).get("all"))
    # The search of an action takes precedence over the input field.
    search = event.get("search", forms.get("search", ""))
    repository, search = _name("repository", event.get("repository", "")), _name("search", search)
    return view._replace(repository=repository, search=search, page=_page(event.get("page", 1)))


def _registry(deps: WidgetDependencies, view: WidgetContext) -> str:
    if deps.state is None or abs(view.now - deps.state[0]) > _STATE_LIFETIME:
        deps.state = view.now, registry_state(summaries(deps.table, _registry_id(view), view.now), view.max_age)
    return render_registry(deps.state[1], view)


def _repository(deps: WidgetDependencies, view: WidgetContext) -> str:
    registry = _registry_id(view)
    summary = repository_summary(deps.table, registry, view.repository, view.now)
    records = ImageMemory(deps.table, view.now).records(registry, view.repository)
    images = repository_images(records, view.max_age, view.now)
    if summary is None and not images.recent and not images.older:
        raise InputError(f"repository is {view.repository!r}; expected a repository with scanned images")
    state = registry_state([summary], view.max_age) if summary else None
    return render_repository(state, images, view)


def _registry_id(view: WidgetContext) -> RegistryId:
    """Return the registry of the function's own account and Region."""
    _, _, _, region, account, *_ = view.endpoint.split(":")
    return RegistryId(account, region)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _widget_context(event: object) -> Mapping[str, Any]:
    return _mapping(_mapping(event).get("widgetContext"))


def _name(parameter: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_NAME:
        shown = clean(value, 40) or type(value).__name__
        raise InputError(f"{parameter} is {shown!r}; expected text of at most {_MAX_NAME} characters")
    return clean(value, _MAX_NAME).strip()


def _page(value: object) -> int:
    if type(value) is not int or not 1 <= value <= _MAX_PAGE:
        raise InputError(f"page is {clean(str(value), 40)!r}; expected a whole number from 1")
    return value
