"""Lets the reports queue retry what SNS rejected, with less of it where the queue has no room for all."""

from collections.abc import Callable, Iterable
from itertools import chain

from ecr_scan_reporter.aws.sns import Publication, Rejection
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.messages.rejected_publication import FIRST_RETRY, MAX_BODY, encode_rejection

# Returns a publication with less and less of its page; the last one has room in the queue.
Smaller = Callable[[Publication], Iterable[Publication]]


def queue_rejected(rejected: Iterable[Rejection], smaller: Smaller, reports_queue: SqsQueue) -> None:
    """Send what SNS rejected to the reports queue: the reporter publishes it again from there.

    Raises:
        QueueError: SQS rejected a message.
    """
    reports_queue.send([_body(rejection, smaller) for rejection in rejected], delay=FIRST_RETRY)


def _body(rejection: Rejection, smaller: Smaller) -> str:
    # A full page is as large as a message of the queue may be. It fits because it is compressed; a few hardly can be.
    tried = chain([rejection.publication], smaller(rejection.publication))
    bodies = (encode_rejection(rejection._replace(publication=each)) for each in tried)
    return next(body for body in bodies if len(body) <= MAX_BODY)
