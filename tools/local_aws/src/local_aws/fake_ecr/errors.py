"""The exception that a fake raises where AWS rejects a call."""


class AwsError(Exception):
    """An error of AWS: its code, its message and its HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def invalid_parameter(parameter: str, reason: str) -> AwsError:
    """Return ECR's InvalidParameterException."""
    message = f"Invalid parameter at '{parameter}' failed to satisfy constraint: '{reason}'"
    return AwsError("InvalidParameterException", message)
