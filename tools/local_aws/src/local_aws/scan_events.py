"""Sends the events of finished scans to EventBridge for a registry that does not send them."""

import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from local_aws.fake_ecr import FakeScan, event_entry
from local_aws.registry_client import RegistryClient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_events import EventBridgeClient


class ScanEvents:
    """A watcher of the images that a RegistryClient pushes, for as long as its `with` block.

    The registry of LocalAws sends its own events. For it this class does nothing, so that tests need no distinction.

    Args:
        registry: client of the registry.
        events: client of EventBridge.
        interval: seconds between two checks.
    """

    def __init__(self, registry: RegistryClient, events: "EventBridgeClient", *, interval: float = 0.5) -> None:
        self._registry = registry
        self._events = events
        self._interval = interval
        self._stop = threading.Event()
        self._sent: set[tuple[str, str]] = set()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        if not self._registry.has_control_api:
            self._thread = threading.Thread(target=self._watch, name="scan-events", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()
        if self._error and error is None:
            raise self._error

    def send_new_events(self) -> None:
        """Send the events of the scans that have ended since the last call."""
        for image in list(self._registry.pushed):
            if image in self._sent:
                continue
            result = self._registry.scan_result(*image)
            if result and result["imageScanStatus"]["status"] != "IN_PROGRESS":
                self._send(*image, result)
                self._sent.add(image)

    def join(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for the watcher to end, which it does only after an error."""
        if self._thread:
            self._thread.join(timeout)

    def _watch(self) -> None:
        try:
            while not self._stop.wait(self._interval):
                self.send_new_events()
        except Exception as error:  # __exit__ raises it in the thread of the test
            self._error = error

    def _send(self, repository: str, digest: str, result: "Mapping[str, Any]") -> None:
        findings = result.get("imageScanFindings", {}).get("findings", [])
        scan = FakeScan(result["imageScanStatus"]["status"], findings=findings)
        arn, tags = self._registry.repository_arn(repository), self._registry.tags(repository, digest)
        entry: Any = event_entry(arn, repository, digest, tags, scan, datetime.now(UTC))
        response = self._events.put_events(Entries=[entry])
        if response["FailedEntryCount"]:
            raise RuntimeError(f"EventBridge rejected the event of {repository}@{digest}: {response['Entries']}")
