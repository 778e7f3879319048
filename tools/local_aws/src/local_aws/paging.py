"""Pages of a list, as ECR cuts them."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from local_aws.basic_scanning import EcrError

Item = TypeVar("Item")

# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
DEFAULT_RESULTS = 100
MAX_RESULTS = 1000


def page(items: Sequence[Item], request: Mapping[str, Any], subject: str) -> tuple[list[Item], dict[str, str]]:
    """Cut the page that a request asks for.

    Args:
        items: the whole list.
        request: holds maxResults and nextToken, if given.
        subject: what is listed, so that a token of another list is refused.

    Returns:
        The items of the page, and {"nextToken": ...} unless it is the last.

    Raises:
        EcrError: the token is not one of this list's, or maxResults is out of bounds.
    """
    size = request.get("maxResults", DEFAULT_RESULTS)
    if not 1 <= size <= MAX_RESULTS:
        raise EcrError(
            "InvalidParameterException",
            f"Invalid parameter at 'maxResults': {size} is not between 1 and {MAX_RESULTS}",
        )
    start = _read_token(request["nextToken"], subject) if request.get("nextToken") else 0
    end = start + size
    return list(items[start:end]), {"nextToken": _write_token(end, subject)} if end < len(items) else {}


def _write_token(offset: int, subject: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([subject, offset]).encode()).decode()


def _read_token(token: str, subject: str) -> int:
    try:
        of, offset = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError):
        of, offset = None, None
    if of != subject or not isinstance(offset, int) or offset < 0:
        raise EcrError("InvalidParameterException", f"Invalid parameter at 'NextToken': '{token}'")
    return offset
