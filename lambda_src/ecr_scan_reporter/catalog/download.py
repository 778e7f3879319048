"""Downloads a file over HTTPS, with redirects within its host only, or from S3, in bounded time and size."""

import http.client
import logging
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from botocore.exceptions import BotoCoreError, ClientError

from ecr_scan_reporter.aws.clients import create_client
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.errors import DeadlineExceededError, FeedError
from ecr_scan_reporter.shared import clock

logger = logging.getLogger(__name__)

# Bytes. The catalog had 1.6 MB in August 2026.
MAX_SIZE = 8_000_000
_CHUNK = 65_536
# Seconds for which a server may say nothing, and those before each further attempt.
_READ_TIMEOUT, _PAUSES = 10, (2, 10)
_REDIRECTS, _ELSEWHERE = range(300, 400), "the server redirects to another place"
# Some hosts, CISA's among them, refuse the name that urllib gives itself.
_HEADERS = {"User-Agent": "ecr-scan-reporter", "Accept": "application/json", "Accept-Encoding": "identity"}


def download(address: str, deadline: Deadline) -> bytes:
    """Return the file at an address.

    Args:
        address: `https://...` or `s3://bucket/key`.
        deadline: until when to try.

    Raises:
        FeedError: there is no such file, it is too large, or it did not come in time; the message has nothing that came
            from the server but its status.
    """
    read = _from_s3 if address.startswith("s3://") else _from_https
    for pause in (*_PAUSES, None):
        try:
            return read(address, deadline)
        except (OSError, http.client.HTTPException) as error:
            # HTTPError, URLError and the errors of the TLS library are OSErrors.
            problem = _describe(error)
            logger.info("could not download the catalog", extra={"reason": problem})
            if pause is None or _is_final(error) or deadline.remaining < pause + _READ_TIMEOUT:
                raise FeedError(problem) from error
            clock.sleep(pause)
        except DeadlineExceededError as error:
            raise FeedError("it did not come in time") from error
    raise AssertionError  # the last attempt returns or raises


def _from_https(address: str, deadline: Deadline) -> bytes:
    opener = build_opener(_SameHost())
    with opener.open(Request(address, headers=_HEADERS), timeout=_READ_TIMEOUT) as response:  # noqa: S310 - the settings accept only https
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise FeedError("it is compressed, which was not asked for")
        return _read(response.read1, deadline)


def _from_s3(address: str, deadline: Deadline) -> bytes:
    place = urlsplit(address)
    try:
        answer = create_client("s3").get_object(Bucket=place.netloc, Key=place.path.removeprefix("/"))
        return _read(answer["Body"].read, deadline)
    except ClientError as error:
        raise FeedError(f"Amazon S3 answers {error.response['Error']['Code']}") from error
    except BotoCoreError as error:
        raise FeedError(f"Amazon S3 cannot be reached ({type(error).__name__})") from error


def _read(read: Any, deadline: Deadline) -> bytes:
    data = bytearray()
    while chunk := read(_CHUNK):
        deadline.check("downloading the catalog")
        data += chunk
        if len(data) > MAX_SIZE:
            raise FeedError(f"it is larger than {MAX_SIZE:,} bytes")
    return bytes(data)


def _describe(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"the server answers {error.code}" if error.code not in _REDIRECTS else _ELSEWHERE
    return f"the server cannot be reached ({type(getattr(error, 'reason', error)).__name__})"


def _is_final(error: Exception) -> bool:
    """Return whether another attempt would fail in the same way."""
    return isinstance(error, HTTPError) and error.code < 500 and error.code not in (408, 429)


class _SameHost(HTTPRedirectHandler):
    """Follows redirects within the host alone, over HTTPS: whoever may redirect elsewhere could choose the catalog."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if (old.scheme, old.netloc) != (new.scheme, new.netloc):
            raise HTTPError(req.full_url, code, _ELSEWHERE, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
