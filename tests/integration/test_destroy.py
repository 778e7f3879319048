"""The last test of the module. See conftest.py."""

import boto3
from harness import RUN, Inbox, Module


def test_destroy_leaves_no_resource(module: Module, inbox: Inbox) -> None:
    module.destroy()
    left = [
        *boto3.client("lambda").list_functions()["Functions"],
        *boto3.client("lambda").list_event_source_mappings()["EventSourceMappings"],
        *boto3.client("events").list_rules(NamePrefix=RUN)["Rules"],
        *boto3.client("iam").list_roles()["Roles"],
        *boto3.client("sns").list_topics()["Topics"],
        *boto3.client("dynamodb").list_tables()["TableNames"],
        *boto3.client("sqs").list_queues(QueueNamePrefix=RUN).get("QueueUrls", []),
        *boto3.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{RUN}")["logGroups"],
        *boto3.client("logs").describe_query_definitions()["queryDefinitions"],
        *boto3.client("cloudwatch").describe_alarms()["MetricAlarms"],
        *boto3.client("cloudwatch").list_dashboards()["DashboardEntries"],
    ]
    assert [str(item) for item in left if RUN in str(item) and f"{RUN}-inbox" not in str(item)] == []
