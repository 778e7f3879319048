"""Reads the pages of an answer that AWS splits."""

from collections.abc import Callable, Iterator
from typing import Any

from ecr_scan_reporter.errors import AwsError


def read_pages(call: Callable[..., Any], token: str, next_token: str = "", **parameters: Any) -> Iterator[Any]:
    """Yield the pages of an answer, one call per page.

    Each page has a token that the next call sends. A token that was seen before in this read would let the read go
    round in circles, so it ends the read. botocore's paginators notice only a token that equals the one just before.

    Args:
        call: makes a call, such as the method of a client.
        token: the name of the token in a request.
        next_token: its name in a page; the same by default.
        parameters: of each call.

    Raises:
        AwsError: AWS returned a token for the second time.
        Exception: from `call`.
    """
    next_token = next_token or token
    seen: list[Any] = []
    while True:
        page = call(**parameters)
        yield page
        if not (found := page.get(next_token)):
            return
        if found in seen:
            raise AwsError(f"AWS returned {next_token} {found!r:.100} for the second time, after {len(seen) + 1} pages")
        seen.append(found)
        parameters[token] = found
