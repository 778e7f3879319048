"""The reporter's settings for tests of what it says, which read no environment variables."""

import re

from ecr_scan_reporter.models.selection import RepositoryFilter
from ecr_scan_reporter.settings import ReporterSettings

SETTINGS = ReporterSettings(
    topic_arn="arn:aws:sns:eu-west-1:123456789012:reports",
    reports_queue_url="https://sqs.eu-west-1.amazonaws.com/123456789012/reports",
    memory_table="memory",
    repositories=RepositoryFilter(re.compile("")),
    thresholds={"HIGH": 1},
    notify_on_scan_failure=True,
    name="platform",
    chat_topic_arn="arn:aws:sns:eu-west-1:123456789012:chat",
)
