"""Publishes messages to Amazon SNS within its limits, and reads who is subscribed to a topic."""

import json
import logging
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from ecr_scan_reporter.aws.clients import error_code, read_pages
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.errors import AwsError, DeadlineExceededError

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

logger = logging.getLogger(__name__)

# Characters: "UTF-8 text with no line breaks or control characters, and less than 100 characters".
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MAX_SUBJECT = 99
# Bytes of a message with its attributes, from the same page.
MAX_MESSAGE = 256 * 1024
# The text that SNS lists instead of an ARN while an address has not confirmed its subscription.
_PENDING = "PendingConfirmation"
# Unconfirmed addresses that are named, and subscriptions that are read for that, 100 a call; far more than a topic for
# reports has.
_MAX_UNCONFIRMED, _MAX_READ = 100, 10_000
# Of a message.
Attributes = dict[str, str | int | list[str]]
# The codes of errors that are about the message itself, such as one that is too long. The page above lists them.
_INVALID = {"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationException"}
# The topics of this module.
REPORTS, CHAT = "reports", "chat"


class ReportMessage(NamedTuple):
    """One page of a report or of an overview in every format, and the attributes that filter policies can match.

    At most ten attributes: for queues with raw delivery, SNS discards messages with more.
    https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
    """

    subject: str
    email: str
    document: str
    chat: str
    attributes: Attributes

    @property
    def publications(self) -> "list[Publication]":
        """The messages for the reports topic and, if there is a text for chat, for the chat topic.

        With MessageStructure=json, SNS sends "default" to every protocol that has no key of its own.
        """
        body = {"default": self.document, "email": self.email}
        report = {
            "Subject": self.subject,
            "Message": json.dumps(body, ensure_ascii=False),
            "MessageStructure": "json",
            "MessageAttributes": {name: _attribute(value) for name, value in self.attributes.items()},
        }
        return [Publication(REPORTS, report)] + ([Publication(CHAT, {"Message": self.chat})] if self.chat else [])


class Publication(NamedTuple):
    """One message for one topic, as SNS takes it.

    `topic` is REPORTS or CHAT, not an ARN: a publication that SNS rejects travels through the reports queue, and a
    message there must not be able to name any other topic.
    """

    topic: str
    parameters: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes as SNS counts them: the body and the attributes; the subject too, which SNS may count."""
        size = sum(len(self.parameters.get(name, "").encode()) for name in ("Subject", "Message"))
        for name, attribute in self.parameters.get("MessageAttributes", {}).items():
            size += sum(len(part.encode()) for part in (name, attribute["DataType"], attribute["StringValue"]))
        return size


class Rejection(NamedTuple):
    """A publication that SNS rejected, or that there was no time for, and why; `invalid` if SNS never accepts it."""

    publication: Publication
    reason: str
    invalid: bool = False


class Subscription(NamedTuple):
    """A subscription of a topic. `arn` is other text while it is not confirmed, or after it was deleted."""

    address: str
    protocol: str
    arn: str

    @property
    def is_confirmed(self) -> bool:
        """Whether it receives messages."""
        return self.arn.startswith("arn:")


def _attribute(value: str | int | list[str]) -> dict[str, str]:
    match value:
        case str():
            return {"DataType": "String", "StringValue": value}
        case int():
            return {"DataType": "Number", "StringValue": str(value)}
    return {"DataType": "String.Array", "StringValue": json.dumps(value)}


class ReportPublisher:
    """Publishes to the reports topic and, if there is one, to the chat topic."""

    def __init__(self, client: Any, topic_arn: str, chat_topic_arn: str, alarms_topic_arn: str = "") -> None:
        self._sns: SNSClient = client
        self._arns = {REPORTS: topic_arn, CHAT: chat_topic_arn}
        self._alarms_arn = alarms_topic_arn

    def publish(
        self, publication: Publication, deadline: Deadline, failure: str = "report not published"
    ) -> Rejection | None:
        """Publish a message to its topic, unless this instance has no such topic.

        Args:
            publication: the message.
            deadline: after which nothing is published.
            failure: the log message if it is rejected.

        Returns:
            None; or the message, with the reason, if SNS rejected it or there was no time for it.
        """
        try:
            deadline.check("publishing")
            if arn := self._arns.get(publication.topic):
                self._sns.publish(TopicArn=arn, **publication.parameters)
        except (DeadlineExceededError, ClientError, BotoCoreError) as error:
            subject = publication.parameters.get("Subject", "")
            logger.error(failure, extra={"topic": publication.topic, "subject": subject, "reason": str(error)})
            return Rejection(publication, str(error), _is_invalid(error))
        return None

    def unconfirmed_addresses(self) -> list[str]:
        """Return the addresses that have not confirmed their subscription to the reports topic, at most 100.

        Raises:
            AwsError: SNS rejected the call.
        """
        found = self._subscriptions(self._arns[REPORTS])
        return list(islice((each.address for each in found if each.arn == _PENDING), _MAX_UNCONFIRMED))

    def waits_for_confirmation(self) -> bool:
        """Return whether mail about the reports topic reaches nobody yet: addresses are subscribed, and none confirmed.

        Raises:
            AwsError: SNS rejected the call.
        """
        found = self._subscriptions(self._arns[REPORTS])
        mail = [each for each in found if each.protocol in ("email", "email-json")]
        return any(each.arn == _PENDING for each in mail) and not any(each.is_confirmed for each in mail)

    def alarms_reach_nobody(self) -> bool:
        """Return whether nobody has confirmed a subscription to the topic of the alarms, if it is all that they notify.

        Raises:
            AwsError: SNS rejected the call.
        """
        if not self._alarms_arn:
            return False
        return not any(each.is_confirmed for each in self._subscriptions(self._alarms_arn))

    def _subscriptions(self, topic_arn: str) -> Iterator[Subscription]:
        """Yield the subscriptions of a topic, at most 10,000."""
        pages = read_pages(self._sns.list_subscriptions_by_topic, "NextToken", TopicArn=topic_arn)
        try:
            for found in islice((found for page in pages for found in page.get("Subscriptions", [])), _MAX_READ):
                yield Subscription(*(found.get(name, "") for name in ("Endpoint", "Protocol", "SubscriptionArn")))
        except (ClientError, BotoCoreError) as error:
            topic = topic_arn.rpartition(":")[2]
            raise AwsError(f"SNS did not list the subscriptions of the topic {topic}: {error}") from error


def _is_invalid(error: Exception) -> bool:
    return isinstance(error, ClientError) and error_code(error) in _INVALID
