"""The client's side of the control API: what tests say to a local AWS beside AWS's API."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

# The proxies of the caller's environment are for other hosts than this one.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ControlApiError(Exception):
    """The endpoint has no control API, or refuses what it is told."""


def call(
    endpoint: str,
    path: str,
    *,
    method: str = "GET",
    query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    timeout: float = 30,
) -> dict[str, Any]:
    """Send one request.

    Args:
        endpoint: address of the local AWS.
        path: begins with a slash.
        method: of HTTP.
        query: parameters of the address.
        body: sent as JSON.
        timeout: seconds.

    Returns:
        The JSON object of the answer; empty when there is none.

    Raises:
        ControlApiError: nothing answers at the address, or not with a JSON object, or with an error.
    """
    url = f"{endpoint}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the address is the local AWS's
    try:
        with _OPENER.open(request, timeout=timeout) as response:
            text = response.read()
        answer = json.loads(text) if text.strip() else {}
    except urllib.error.HTTPError as error:
        raise ControlApiError(
            f"{method} {url}: HTTP {error.code}: {error.read().decode(errors='replace')[:500]}"
        ) from error
    except (OSError, ValueError) as error:
        raise ControlApiError(f"{method} {url}: {error}") from error
    if not isinstance(answer, dict):
        raise ControlApiError(f"{method} {url}: not a JSON object: {text[:100]!r}")
    return answer
