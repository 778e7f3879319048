"""The one exception of the models: an answer of AWS that refuses a call."""


class AwsError(Exception):
    """A refusal: AWS's error code, its words, and the HTTP status that goes with them."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
