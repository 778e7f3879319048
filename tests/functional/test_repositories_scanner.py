"""The repositories scanner queues the repositories that match, each once."""

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter import repositories_scanner
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.errors import InputError, QueueError
from ecr_scan_reporter.memory.runs import RepositoryState, RunMemory
from ecr_scan_reporter.memory.summaries import RepositorySummary, summaries, summary_item
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.repositories_scanner import queue_repositories, write_heartbeat
from fake_aws import FakeAws, Fault
from support.configuration import memory_table
from support.fixtures import embedded_metrics
from support.invocations import REGISTRY
from support.schedules import due_at_once
from support.virtual_time import TIME

Configure = Callable[..., None]
NAMES = ["team-a/app", "team-b/app", "sandbox/app", *(f"bulk/r{number:02}" for number in range(20))]


@pytest.fixture
def queued(aws: FakeAws, configure: Configure) -> Callable[[], list[str]]:
    """A registry of 23 repositories; calling it reads which of them were queued."""
    configure()
    for name in NAMES:
        aws.registry.add(name)
    return lambda: sorted(queued_names(aws))


def queued_names(aws: FakeAws) -> list[str]:
    """Return the repositories that were queued."""
    return [RepositoryMessage.from_json(message.body).repository for message in aws.messages()]


def test_matching_repositories_are_queued(queued: Callable[[], list[str]]) -> None:
    assert repositories_scanner.handler({}, None) == {"found": 23, "sent": 22}
    assert queued() == sorted(set(NAMES) - {"sandbox/app"})


def test_export_of_a_run_begins_five_minutes_after_it_at_the_earliest(aws: FakeAws, configure: Configure) -> None:
    configure(EXPORT_QUEUE_URL=aws.queue_url("reports"))
    aws.registry.add("team-a/app")
    repositories_scanner.handler({}, None)
    delays = {message.body: message.delay for message in aws.messages() if message.queue == "reports"}
    [(body, delay)] = delays.items()
    assert json.loads(body).keys() == {"export"}
    assert delay == 300


def test_event_may_replace_the_filter(queued: Callable[[], list[str]]) -> None:
    assert repositories_scanner.handler({"repositoriesFilterRegexp": "team-"}, None) == {"found": 23, "sent": 2}
    assert queued() == ["team-a/app", "team-b/app"]


@pytest.mark.parametrize(
    "event",
    [
        {"dryRun": True},
        {"repositoriesFilterRegex": "team-"},
        {"repository": "team-a/app"},
        {"dryRun": True, "source": "aws.events"},
        {"repositoriesFilterRegexp": "team-", "source": "aws.events"},
        {"Records": []},
    ],
)
def test_misspelled_input_starts_no_run(queued: Callable[[], list[str]], event: dict[str, Any]) -> None:
    name = next(iter(event))
    with pytest.raises(InputError, match=f"the input has '{name}'; expected {{}}, {{\"repositoriesFilterRegexp\""):
        repositories_scanner.handler(event, None)
    assert queued() == []


@pytest.mark.parametrize("event", [None, [], "{}", 5, True])
def test_input_that_is_no_object_starts_no_run(queued: Callable[[], list[str]], event: Any) -> None:
    with pytest.raises(InputError, match=f"the input is {re.escape(repr(event))}; expected {{}}"):
        repositories_scanner.handler(event, None)
    assert queued() == []


