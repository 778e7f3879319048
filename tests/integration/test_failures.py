"""What goes wrong: a function is killed, a message is invalid, an alarm fires. See `incidents` in conftest.py."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from harness import DIRECT, RUN, Incidents, Module, wait_until
from local_aws import LocalAws, NotSupportedError, RegistryClient


def test_killed_function_loses_no_image(
    incidents: Incidents, registry: RegistryClient, local_aws: LocalAws | None
) -> None:
    if local_aws is None:
        raise NotSupportedError("only the local AWS runs functions as processes that a test can kill")

    def started() -> list[str]:
        return [scan.digest for scan in registry.scans_started(f"{DIRECT}/interrupted")]

    wait_until(lambda: incidents.interrupted <= set(started()), "the scans of all images are started")
    assert len(started()) == len(incidents.interrupted)


def test_invalid_message_reaches_the_dlq_and_others_are_processed(
    incidents: Incidents, module: Module, registry: RegistryClient
) -> None:
    wait_until(
        lambda: [scan.digest for scan in registry.scans_started(f"{DIRECT}/late")] == [incidents.valid],
        "the image of the valid message is scanned",
    )
    sqs = boto3.client("sqs")
    received: dict[str, dict[str, str]] = {"images": {}, "reports": {}}

    def dlqs_complete() -> bool:
        for queue, messages in received.items():
            url = module.outputs[f"{queue}_dead_letter_queue_url"]
            for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                messages[message["MessageId"]] = message["Body"]
        return received == incidents.invalid

    wait_until(dlqs_complete, "the DLQs contain the invalid messages and no others")
    for queue, function in (("images", "images_scanner"), ("reports", "reporter")):
        group = module.outputs[f"{function}_log_group_name"]
        events = boto3.client("logs").filter_log_events(logGroupName=group, filterPattern="ERROR")["events"]
        for message_id in incidents.invalid[queue]:
            assert any(message_id in event["message"] for event in events), f"no error of {message_id} in {group}"


def test_each_alarm_fires_and_notifies(module: Module, local_aws: LocalAws | None) -> None:
    if local_aws is None:
        raise NotSupportedError("AWS accepts no metrics in its own namespaces, and evaluates alarms when it likes")
    cloudwatch: Any = boto3.client("cloudwatch")
    queue = boto3.resource("sqs").create_queue(QueueName=f"{RUN}-pager")
    boto3.client("sns").subscribe(
        TopicArn=module.outputs["alarms_topic_arn"], Protocol="sqs", Endpoint=queue.attributes["QueueArn"]
    )
    alarms = cloudwatch.describe_alarms(AlarmNamePrefix=f"{RUN}-")["MetricAlarms"]
    # The module has the dashboard widget and the catalog reader, whose functions have two of them each.
    assert len(alarms) == 21
    for alarm in alarms:
        if alarm["Namespace"] == "EcrScanReporter":
            # The functions write this metric, and it is well: let the alarm watch another instance.
            alarm["Dimensions"] = [{"Name": "Instance", "Value": f"{RUN}-silent"}]
        datum: Any = {
            "MetricName": alarm["MetricName"],
            "Dimensions": alarm["Dimensions"],
            "Value": alarm["Threshold"] + 1,
        }
        past = [
            datetime.now(UTC) - timedelta(seconds=alarm["Period"] * n + 1) for n in range(alarm["EvaluationPeriods"])
        ]
        data = [{**datum, "Timestamp": time} for time in past]
        cloudwatch.put_metric_data(Namespace=alarm["Namespace"], MetricData=data)
        # LocalStack evaluates an alarm when it is put, and after all its periods again.
        settable = cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
        cloudwatch.put_metric_alarm(**{name: value for name, value in alarm.items() if name in settable})

    def notified() -> dict[str, str]:
        for message in queue.receive_messages(MaxNumberOfMessages=10):
            alarm = json.loads(json.loads(message.body)["Message"])
            states[alarm["AlarmName"]] = alarm["NewStateValue"]
            message.delete()
        return states if len(states) == len(alarms) else {}

    states: dict[str, str] = {}
    wait_until(notified, "each alarm notifies the topic")
    assert states == {alarm["AlarmName"]: "ALARM" for alarm in alarms}
    queue.delete()
