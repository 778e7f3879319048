"""The daily pass: what is due without an event is reported on its day, once, whatever the schedule of the scans is."""

import json
from collections import Counter
from collections.abc import Callable

import pytest
from fake_aws import FakeAws, Fault
from support.days import DAY, Configure, Days, Told
from support.ignored_findings import rule, set_rules
from support.reporter_harness import enhanced
from support.virtual_time import TIME

A = enhanced("CVE-2026-0001", "CRITICAL", "openssl")
B = enhanced("CVE-2026-0002", "HIGH", "zlib")


@pytest.fixture
def make(aws: FakeAws, configure: Configure) -> Callable[..., Days]:
    def make_days(**settings: str) -> Days:
        days = Days(aws, configure)
        days.configure(**{"FIX_WITHIN": '{"CRITICAL": 3, "HIGH": 5}', **settings})
        return days

    return make_days


@pytest.fixture
def days(make: Callable[..., Days]) -> Days:
    return make()


@pytest.mark.slow
@pytest.mark.parametrize("scan_type", ["BASIC", "ENHANCED"])
def test_deadline_is_reported_on_its_day_although_runs_are_weekly(make: Callable[..., Days], scan_type: str) -> None:
    days = make(SCHEDULE_EXPRESSION="rate(7 days)")
    days.aws.registry.scan_type = scan_type
    days.run()
    days.scan("1.0", A, B)
    for week in range(2):
        days.nights(7 * (week + 1) - days.day)
        days.run()
    assert days.told() == [Told(3, "1.0", "overdue", "CVE-2026-0001"), Told(5, "1.0", "overdue", "CVE-2026-0002")]


def test_deadline_is_reported_on_its_day_although_no_event_ever_came(make: Callable[..., Days]) -> None:
    days = make(SCHEDULE_EXPRESSION="rate(7 days)", FIX_WITHIN='{"CRITICAL": 3}')
    days.aws.registry.scan_type = "ENHANCED"
    days.push("1.0", A)
    days.run()
    days.nights(8)
    assert days.told() == [Told(3, "1.0", "overdue", "CVE-2026-0001")]


def test_deadline_of_a_repository_that_no_run_has_visited_is_reported(days: Days) -> None:
    for repository in ("team-a/app", "team-b/app", "team-c/app"):
        days.scan(repository[5], A, repository=repository)
    days.nights(4)
    assert days.told() == [Told(3, image, "overdue", "CVE-2026-0001") for image in "abc"]


@pytest.mark.parametrize("before", ["", '{"CRITICAL": 90}'], ids=["set", "shortened"])
def test_fix_within_that_is_set_or_shortened_later_is_reported_within_a_day(
    make: Callable[..., Days], before: str
) -> None:
    days = make()
    days.configure(FIX_WITHIN=before)
    days.scan("1.0", A, B)
    days.nights(8)
    assert days.told() == []
    days.configure(FIX_WITHIN='{"CRITICAL": 7}')
    days.nights(3)
    assert days.told() == [Told(9, "1.0", "overdue", "CVE-2026-0001")]


def test_fixable_only_that_is_switched_off_is_reported_within_a_day(days: Days) -> None:
    days.configure(FIXABLE_ONLY="true")
    days.scan("1.0", A)
    days.nights(5)
    assert days.told() == []
    days.configure(FIXABLE_ONLY="false")
    days.nights(2)
    assert days.told() == [Told(6, "1.0", "overdue", "CVE-2026-0001")]


@pytest.mark.parametrize("end", ["expires", "removed", "limited"])
def test_rule_that_ends_while_nothing_is_scanned_is_reported_within_a_day(make: Callable[..., Days], end: str) -> None:
    days = make(FIX_WITHIN="")
    ignored = rule(id="CVE-2026-0001", expires=days.day_at(5 if end == "expires" else 900))
    set_rules([ignored])
    days.scan("1.0", A, B)
    days.nights(4)
    assert days.told() == []
    after = {"expires": [ignored], "removed": [], "limited": [{**ignored, "repositories": "team-b/"}]}
    set_rules(after[end])
    days.nights(4)
    assert days.told() == [Told(5, "1.0", "reopened", "CVE-2026-0001")]
    assert (days.record("1.0").ignored, days.record("1.0").ignored_until) == (0, None)