def test_event_of_the_schedule_starts_a_run(queued: Callable[[], list[str]]) -> None:
    event = {"version": "0", "id": "1", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    assert repositories_scanner.handler(event, None) == {"found": 23, "sent": 22}


def test_filter_matches_from_the_start(queued: Callable[[], list[str]]) -> None:
    assert repositories_scanner.handler({"repositoriesFilterRegexp": "app"}, None)["sent"] == 0


def test_excluded_repositories_are_not_queued(queued: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPOSITORIES_EXCLUDE_REGEXP", "bulk/")
    assert repositories_scanner.handler({}, None) == {"found": 23, "sent": 2}
    assert queued() == ["team-a/app", "team-b/app"]


@pytest.fixture
def run(aws: FakeAws, configure: Configure) -> Callable[[], list[str]]:
    """Starts a run with one thread, so that messages keep their order; returns the repositories in this order."""
    configure(THREADS="1")

    def start() -> list[str]:
        aws.reset()
        repositories_scanner.handler({}, None)
        return queued_names(aws)

    return start


class RegistryOverTime:
    """A registry, its memory, and a repositories scanner that runs at given times."""

    def __init__(self, aws: FakeAws, configure: Configure, caplog: pytest.LogCaptureFixture) -> None:
        self._aws, self._configure, self._caplog = aws, configure, caplog
        self.table = memory_table(aws)
        self.now = TIME.now().replace(microsecond=0)
        self._last_heartbeat: datetime | None = None
        self.narrow("team-")

    def add(self, *names: str) -> None:
        for name in names:
            self._aws.registry.add(name)

    def delete(self, name: str) -> None:
        self._aws.registry.remove(name)

    def narrow(self, regexp: str) -> None:
        """Change the configured filter."""
        self._configure(REPOSITORIES_FILTER_REGEXP=regexp)

    def run(self, event: dict[str, str] | None = None, *, hours: float = 0) -> dict[str, float]:
        """Start a run so many hours after the last one; return its metrics."""
        self.now += timedelta(hours=hours)
        self._caplog.clear()
        queue_repositories(event or {}, due_at_once(repositories_scanner.dependencies()), self.now)
        return embedded_metrics(self._caplog, "repositories queued")

    def run_other(self, regexp: str, *, hours: float = 0) -> None:
        """Start a run of another selection so many hours after the last run, which stays the last one."""
        deps, now = due_at_once(repositories_scanner.dependencies()), self.now + timedelta(hours=hours)
        queue_repositories({"repositoriesFilterRegexp": regexp}, deps, now)

    def heartbeat(self, *, hours: float, paused: bool = False) -> dict[str, float]:
        """Write the hourly heartbeats up to so many hours after the last run; return the metrics of the last one.

        With `paused`, there are none before the last one.
        """
        until = self.now + timedelta(hours=hours)
        while not paused and self._last_heartbeat and self._last_heartbeat + timedelta(hours=1) < until:
            self._last_heartbeat += timedelta(hours=1)
            write_heartbeat(due_at_once(repositories_scanner.dependencies()), self._last_heartbeat)
        self._last_heartbeat = until
        self._caplog.clear()
        write_heartbeat(due_at_once(repositories_scanner.dependencies()), until)
        return embedded_metrics(self._caplog, "heartbeat")

    def visit(self, *names: str, oldest_days: float | None = 1, images: int = 1, hours: float = 0) -> None:
        """Do what the images scanner does at the end of a repository, so many hours after the last run."""
        messages = [RepositoryMessage.from_json(message.body) for message in self._aws.messages()]
        last, now = {message.repository: message for message in messages}, self.now + timedelta(hours=hours)
        oldest = None if oldest_days is None else now - timedelta(days=oldest_days)
        for name in names:
            message = last.get(name, messages[-1])
            unscheduled = message.unscheduled
            state = RepositoryState(name, oldest, images, 0, message.run, waiting_since=oldest, unscheduled=unscheduled)
            RunMemory(self.table, REGISTRY).remember_state(state, now)


@pytest.fixture
def registry(aws: FakeAws, configure: Configure, caplog: pytest.LogCaptureFixture) -> RegistryOverTime:
    caplog.set_level("INFO")
    return RegistryOverTime(aws, configure, caplog)


def test_enhanced_scanning_queues_repositories_whose_images_are_only_looked_up(
    registry: RegistryOverTime, aws: FakeAws, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EcrRegistry, "supports_manual_scans", lambda _: False)
    registry.add("team-a/app", "team-b/app")
    assert registry.run()["RepositoriesQueued"] == 2
    messages = [RepositoryMessage.from_json(message.body) for message in aws.messages()]
    assert {(message.repository, message.enhanced) for message in messages} == {
        ("team-a/app", True),
        ("team-b/app", True),
    }
    [record] = [record for record in caplog.records if record.message == "repositories queued"]
    assert record.__dict__["enhanced"] is True


def test_message_of_a_run_names_the_run_before_with_enhanced_scanning_alone(
    registry: RegistryOverTime, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.add("team-a/app")
    found = []
    for enhanced in (False, True, True):
        monkeypatch.setattr(EcrRegistry, "supports_manual_scans", lambda _, enhanced=enhanced: not enhanced)
        registry.run(hours=24)
        registry.visit("team-a/app")
        found.append(RepositoryMessage.from_json(aws.messages()[-1].body))
    assert [message.previous_run for message in found] == ["", found[0].run, found[1].run]


def test_first_run_measures_what_it_queued_alone(registry: RegistryOverTime) -> None:
    registry.add("team-a/app", "team-b/app", "sandbox/app")
    assert registry.run() == {"RepositoriesQueued": 2}


def test_age_of_the_oldest_scan_leaves_out_what_says_nothing(registry: RegistryOverTime) -> None:
    registry.add("team-a/app", "team-a/empty", "team-a/undated")
    registry.run()
    registry.visit("team-a/app", oldest_days=6, hours=1)
    registry.visit("team-a/empty", oldest_days=30, images=0, hours=1)
    registry.visit("team-a/undated", oldest_days=None, hours=1)
    # ECR no longer lists it, or it is excluded.
    registry.visit("team-a/deleted", "sandbox/app", oldest_days=99, hours=1)
    assert registry.run(hours=24)["OldestScanAge"] == (6 * 24 + 23) * 3600


def test_age_counts_in_a_repository_with_an_image_that_was_never_scanned(registry: RegistryOverTime) -> None:
    registry.add("team-a/app", "team-b/app")
    registry.run()
    registry.visit("team-a/app", oldest_days=7)
    memory = RunMemory(registry.table, REGISTRY)
    for days, age in ((3, 7), (60, 60)):
        waiting_since = registry.now - timedelta(days=days)
        # The one without a date comes first in the next run.
        state = RepositoryState("team-b/app", None, 1, 0, "run-1", waiting_since=waiting_since)
        memory.remember_state(state, registry.now)
        assert registry.run()["OldestScanAge"] == age * 24 * 3600


def test_pass_ends_with_its_last_repository(registry: RegistryOverTime) -> None:
    registry.add("team-a/app", "team-b/app")
    assert "RunOverdue" not in registry.run()
    registry.visit("team-a/app", hours=1)
    # Since the first run began.
    assert registry.run(hours=24)["RunOverdue"] == 24 * 3600
    registry.visit("team-a/app", "team-b/app", hours=2)
    assert registry.run(hours=24)["RunOverdue"] == 22 * 3600
    registry.visit("team-b/app", hours=1)
    assert registry.run(hours=24)["RunOverdue"] == 46 * 3600


def test_pass_may_take_longer_than_the_time_to_the_next_run(registry: RegistryOverTime) -> None:
    registry.add("team-a/app", "team-b/app")
    registry.run()
    registry.visit("team-a/app")
    assert registry.run(hours=1)["RunOverdue"] == 3600
    registry.visit("team-b/app", hours=0.5)
    assert registry.run(hours=1)["RunOverdue"] == 1800


def test_deleted_repository_does_not_hold_a_pass_open(registry: RegistryOverTime) -> None:
    registry.add("team-a/app", "team-b/app")
    registry.run()
    registry.visit("team-a/app", hours=1)
    registry.delete("team-b/app")
    assert registry.run(hours=24)["RunOverdue"] == 23 * 3600


def test_processed_repository_that_is_deleted_still_counts_in_its_pass(registry: RegistryOverTime) -> None:
    registry.add("team-a/app", "team-b/app")
    registry.run()
    registry.visit("team-a/app", "team-b/app", hours=1)
    registry.delete("team-a/app")
    registry.add("team-c/app")
    assert registry.run(hours=24)["RunOverdue"] == 23 * 3600


def test_repository_that_is_forgotten_while_its_pass_is_open_does_not_hold_it_open(registry: RegistryOverTime) -> None:
    registry.add("team-a/app", "team-b/app")
    registry.run()
    registry.heartbeat(hours=0)
    registry.visit("team-a/app", hours=1)
    registry.delete("team-a/app")
    registry.heartbeat(hours=24)
    assert registry.run(hours=24)["RunOverdue"] == 24 * 3600
    registry.visit("team-b/app", hours=1)
    assert registry.heartbeat(hours=3) == {"RunOverdue": 2 * 3600}


def test_pass_is_complete_though_the_filter_was_narrowed_meanwhile(registry: RegistryOverTime) -> None:
    registry.add("team-a/app", "team-b/app")
    registry.run()
    registry.heartbeat(hours=0)
    registry.visit("team-a/app", hours=1)
    registry.narrow("team-a/")
    registry.visit("team-b/app", hours=2)
    assert registry.heartbeat(hours=48) == {"RunOverdue": 46 * 3600}
    assert registry.run(hours=48)["RunOverdue"] == 46 * 3600


def test_enhanced_scanning_promises_no_age(registry: RegistryOverTime, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.add("team-a/app")
    registry.run()
    registry.visit("team-a/app", oldest_days=400)
    assert "OldestScanAge" in registry.run(hours=24)
    monkeypatch.setattr(EcrRegistry, "supports_manual_scans", lambda _: False)
    registry.visit("team-a/app", oldest_days=400)
    assert registry.run(hours=24).keys() == {"RepositoriesQueued", "RunOverdue"}


@pytest.mark.slow
def test_heartbeat_says_how_old_the_last_complete_pass_is(registry: RegistryOverTime) -> None:
    registry.add("team-a/app", "team-b/app")
    # Nothing ran yet: the age counts from the first heartbeat.
    assert registry.heartbeat(hours=0) == {"RunOverdue": 0}
    assert registry.heartbeat(hours=5) == {"RunOverdue": 5 * 3600}
    registry.run(hours=6)
    registry.visit("team-a/app", hours=1)
    assert registry.heartbeat(hours=2) == {"RunOverdue": 8 * 3600}
    registry.visit("team-b/app", hours=3)
    assert registry.heartbeat(hours=5) == {"RunOverdue": 2 * 3600}
    registry.heartbeat(hours=24)
    # A heartbeat starts no pass: the next run finds the one before complete.
    assert registry.run(hours=24)["RunOverdue"] == 21 * 3600
    assert registry.heartbeat(hours=7 * 24) == {"RunOverdue": (21 + 7 * 24) * 3600}


@pytest.mark.parametrize("complete", [True, False])
def test_pause_of_the_schedule_is_no_silence(registry: RegistryOverTime, complete: bool) -> None:
    registry.add("team-a/app", "team-b/app")
    registry.run()
    registry.heartbeat(hours=0)
    registry.visit("team-a/app", *["team-b/app"] * complete, hours=1)
    registry.heartbeat(hours=20)
    # Three weeks without a run and without a heartbeat.
    assert registry.heartbeat(hours=500, paused=True) == {"RunOverdue": 0}
    assert registry.heartbeat(hours=510) == {"RunOverdue": 10 * 3600}
    assert registry.run(hours=511)["RunOverdue"] == 11 * 3600
    registry.visit("team-a/app", "team-b/app", hours=1)
    assert registry.heartbeat(hours=3) == {"RunOverdue": 2 * 3600}


def test_run_after_a_pause_writes_no_age_of_the_pause(registry: RegistryOverTime) -> None:
    registry.add("team-a/app", "team-b/app")
    registry.run()
    registry.heartbeat(hours=0)
    registry.visit("team-a/app", "team-b/app", hours=1)
    registry.heartbeat(hours=20)
    # The first run comes before the first heartbeat.
    assert registry.run(hours=500)["RunOverdue"] == 0
    # Whether a heartbeat follows or not: the pause is over.
    registry.visit("team-a/app", hours=1)
    assert registry.run(hours=24)["RunOverdue"] == 24 * 3600
    registry.visit("team-b/app", hours=1)
    assert registry.heartbeat(hours=3, paused=True) == {"RunOverdue": 2 * 3600}


def test_heartbeats_that_fail_for_a_few_hours_are_no_pause(registry: RegistryOverTime) -> None:
    registry.add("team-a/app")
    registry.run()
    registry.heartbeat(hours=40)
    assert registry.heartbeat(hours=46, paused=True) == {"RunOverdue": 46 * 3600}
    assert registry.run(hours=51)["RunOverdue"] == 51 * 3600


def test_run_of_another_selection_does_not_complete_a_pass(registry: RegistryOverTime) -> None:
    registry.add("team-a/app", "team-b/app", "sandbox/app")
    registry.run()
    registry.visit("team-a/app", hours=1)
    registry.heartbeat(hours=1)
    # Someone starts a run with another filter, while the pass is still open.
    registry.run_other("sandbox/|team-a/", hours=1.5)
    registry.visit("sandbox/app", "team-a/app", hours=2)
    assert registry.heartbeat(hours=3) == {"RunOverdue": 3 * 3600}
    registry.heartbeat(hours=24)
    assert registry.run(hours=24)["RunOverdue"] == 24 * 3600


def test_empty_registry_still_ages(registry: RegistryOverTime) -> None:
    registry.run()
    assert registry.heartbeat(hours=48) == {"RunOverdue": 48 * 3600}


def test_only_numbers_that_have_an_alarm_or_come_first_are_metrics_by_default(
    registry: RegistryOverTime, configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    registry.add("team-a")
    registry.run()
    registry.visit("team-a")
    configure(DETAILED_METRICS="false")
    assert registry.run(hours=24).keys() == {"RunOverdue", "ScansOverdue"}
    [line] = [record for record in caplog.records if record.message == "repositories queued"]
    assert vars(line)["RepositoriesQueued"] == 1


@pytest.mark.slow
def test_first_run_is_started_once(queued: Callable[[], list[str]]) -> None:
    assert repositories_scanner.handler({"heartbeat": True}, None) == {"RunOverdue": 0}
    assert repositories_scanner.handler({"firstRun": True}, None) == {"found": 23, "sent": 22}
    for hours in (1, 24 * 365):
        TIME.sleep(hours * 3600)
        assert repositories_scanner.handler({"firstRun": True}, None) == {"found": 0, "sent": 0}
    assert len(queued()) == 22


def test_run_after_a_pause_is_not_the_first_one(registry: RegistryOverTime) -> None:
    registry.add("team-a/app")
    registry.run()
    registry.visit("team-a/app", hours=1)
    registry.heartbeat(hours=2)
    registry.heartbeat(hours=300, paused=True)
    assert repositories_scanner.handler({"firstRun": True}, None) == {"found": 0, "sent": 0}


def test_heartbeat_queues_nothing(queued: Callable[[], list[str]]) -> None:
    assert repositories_scanner.handler({"heartbeat": True}, None) == {"RunOverdue": 0}
    assert queued() == []


@pytest.mark.parametrize("event", [{"heartbeat": False}, {"heartbeat": True, "repositoriesFilterRegexp": "team-a/"}])
def test_heartbeat_with_anything_else_is_an_error(queued: Callable[[], list[str]], event: dict[str, Any]) -> None:
    with pytest.raises(InputError, match='expected {"heartbeat": true}'):
        repositories_scanner.handler(event, None)
    assert queued() == []


def test_run_of_another_selection_is_no_pass(registry: RegistryOverTime, caplog: pytest.LogCaptureFixture) -> None:
    registry.add("team-a/app", "team-b/app")
    registry.run()
    registry.visit("team-a/app", "team-b/app", hours=1)
    with pytest.raises(AttributeError, match="_aws"):
        registry.run({"repositoriesFilterRegexp": "team-a/"}, hours=12)
    assert "repositories queued" in caplog.text
    assert registry.run(hours=12)["RunOverdue"] == 23 * 3600


def test_whole_run_forgets_repositories_that_it_does_not_queue(registry: RegistryOverTime) -> None:
    registry.add("team-a/app", "team-b/app")
    registry.run()
    registry.visit("team-a/app", "team-b/app", "team-a/deleted", "sandbox/excluded")
    for name in ("team-a/app", "team-a/deleted"):
        registry.table.put(summary_item(REGISTRY, RepositorySummary(name, registry.now), registry.now))
    memory = RunMemory(registry.table, REGISTRY)
    with pytest.raises(AttributeError, match="_aws"):
        registry.run({"repositoriesFilterRegexp": "team-b/"}, hours=1)
    assert len(memory.states()) == 4
    registry.run(hours=23)
    assert [state.repository for state in memory.states()] == ["team-a/app", "team-b/app"]
    assert [summary.repository for summary in summaries(registry.table, REGISTRY, TIME.now())] == ["team-a/app"]


def test_open_findings_are_those_of_the_queued_repositories(registry: RegistryOverTime) -> None:
    registry.add("team-a/app", "team-b/app")
    for name, counts in {
        "team-a/app": {"CRITICAL": 2, "LOW": 1},
        "team-b/app": {"CRITICAL": 1, "HIGH": 4, "UNDEFINED": 9},
        "team-a/deleted": {"CRITICAL": 100},
    }.items():
        registry.table.put(
            summary_item(REGISTRY, RepositorySummary(name, registry.now, open=Counter(counts)), registry.now)
        )
    measured = registry.run()
    assert {name: value for name, value in measured.items() if name.startswith("Open")} == {
        "OpenCritical": 3,
        "OpenHigh": 4,
        "OpenMedium": 0,
        "OpenLow": 1,
    }


def test_summary_that_cannot_be_read_does_not_stop_a_run(registry: RegistryOverTime) -> None:
    registry.add("team-a/app", "team-b/app")
    for name in ("team-a/app", "team-b/app"):
        summary = RepositorySummary(name, registry.now, open=Counter({"HIGH": 3}))
        item = dict(summary_item(REGISTRY, summary, registry.now))
        registry.table.put(item if name == "team-b/app" else item | {"data": b"later release"})
    assert registry.run()["OpenHigh"] == 3


def test_order_of_unknown_repositories_changes_from_run_to_run(aws: FakeAws, run: Callable[[], list[str]]) -> None:
    names = [aws.registry.add(f"r{number:02}").name for number in range(50)]
    first, second = run(), run()
    assert sorted(first) == sorted(second) == names
    assert first != second


def test_repository_whose_oldest_scan_is_oldest_comes_first(aws: FakeAws, run: Callable[[], list[str]]) -> None:
    now = TIME.now()
    days = {"week": 7, "today": 0, "month": 30, "unknown": None, "never": None}
    memory = RunMemory(memory_table(aws), REGISTRY)
    for name, age in days.items():
        aws.registry.add(name)
        if name != "unknown":
            oldest = None if age is None else now - timedelta(days=age)
            memory.remember_state(RepositoryState(name, oldest, 10, 0, "run"), now)
    order = run()
    assert set(order[:2]) == {"unknown", "never"}
    assert order[2:] == ["month", "week", "today"]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_without_memory_all_repositories_are_queued(
    aws: FakeAws, run: Callable[[], list[str]], caplog: pytest.LogCaptureFixture, code: str
) -> None:
    aws.behavior.faults.append(Fault("Query", code))
    names = [aws.registry.add(f"r{number:02}").name for number in range(20)]
    assert sorted(run()) == names
    assert "memory is not available; the run goes on without it" in caplog.text
    assert "memory is not available; open findings are not counted" in caplog.text


@pytest.mark.parametrize("value", ["(", None, 7])
def test_invalid_filter_in_the_event_is_rejected(queued: Any, value: Any) -> None:
    with pytest.raises(InputError, match="repositoriesFilterRegexp is .*; expected a Python regular expression"):
        repositories_scanner.handler({"repositoriesFilterRegexp": value}, None)


def send(aws: FakeAws, threads: int = 4) -> int:
    """Send a message for each repository."""
    queue = SqsQueue(aws.client("sqs"), aws.queue_url(), threads)
    return queue.send(RepositoryMessage(REGISTRY, name).to_json() for name in NAMES)


def test_entries_that_sqs_rejects_with_200_are_sent_again(aws: FakeAws) -> None:
    aws.behavior.queue_faults.first_attempt_every = 3
    assert send(aws) == 23
    assert sorted(queued_names(aws)) == sorted(NAMES)


def test_entry_that_sqs_keeps_rejecting_is_an_error_and_all_others_are_sent(aws: FakeAws) -> None:
    aws.behavior.queue_faults.containing = "sandbox"
    with pytest.raises(QueueError, match="rejected 1 of 10 messages 3 times: InternalError"):
        send(aws)
    assert len(aws.messages()) == 22


def test_messages_are_sent_ten_per_call(aws: FakeAws) -> None:
    client, sizes = aws.client("sqs"), []
    client.meta.events.register(
        "before-call.sqs.SendMessageBatch",
        lambda params, **_: sizes.append(len(json.loads(params["body"])["Entries"])),
    )
    assert SqsQueue(client, aws.queue_url()).send(RepositoryMessage(REGISTRY, name).to_json() for name in NAMES) == 23
    assert sorted(sizes) == [3, 10, 10]


def test_entry_that_sqs_keeps_rejecting_holds_back_no_later_batch(aws: FakeAws) -> None:
    aws.behavior.queue_faults.containing = "team-a"
    with pytest.raises(QueueError, match="SQS rejected"):
        send(aws, threads=1)
    assert sorted(queued_names(aws)) == sorted(name for name in NAMES if name != "team-a/app")
