"""The report in chat: short, and nothing without a topic for chat."""

import json

from ecr_scan_reporter.reporting.reports import chat
from support.report_page import high, page_about
from support.reporter_settings import SETTINGS


def test_five_findings_of_an_image_are_listed_and_the_others_counted() -> None:
    content = json.loads(chat.render(page_about(*map(high, range(30))), SETTINGS))["content"]
    assert content["title"] == "[ECR] 30 new high in 1 image"
    lines = content["description"].splitlines()
    assert sum("*NEW*" in line for line in lines) == 5
    assert lines[-1] == "• and 25 more"


def test_nothing_without_a_topic() -> None:
    assert chat.render(page_about(high(1)), SETTINGS._replace(chat_topic_arn="")) == ""
