"""Client of the control API: requests to a local AWS that are not part of AWS's API."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

# The proxies of the caller's environment must not get requests to the loopback interface.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ControlApiError(Exception):
    """The endpoint has no control API, or the control API rejects a request."""


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
        path: path of the request, with the first slash.
        method: HTTP method.
        query: query parameters.
        body: JSON body.
        timeout: seconds.

    Returns:
        The JSON object of the answer; empty if the answer has no body.

    Raises:
        ControlApiError: nothing answers at the address, or the answer is an error or not a JSON object.
    """
    url = f"{endpoint}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - address of the local AWS
    try:
        with _OPENER.open(request, timeout=timeout) as response:
            text = response.read()
        answer = json.loads(text) if text.strip() else {}
    except urllib.error.HTTPError as error:
        reason = error.read().decode(errors="replace")[:500]
        raise ControlApiError(f"{method} {url}: HTTP {error.code}: {reason}") from error
    except (OSError, ValueError) as error:
        raise ControlApiError(f"{method} {url}: {error}") from error
    if not isinstance(answer, dict):
        raise ControlApiError(f"{method} {url}: answer is {text[:100]!r}; expected a JSON object")
    return answer
