"""Handler of the console widget: shows the state of the registry on a CloudWatch dashboard."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Protocol

from ecr_scan_reporter.aws.clients import create_client
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.reporting.widget.console import DESCRIPTION, WidgetDependencies, answer
from ecr_scan_reporter.settings import ConsoleWidgetSettings, parse_settings


class FunctionContext(Protocol):
    """The part of Lambda's context object that is used."""

    invoked_function_arn: str


def handler(event: object, context: FunctionContext) -> str | dict[str, str]:
    """Answer a call of a custom widget.

    Args:
        event: the parameters of the widget or of one of its actions, such as `{"repository": "team-a/app"}`, and the
            `widgetContext` that the console adds; or `{"describe": true}`.
        context: Lambda's.

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
