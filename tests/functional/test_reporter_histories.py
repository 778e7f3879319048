"""The reporter against the oracle of its memory: fewer random histories, but real clients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import hypothesis
import pytest
from ecr_scan_reporter import reporter
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.reporting.pipeline import report_batch
from fake_aws import FakeImage, FakeScan, Fault, index_image
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from support.families import FAMILIES
from support.histories import BuiltImage, Listed, Player, Step, step
from support.invocations import sqs_records
from support.oracle import Rules
from support.random_tests import examples
from support.reporter_harness import ReporterHarness, document, enhanced
from support.world import START, World

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def fixed_inbox(make_reporter: Callable[..., ReporterHarness]) -> ReporterHarness:
    return make_reporter(NOTIFY_ON_FIXED="true")


class HttpWorld(World):
    """The reporter with real clients, and a fake of AWS behind them."""

    def __init__(self, inbox: ReporterHarness) -> None:
        # A scan that ends in the future would be in progress.
        super().__init__(now=START - timedelta(days=3 * 365))
        self.inbox, self.deps = inbox, reporter.dependencies()

    def process(self, event: Mapping[str, Any], copies: int = 1) -> None:
        if "detail" in event:
            # Its findings are those of enhanced scanning, and a switch of the scanner would be an inventory.
            event = {**event, "detail-type": "Inspector2 Scan", "source": "aws.inspector2"}
        for receives in range(1, 4):
            records = sqs_records(*[event] * copies, receives=receives)
            response = report_batch(records, self.deps, Deadline(300), self.now)
            if not response["batchItemFailures"]:
                return
            self.now += timedelta(minutes=1)
        raise AssertionError("the message is never processed")

    def deliver(self, until: datetime | None = None) -> None:
        self.now = until or self.now + timedelta(days=2)
        if until is None:
            self.inbox.check(self.now)

    def documents(self) -> list[dict[str, Any]]:
        return [document(report) for report in self.inbox.reports()]


class HttpPlayer(Player):
    """Plays a history through the fake of AWS."""

    world: HttpWorld

    def put_image(
        self, digest: str, tags: tuple[str, ...], pushed_at: datetime, children: Sequence[BuiltImage] = ()
    ) -> None:
        image = FakeImage(digest, tags)
        if children:
            image = index_image(digest, {child.digest: child.platform for child in children}, tags)
        self._repository().put(replace(image, pushed_at=pushed_at))

    def set_result(self, digest: str, outcome: str, reason: str, found: Sequence[Listed], system: str) -> None:
        faults = self.world.inbox.aws.behavior.faults
        faults[:] = [fault for fault in faults if fault.containing != digest]
        if outcome == "UNREADABLE":
            faults.append(Fault("DescribeImageScanFindings", "AccessDeniedException", containing=digest))
            return
        entries = [_enhanced(listed, system) for listed in found]
        ended = None if outcome == "IN_PROGRESS" else self.world.now
        self._repository().scans[digest] = FakeScan(outcome, ended, reason, enhanced_findings=entries)

    def _scanned(self, scan: Step, image: BuiltImage) -> tuple[dict[str, Any], dict[str, Any]]:
        """Let the event be one of Inspector, as the findings are: a list without entries does not tell the scanner."""
        event, facts = super()._scanned(scan, image)
        event["detail-type"], event["source"] = "Inspector2 Scan", "aws.inspector2"
        event["detail"]["repository-name"] = "arn:aws:ecr:eu-west-1:123456789012:repository/app"
        return event, facts

    def _repository(self) -> Any:
        inbox = self.world.inbox
        return inbox.repositories.get("app") or inbox.aws.registry.add("app")


def _enhanced(listed: Listed, system: str) -> dict[str, Any]:
    entry = listed.entry
    fields = {"exploitAvailable": "YES" if entry.exploit else "NO"}
    found = enhanced(listed.id, entry.severity, entry.key[1], "9.0" if entry.fix else "", **fields)
    found["resources"] = [{"details": {"awsEcrContainerImage": {"platform": system}}}] if system else []
    found["packageVulnerabilityDetails"]["relatedVulnerabilities"] = list(listed.aliases)
    found["packageVulnerabilityDetails"]["vulnerablePackages"][0] |= _split_version(entry.version)
    return found


def _split_version(version: str) -> dict[str, Any]:
    """Return a version of a package of the system in the parts in which Inspector names it; others it names whole."""
    if version.startswith("v"):
        return {"version": version, "packageManager": "GOMOD"}
    epoch, _, rest = version.rpartition(":")
    upstream, _, release = rest.rpartition("-")
    return {"epoch": int(epoch or 0), "version": upstream, "release": release, "packageManager": "OS"}


@pytest.mark.slow
# The fake shows an index as soon as it is put.
@given(
    family=st.sampled_from([name for name, family in FAMILIES.items() if not family.waits]),
    numbers=st.lists(st.integers(0, 2**112 - 1), min_size=1, max_size=8),
)
@hypothesis.settings(max_examples=examples(400), suppress_health_check=list(HealthCheck))
def test_random_histories_are_reported_as_the_oracle_says(
    fixed_inbox: ReporterHarness, family: str, numbers: list[int]
) -> None:
    rules, inbox, builds = Rules({"CRITICAL": 1, "HIGH": 1}, notify_on_fixed=True), fixed_inbox, FAMILIES[family]
    inbox.aws.start_over()
    HttpPlayer(HttpWorld(inbox), rules, builds).play([step(number, daily=builds.daily) for number in numbers])
