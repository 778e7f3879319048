"""Sends messages in batches that SQS accepts."""

from typing import Any

from ecr_scan_reporter.aws.sqs import SqsQueue


class Client:
    """Records the batches that it is sent."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def send_message_batch(self, QueueUrl: str, Entries: Any) -> dict[str, Any]:
        self.batches.append([entry["MessageBody"] for entry in Entries])
        return {}


def sent(*bodies: str) -> list[list[str]]:
    client: Any = Client()
    assert SqsQueue(client, "https://sqs.eu-west-1.amazonaws.com/123456789012/queue").send(bodies) == len(bodies)
    return list(client.batches)


def test_batch_has_at_most_ten_messages() -> None:
    assert list(map(len, sent(*map(str, range(21))))) == [10, 10, 1]
    assert sent() == []


def test_batch_has_at_most_one_mebibyte() -> None:
    largest = "a" * 262_144
    assert sent(*[largest] * 9, "b") == [[largest] * 4, [largest] * 4, [largest, "b"]]
    euros = "€" * 87_381
    assert list(map(len, sent(*[euros] * 5))) == [4, 1]