def test_finding_of_a_rule_that_ends_is_overdue_at_once(days: Days) -> None:
    set_rules([rule(id="CVE-2026-0001", expires=days.day_at(5))])
    days.scan("1.0", A)
    days.nights(6)
    both = [Told(5, "1.0", word, "CVE-2026-0001") for word in ("overdue", "reopened")]
    assert days.told() == both


def test_rule_that_is_added_counts_within_a_day(days: Days) -> None:
    days.scan("1.0", A, B)
    assert days.record("1.0").due_at is not None
    set_rules([rule(id="CVE-2026-0001", expires=days.day_at(900)), rule(package="zlib", until_fixed=True)])
    days.nights(1)
    record = days.record("1.0")
    assert (record.ignored, record.due_at, record.earliest_deadlines) == (2, None, ())
    days.nights(3)
    assert days.told() == []


def test_rule_of_other_repositories_has_nothing_judged_again(days: Days) -> None:
    days.scan("1.0", A, B)
    set_rules([rule(id="CVE-2026-0001", repositories="team-b/")])
    before = days.record("1.0").revision
    days.nights(1)
    assert days.record("1.0").revision == before


def test_image_with_nothing_due_costs_no_read_of_its_findings(days: Days) -> None:
    set_rules([rule(id="CVE-2026-0002", expires=days.day_at(30))])
    for number in range(12):
        days.scan(f"1.{number}", A, B, repository=f"team-{number % 3}/app")
    days.midnight()
    days.aws.reset()
    assert days.handle(days.started()) == []
    calls = days.aws.calls()
    # Two of the rules, one of how far the last pass is, one of the repositories, and one of each repository's images.
    assert calls == {"Query": 2 + 1 + 1 + 3, "PutItem": 1}


def test_image_is_judged_without_a_call_of_ecr_if_it_has_nothing_to_say(days: Days) -> None:
    days.configure(FIX_WITHIN="")
    days.scan("1.0", A)
    days.configure(FIX_WITHIN='{"CRITICAL": 300}')
    days.aws.reset()
    days._read = 0
    days.nights(1)
    calls = days.aws.calls()
    assert not {name for name in calls if name.startswith(("Describe", "BatchGetImage"))}
    assert (calls["BatchGetItem"], calls["SendMessageBatch"]) == (1, 1)
    assert days.record("1.0").due_at is not None


def test_image_that_is_gone_is_not_reported_unless_it_is_pushed_again(days: Days) -> None:
    set_rules([rule(id="CVE-2026-0002", expires=days.day_at(2))])
    days.scan("1.0", A, B)
    days.scan("other", repository="team-b/other")
    held = days.repository()
    [image] = held.images
    held.remove(image.digest)
    days.nights(4)
    revision = days.record("1.0").revision
    days.nights(3)
    assert (days.told(), days.record("1.0").revision) == ([], revision + 1)
    held.put(image)
    days.scan("1.0", A, B)
    assert sorted(told[2:] for told in days.told()) == [
        ("overdue", "CVE-2026-0001"),
        ("overdue", "CVE-2026-0002"),
        ("reopened", "CVE-2026-0002"),
    ]


@pytest.mark.slow
def test_image_that_is_replaced_leaves_its_deadlines_to_the_next_one(days: Days) -> None:
    days.scan("1.0", A)
    days.nights(1)
    days.scan("1.1", A)
    days.nights(5)
    assert days.told() == [Told(3, "1.1", "overdue", "CVE-2026-0001")]


def test_days_without_a_pass_are_made_up_for_once(days: Days) -> None:
    set_rules([rule(id="CVE-2026-0002", expires=days.day_at(4))])
    days.scan("1.0", A, B)
    TIME.sleep(20 * DAY.total_seconds())
    days.nights(4)
    assert days.told() == [
        Told(21, "1.0", "overdue", "CVE-2026-0001"),
        Told(21, "1.0", "overdue", "CVE-2026-0002"),
        Told(21, "1.0", "reopened", "CVE-2026-0002"),
    ]


