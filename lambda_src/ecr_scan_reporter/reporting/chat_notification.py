"""A message in chat: a custom notification of Amazon Q Developer, and what its markdown and its limits allow."""

import json

from ecr_scan_reporter.reporting.formatting import truncate

# Characters: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
_MAX_TITLE, MAX_DESCRIPTION = 250, 8000


def notification(title: str, description: str, event_type: str, instance: str, id_: str) -> str:
    """Return a custom notification of Amazon Q Developer in chat applications.

    Args:
        title: is cut to the length that is allowed.
        description: markdown of at most MAX_DESCRIPTION characters.
        event_type: `ecr-scan-report` or `ecr-scan-overview`.
        instance: names the thread.
        id_: of the message.
    """
    return json.dumps(
        {
            "version": "1.0",
            "source": "custom",
            "id": id_,
            "content": {
                "textType": "client-markdown",
                "title": truncate(title, _MAX_TITLE),
                "description": description,
            },
            "metadata": {
                "threadId": truncate(f"ecr-scan-reporter {instance}", 100),
                "eventType": event_type,
            },
        },
        allow_nan=False,
    )
