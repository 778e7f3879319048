"""Puts the events of finished scans on EventBridge, where the registry does not do so itself."""

import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from local_aws.basic_scanning import Image, Outcome, Scan, event_entry
from local_aws.registry import OCI_MANIFEST, Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_events import EventBridgeClient

RUNNING = "IN_PROGRESS"


class ScanEvents:
    """Watches the images pushed through a registry for as long as its `with` block.

    The registry of LocalAws sends its own events: there this does nothing, so that tests need not know the difference.

    Args:
        registry: whose images to watch.
        events: client of the EventBridge that is to get the events.
        interval: seconds between two looks at the images.
    """

    def __init__(self, registry: Registry, events: "EventBridgeClient", *, interval: float = 0.5) -> None:
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

    def look(self) -> None:
        """Send the events of scans that have ended since the last look."""
        for image in list(self._registry.pushed):
            if image in self._sent:
                continue
            result = self._registry.scan_result(*image)
            if result and result["imageScanStatus"]["status"] != RUNNING:
                self._send(*image, result)
                self._sent.add(image)

    def join(self, timeout: float) -> None:
        """Wait for the watcher to end by itself, which only an error makes it do, for at most `timeout` seconds."""
        if self._thread:
            self._thread.join(timeout)

    def _watch(self) -> None:
        try:
            while not self._stop.wait(self._interval):
                self.look()
        except Exception as error:  # raised again where the test can see it
            self._error = error

    def _send(self, repository: str, digest: str, result: "Mapping[str, Any]") -> None:
        found = result.get("imageScanFindings", {}).get("findings", [])
        outcome = Outcome(result["imageScanStatus"]["status"], findings=found)
        now = datetime.now(UTC)
        scan = Scan(Image(repository, digest, OCI_MANIFEST), now, now, outcome)
        arn, tags = self._registry.repository_arn(repository), self._registry.tags(repository, digest)
        response = self._events.put_events(Entries=[event_entry(scan, arn, tags)])
        if response["FailedEntryCount"]:
            raise RuntimeError(f"EventBridge did not take the event of {repository}@{digest}: {response['Entries']}")