def test_excluded_repository_is_left_out(make: Callable[..., Days]) -> None:
    days = make()
    days.scan("1.0", A)
    days.scan("2.0", A, repository="team-b/app")
    days.configure(REPOSITORIES_FILTER_REGEXP="team-b/")
    days.nights(4)
    assert days.told() == [Told(3, "2.0", "overdue", "CVE-2026-0001")]


def fill(days: Days, repositories: int, images: int) -> list[Told]:
    """Have images with a deadline in repositories; return what is to be told of them."""
    letters = "abcdefgh"
    names = [(f"app-{one}", f"service-{one}{two}") for one in letters[:repositories] for two in letters[:images]]
    # Each has a finding and a tag of its own: none is the next build of another.
    found = {name: enhanced(f"CVE-2026-1{number:03}", "CRITICAL", name) for number, (_, name) in enumerate(names)}
    events = [days.push(name, found[name], repository=repository) for repository, name in names]
    assert days.handle(*events) == []
    told = zip(days.images.values(), found.values(), strict=True)
    return sorted(
        Told(3, image, "overdue", entry["packageVulnerabilityDetails"]["vulnerabilityId"]) for image, entry in told
    )


@pytest.mark.slow
def test_pass_goes_on_where_there_was_no_time_left(days: Days) -> None:
    expected = fill(days, 4, 6)
    days.aws.behavior.latency = {"Query": 2.0}
    days.nights(3, seconds=20)
    assert days.told() == expected
    parts = [json.loads(message.body)["pass"] for message in days.aws.messages() if '"pass"' in message.body]
    assert len(parts) >= 3
    assert all(part["repository"] for part in parts)


@pytest.mark.slow
def test_part_queues_no_more_images_than_scan_events_can_wait_for(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecr_scan_reporter.reporting import daily_pass

    monkeypatch.setattr(daily_pass, "_MAX_DUE", 5)
    expected = fill(days, 3, 7)
    days.nights(3)
    assert days.told() == expected
    due = Counter(message.body for message in days.aws.messages() if '"due"' in message.body)
    assert (len(due), set(due.values())) == (21, {1})


def test_pass_that_is_delivered_twice_is_done_once(days: Days) -> None:
    days.scan("1.0", A)
    days.nights(3)
    days.midnight()
    started = days.started()
    assert days.handle(started) == []
    days.aws.reset()
    days._read = 0
    assert days.handle(started) == days.handle(started, receives=2) == []
    # An older one that is redriven is done, too: a later one has begun.
    assert days.handle({"pass": {"at": f"{days.today - DAY}T00:05:00Z"}}) == []
    assert days.aws.calls() == {"Query": 3}


def test_pass_of_the_future_mutes_no_later_one(days: Days) -> None:
    days.scan("1.0", A)
    assert days.handle({"pass": {"at": "2199-01-01T00:00:00Z"}}) == []
    days.nights(4)
    assert days.told() == [Told(3, "1.0", "overdue", "CVE-2026-0001")]


@pytest.mark.parametrize("body", [{"pass": 7}, {"pass": {"at": "soon"}}, {"pass": {"day": "x"}}, {"due": {}}])
def test_message_that_is_none_is_returned(days: Days, body: object) -> None:
    assert days.handle(body, {"pass": {}}) == ["0"]


def test_pass_goes_on_after_a_call_that_dynamodb_rejects(days: Days) -> None:
    expected = fill(days, 3, 2)
    TIME.sleep(3 * DAY.total_seconds())
    days.aws.behavior.faults.append(Fault("Query", "AccessDeniedException", containing="app-b", times=1))
    assert days.handle(days.started()) == []
    days.empty_the_queues()
    assert [told._replace(day=3) for told in days.told()] == expected
    days.midnight()
    days.aws.behavior.faults.append(Fault("Query", "AccessDeniedException", containing="DAILY", times=1))
    assert days.handle(days.started()) == ["0"]
