"""A notification has the fields that Amazon Q Developer in chat applications shows."""

import json

from ecr_scan_reporter.reporting.chat_notification import notification


def test_long_titles_are_cut() -> None:
    text = notification("t" * 300, "*bold*", "ecr-scan-report", "n" * 200, "1-2")
    assert json.loads(text) == {
        "version": "1.0",
        "source": "custom",
        "id": "1-2",
        "content": {"textType": "client-markdown", "title": "t" * 247 + "...", "description": "*bold*"},
        "metadata": {"threadId": f"ecr-scan-reporter {'n' * 79}...", "eventType": "ecr-scan-report"},
    }
