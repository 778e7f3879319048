"""The case of the export of what is open."""

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ecr_scan_reporter.memory.items import registry_key
from environment import LATENCY, aws, default_memory, report
from registries import events, with_findings
from remembered import remember_scans
from rows import Row
from support.configuration import memory_table
from support.invocations import REGISTRY

_REPOSITORIES, _IMAGES, _FINDINGS = 100, 100, 60
_RUN = "2026-11-23T00:00:00Z-00000000"


class _Bucket(ThreadingHTTPServer):
    """A bucket that only counts: moto's would keep everything, and answers more slowly."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.sizes = dict[str, int]()


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Bucket

    def do_PUT(self) -> None:
        """Write an object or a part."""
        size = int(self.headers["Content-Length"])
        left = size
        while left:
            left -= len(self.rfile.read(min(left, 65536)))
        self.server.sizes[self.path] = int(self.headers.get("X-Amz-Decoded-Content-Length", size))
        self._answer("")

    def do_POST(self) -> None:
        """Begin or complete an upload."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = "Complete" if "uploadId" in self.path else "Initiate"
        self._answer(f"<{kind}MultipartUploadResult><UploadId>u</UploadId></{kind}MultipartUploadResult>")

    def _answer(self, body: str) -> None:
        time.sleep(LATENCY)
        self.send_response(200)
        self.send_header("ETag", '"0"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@contextmanager
def _bucket() -> Iterator[_Bucket]:
    with _Bucket() as bucket:
        thread = threading.Thread(target=bucket.serve_forever, daemon=True)
        thread.start()
        os.environ["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{bucket.server_port}"
        os.environ["EXPORT"] = json.dumps({"bucket": "security-reports", "owner": REGISTRY.account})
        try:
            yield bucket
        finally:
            del os.environ["AWS_ENDPOINT_URL_S3"], os.environ["EXPORT"]
            bucket.shutdown()
            thread.join()


def export() -> Iterator[Row]:
    """Measure the export of 10,000 images with 60 findings each."""
    number = _REPOSITORIES * _IMAGES
    case = f"export of {number:,} images in {_REPOSITORIES} repositories, {_FINDINGS} findings each"
    registry = partial(with_findings, _REPOSITORIES, _IMAGES, _FINDINGS)
    with aws(registry) as fake_aws, _bucket() as bucket:
        known = events(registry())
        remember_scans(fake_aws, known)
        table, pk = memory_table(fake_aws), registry_key("REPOSITORIES", REGISTRY)
        since = int(datetime.now(UTC).timestamp())
        table.put_many({"pk": pk, "sk": name, "since": since} for name in {event[0] for event in known})
        fake_aws.reset()
        measured, bodies = list[dict[str, float]](), [json.dumps({"export": {"run": _RUN}})]
        while bodies:
            measured.append(report(bodies[:1], 1, "bodies"))
            bodies = [message.body for message in fake_aws.messages()][len(measured) - 1 :]
        calls, (reads, _) = fake_aws.calls(), fake_aws.capacity()
    csv = sum(size for key, size in bucket.sizes.items() if ".csv" in key)
    ndjson = [size for key, size in bucket.sizes.items() if re.search(r"\.ndjson\.gz$", key)]
    seconds, cpu = (sum(each[name] for each in measured) for name in ("seconds", "cpu_seconds"))
    peak, limit = max(each["peak_mb"] for each in measured), default_memory("reporter")
    words = f"{len(ndjson)} objects of {sum(ndjson) / 1e6:.1f} MB, and a CSV file of {csv / 1e6:.0f} MB"
    yield Row(case, words, f"{_REPOSITORIES} objects", len(ndjson) == _REPOSITORIES)
    yield Row(case, f"{seconds:.0f} s, {cpu:.0f} s of them CPU; invocations: {len(measured)}")
    yield Row(case, f"peak memory {peak:.0f} MB", f"under the function's {limit} MB", peak < limit)
    words = (
        f"{calls['DescribeImages']} calls of ECR, {calls['BatchGetItem']} reads of findings, {reads:,.0f} read units"
    )
    # An invocation that goes on lists the repository again that the one before did not end.
    most = _REPOSITORIES + len(measured) - 1
    yield Row(case, words, f"at most {most} calls of ECR", calls["DescribeImages"] <= most)


CASES = (export,)
