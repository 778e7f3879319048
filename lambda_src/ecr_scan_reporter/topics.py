"""Access to Amazon SNS: the topics that carry the reports."""

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from .reports import Report

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef


def sns_client() -> "SNSClient":
    """A client in the function's own Region, that retries what may pass."""
    retries: Any = {"mode": "standard", "total_max_attempts": 4}
    return boto3.client("sns", config=Config(connect_timeout=5, read_timeout=20, retries=retries))


class ReportsTopics:
    """The topic for people and machines, and the one for chats where there is one."""

    def __init__(self, client: "SNSClient", arn: str, chat_arn: str) -> None:
        self._sns, self._arn, self._chat_arn = client, arn, chat_arn

    def publish(self, report: Report) -> None:
        """Publish one report on each topic; the chat's comes first.

        If one fails, the whole report may be published again later: then the chat may hear of it twice, but not the
        people who get mail.

        Raises:
            botocore.exceptions.ClientError: SNS refused.
        """
        if self._chat_arn:
            self._sns.publish(TopicArn=self._chat_arn, Message=report.chat)
        attributes: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": kind, "StringValue": value} for name, (kind, value) in report.attributes.items()
        }
        self._sns.publish(
            TopicArn=self._arn,
            Subject=report.subject,
            Message=report.body,
            MessageStructure="json",
            MessageAttributes=attributes,
        )
