"""The environment variables of the functions in tests, and what the functions keep between two invocations."""

from ecr_scan_reporter import catalog_reader, console_widget, images_scanner, reporter, repositories_scanner
from ecr_scan_reporter.aws.dynamodb import Table
from fake_aws import MEMORY_TABLE, FakeAws

TOPIC, CHAT = (f"arn:aws:sns:eu-west-1:123456789012:{name}" for name in ("reports", "chat"))
# What every function, in every test, is configured with if the test does not say otherwise.
DEFAULTS = {
    "DETAILED_METRICS": "true",
    "ECR_IMAGES_DURATION_DELTA": "7d",
    "MEMORY_TABLE_NAME": MEMORY_TABLE,
    "NOTIFY_ON_SCAN_FAILURE": "true",
    "REPORTER_NAME": "platform",
    "REPORTS_TOPIC_ARN": TOPIC,
    "REPORT_WINDOW_SECONDS": "0",
    "REPOSITORIES_FILTER_REGEXP": "^(?!sandbox/)",
    "SEVERITY_THRESHOLDS": '{"CRITICAL":1,"HIGH":1}',
}


def environment(aws: FakeAws, **settings: str) -> dict[str, str]:
    """Return the environment variables of all functions, whose clients call a fake of AWS."""
    queues = {"IMAGES_QUEUE_URL": aws.queue_url(), "REPORTS_QUEUE_URL": aws.queue_url("reports")}
    return {**aws.environment(), **DEFAULTS, **queues, **settings}


def forget_dependencies() -> None:
    """Let each function create its clients, and read its settings, at its next invocation."""
    for module in (catalog_reader, console_widget, images_scanner, reporter, repositories_scanner):
        module.dependencies.cache_clear()


def memory_table(aws: FakeAws) -> Table:
    """Return the memory table of a fake of AWS, as the functions have it."""
    return Table(aws.client("dynamodb"), MEMORY_TABLE)
