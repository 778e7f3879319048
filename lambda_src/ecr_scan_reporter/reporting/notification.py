"""The custom notification of Amazon Q Developer in chat applications, with the markdown of a report or an overview.

https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

import json

from ecr_scan_reporter.reporting.formatting import Context, truncate

# Characters, from the document above.
_MAX_TITLE, MAX_DESCRIPTION = 250, 8000


def notification(title: str, description: str, event_type: str, context: Context) -> str:
    """Return a notification; its description has at most MAX_DESCRIPTION characters."""
    return json.dumps(
        {
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": truncate(title, _MAX_TITLE),
                "description": description,
            },
            "metadata": {
                "threadId": truncate(f"ecr-scan-reporter {context.name}", 100),
                "eventType": event_type,
            },
        },
        allow_nan=False,
    )
