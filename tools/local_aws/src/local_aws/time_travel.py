"""Lets days pass in a moment, so that images are due again."""

from datetime import timedelta

import boto3

from local_aws.registry import Registry

_TIMES = ("asked_at", "event_at", "scanned_at", "reported_at")


def let_time_pass(by: timedelta, registry: Registry, memory_table: str) -> None:
    """Make all scans older: those in ECR, and those that the module remembers.

    The functions should be idle. The clients have the endpoint and credentials of the environment.

    Args:
        by: how much older.
        registry: with the scans.
        memory_table: name of the module's memory table.

    Raises:
        NotSupportedError: the registry is not that of LocalAws.
    """
    registry.age_scans(by)
    dynamodb = boto3.client("dynamodb")
    for page in dynamodb.get_paginator("scan").paginate(TableName=memory_table, ConsistentRead=True):
        for item in page["Items"]:
            times = [name for name in _TIMES if name in item]
            if times:
                dynamodb.update_item(
                    TableName=memory_table,
                    Key={"pk": item["pk"], "sk": item["sk"]},
                    UpdateExpression="SET " + ", ".join(f"{name} = {name} - :by" for name in times),
                    ExpressionAttributeValues={":by": {"N": str(int(by.total_seconds()))}},
                )
