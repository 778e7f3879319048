"""Amazon DynamoDB in AWS JSON 1.0."""

from local_aws.fake_ecr import AwsError

from .capacity import Capacity
from .protocol import Params, encode, encode_json_error
from .tables import DynamoDbError, Tables


class DynamoDb:
    """The operations of DynamoDB.

    Attributes:
        tables: what they read and write.
        capacity: what the calls consumed.
    """

    content_type = "application/x-amz-json-1.0"

    def __init__(self, arn_prefix: str) -> None:
        self._arn_prefix = arn_prefix
        self.tables = Tables()
        self.capacity = Capacity(self.tables.read)

    def call(self, operation: str, params: Params) -> bytes:
        """Answer a call with a body. Raises AwsError where DynamoDB rejects the call."""
        before = self.capacity.sizes(operation, params)
        answer = {}
        try:
            answer = self.tables.call(operation, params)
        finally:
            self.capacity.add(operation, params, answer, before)
        return encode(answer)

    def encode_error(self, error: AwsError) -> tuple[bytes, dict[str, str]]:
        """Return the body of an error."""
        return encode_json_error(error, **(error.more if isinstance(error, DynamoDbError) else {})), {}

    def action(self, operation: str) -> str:
        """Return the IAM action of an operation."""
        return f"dynamodb:{operation}"

    def resource(self, params: Params) -> str:
        """Return the ARN of the table."""
        return f"{self._arn_prefix}:table/{params.get('TableName', '*')}"
