"""Access to Amazon SNS: the topic that carries the reports."""

from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


def sns_client() -> "SNSClient":
    """A client in the function's own Region."""
    return boto3.client("sns")


class ReportsTopic:
    """The topic to which people, chats and queues subscribe."""

    def __init__(self, client: "SNSClient", arn: str) -> None:
        self._sns = client
        self._arn = arn

    def publish(self, subject: str, text: str) -> None:
        """Publish one report. `subject`: at most 99 printable ASCII characters."""
        self._sns.publish(TopicArn=self._arn, Subject=subject, Message=text)
