"""The control API: requests that set up a registry or read its log, next to AWS's API."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from local_aws.fake_ecr.images import FakeScan
from local_aws.fake_ecr.registry import FakeRegistry, finished_scan


def control(registry: FakeRegistry, resource: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Handle one request of the control API.

    Args:
        registry: the registry.
        resource: `image` changes an image or its scans, `findings` sets what Inspector finds in it, and `requests`
            returns the requests to start a scan, the number of all requests by operation, and that of the look-ups by
            image.
        body: JSON object of the request.

    Raises:
        AwsError: the repository or the image does not exist.
        ValueError: there is no such resource.
        KeyError: the body lacks a field.
    """
    match resource:
        case "image":
            _change_image(registry, body)
        case "findings":
            repository = registry.repository(body["repositoryName"])
            image = registry.image(repository, {"imageDigest": body["imageDigest"]})
            registry.inspect(repository, image, body["findings"])
        case "requests":
            requests = [{**request._asdict(), "time": request.time.isoformat()} for request in registry.scan_requests]
            return {"requests": requests, "calls": dict(registry.calls), "lookUps": dict(registry.look_ups)}
        case _:
            raise ValueError(f"resource is {resource!r}; expected image, findings or requests")
    return {}


def _change_image(registry: FakeRegistry, body: Mapping[str, Any]) -> None:
    repository = registry.repository(body["repositoryName"])
    image = registry.image(repository, {"imageDigest": body["imageDigest"]})
    if result := body.get("result"):
        scan = FakeScan(result["status"], description=result["description"], findings=result["findings"])
        repository.scan_results[image.digest] = scan
        if scanned_at := body.get("scannedAt"):
            time = datetime.fromisoformat(scanned_at)
            repository.scans[image.digest] = finished_scan(scan, time, time)
    if pushed_at := body.get("pushedAt"):
        repository.put(image := replace(image, pushed_at=datetime.fromisoformat(pushed_at)))
    if body.get("archived"):
        repository.put(replace(image, archived=True))
