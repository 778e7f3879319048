"""The export: what is open, as files in a bucket, after each run and on demand."""

import csv
import gzip
import io
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from ecr_scan_reporter import reporter
from ecr_scan_reporter.errors import InputError
from ecr_scan_reporter.memory.exploited import Catalog, CatalogMemory
from ecr_scan_reporter.models.exploited import CatalogEntry
from ecr_scan_reporter.reporting.export import output
from fake_aws import FakeAws, FakeImage, FakeScan, digest_of, finding
from moto import mock_aws
from support import schemas
from support.configuration import memory_table
from support.ignored_findings import rule, set_rules
from support.instance import Instance
from support.invocations import Context
from support.killer import Killer
from support.reporter_harness import ReporterHarness, enhanced
from support.virtual_time import TIME

BUCKET = "security-reports"
TARGET = json.dumps({"bucket": BUCKET, "owner": "123456789012", "prefix": "ecr/"})


class Files:
    """The bucket, and what is in it."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3

    def all(self) -> list[str]:
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]

    def clear(self) -> None:
        for key in self.all():
            self.s3.delete_object(Bucket=BUCKET, Key=key)

    def read(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def lines(self) -> list[dict[str, Any]]:
        keys = [key for key in self.all() if key.endswith(".ndjson.gz")]
        found = [json.loads(line) for key in keys for line in gzip.decompress(self.read(key)).splitlines()]
        for line in found[:3]:
            schemas.EXPORT.validate(line)
        return found

    def rows(self) -> list[dict[str, str]]:
        [key] = [key for key in self.all() if key.endswith(".csv")]
        return list(csv.DictReader(io.StringIO(self.read(key).decode(), newline="")))


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """Moto's S3: the fake has none."""
    with mock_aws():
        yield boto3.client("s3", region_name="eu-west-1")


@pytest.fixture(autouse=True)
def files(s3: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    """The bucket."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.eu-west-1.amazonaws.com")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    files = Files(s3)
    yield files
    files.clear()
    s3.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def exporter(files: Files, make_reporter: Callable[..., ReporterHarness]) -> ReporterHarness:
    return make_reporter(EXPORT=TARGET, FIX_WITHIN='{"CRITICAL":7}')


def after_a_run(number: int = 0) -> dict[str, dict[str, str]]:
    """Return the message that asks for the export of a run that has ended."""
    return {"export": {"run": f"{TIME.now() - timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}-{number:08x}"}}


def rfc3339(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def on_demand(export: object = True, seconds: float = 60) -> Any:
    return reporter.handler({"export": export}, Context(seconds))


def event_of(
    inbox: ReporterHarness, repository: str, name: str, *findings: dict[str, Any], tag: str = "1.0"
) -> dict[str, Any]:
    scan = FakeScan(enhanced_findings=list(findings), completed_at=TIME.now())
    return inbox.image(repository, tag, name=name, scan=scan, at=TIME.now())


def scanned(inbox: ReporterHarness, repository: str, name: str, *findings: dict[str, Any], tag: str = "1.0") -> str:
    assert inbox.report(event_of(inbox, repository, name, *findings, tag=tag)) == []
    return digest_of(name)


def test_has_a_line_per_image_and_open_finding(files: Files, exporter: ReporterHarness) -> None:
    start, expires = TIME.now(), str(TIME.now().date() + timedelta(days=60))
    set_rules([rule(id="CVE-2026-0002", reason="not reachable", owner="team-a", expires=expires)])
    a, b = enhanced("CVE-2026-0001", "CRITICAL", "openssl", "1.1"), enhanced("CVE-2026-0002", "HIGH", "zlib")
    digest = scanned(exporter, "team-a/app", "app", a, b)
    scanned(exporter, "team-b/job", "clean")
    TIME.sleep(8 * 86400)

    answer = on_demand()

    assert answer["complete"]
    assert (answer["findings_written"], answer["objects"]) == (2, 1)
    place = f"account=123456789012/region=eu-west-1/date={TIME.now():%Y-%m-%d}/{answer['run'].replace(':', '')}"
    assert files.all() == [f"ecr/csv/{place}.csv", f"ecr/findings/{place}/team-a/app.ndjson.gz"]
    assert answer["csv"] == f"s3://{BUCKET}/ecr/csv/{place}.csv"
    assert answer["ndjson"] == f"s3://{BUCKET}/ecr/findings/{place}/"
    first, second = sorted(files.lines(), key=lambda line: str(line["id"]))
    assert first == {
        "exported_at": rfc3339(TIME.now()),
        "run": answer["run"],
        "account": "123456789012",
        "region": "eu-west-1",
        "repository": "team-a/app",
        "digest": digest,
        "tags": "1.0",
        "platform": None,
        "operating_system": None,
        "pushed_at": rfc3339(start),
        "scanned_at": rfc3339(start),
        "scanner": "enhanced",
        "superseded": False,
        "id": "CVE-2026-0001",
        "severity": "CRITICAL",
        "package": "openssl",
        "installed_versions": "1.0",
        "fixed_versions": "1.1",
        "fix_available": True,
        "exploit_available": False,
        "known_exploited": None,
        "known_exploited_due": None,
        "ransomware": None,
        "cvss_score": None,
        "url": "https://example.com/CVE-2026-0001",
        "state": "overdue",
        "first_seen": rfc3339(start),
        "due_at": f"{start + timedelta(days=7):%Y-%m-%d}T00:00:00Z",
        "ignored_by": None,
        "ignored_reason": None,
        "ignored_owner": None,
        "ignored_until": None,
    }
    assert {name: second[name] for name in ("state", "due_at", "ignored_by", "ignored_reason", "ignored_until")} == {
        "state": "ignored",
        "due_at": None,
        "ignored_by": "CVE-2026-0002",
        "ignored_reason": "not reachable",
        "ignored_until": expires,
    }
    as_text = {None: "", True: "true", False: "false"}
    assert files.rows() == [{name: as_text.get(value, value) for name, value in line.items()} for line in files.lines()]


def test_is_of_what_ecr_lists_now(aws: FakeAws, files: Files, exporter: ReporterHarness) -> None:
    old, new = enhanced("CVE-2026-0001", "CRITICAL", "openssl"), enhanced("CVE-2026-0002", "CRITICAL", "zlib")
    scanned(exporter, "app", "first", old, tag="1.0")
    TIME.sleep(3600)
    scanned(exporter, "app", "second", old, new, tag="1.1")
    scanned(exporter, "gone", "gone", old)
    scanned(exporter, "sandbox/app", "excluded", old)
    aws.registry.repository("app").put(FakeImage(digest_of("first"), ("latest",)))
    aws.registry.remove("gone")
    TIME.sleep(8 * 86400)

    on_demand()

    found = {
        (line["repository"], line["tags"], line["id"], line["superseded"], line["state"]) for line in files.lines()
    }
    assert found == {
        ("app", "latest", "CVE-2026-0001", True, "open"),
        ("app", "1.1", "CVE-2026-0001", False, "overdue"),
        ("app", "1.1", "CVE-2026-0002", False, "overdue"),
    }


def test_basic_scanning_says_nothing_of_fixes(files: Files, exporter: ReporterHarness) -> None:
    scan = FakeScan(findings=[finding("CVE-2026-0001", "HIGH")])
    exporter.report(exporter.image("app", "1.0", scan=scan))

    on_demand()

    [line] = files.lines()
    assert (line["scanner"], line["fix_available"], line["exploit_available"]) == ("basic", None, None)


def test_says_what_is_known_to_be_exploited(
    make_reporter: Callable[..., ReporterHarness], aws: FakeAws, files: Files
) -> None:
    exporter = make_reporter(EXPORT=TARGET, KNOWN_EXPLOITED="true", FIX_WITHIN='{"HIGH":30,"KEV":3}')
    entry = CatalogEntry(TIME.now().date(), 14, ransomware=True, since=TIME.now(), changed_at=TIME.now())
    catalog = Catalog({"CVE-2026-0001": entry}, TIME.now(), TIME.now(), TIME.now())
    CatalogMemory(memory_table(aws)).write(catalog)
    found = [enhanced(f"CVE-2026-000{number}", "HIGH", "openssl") for number in (1, 2)]
    scanned(exporter, "app", "app", *found)
    TIME.sleep(4 * 86400)

    on_demand()

    names = ("id", "known_exploited", "known_exploited_due", "ransomware", "state", "due_at")
    today = TIME.now().date()
    due, later = (str(today + timedelta(days=days)) for days in (10, 26))
    assert sorted(tuple(line[name] for name in names) for line in files.lines()) == [
        ("CVE-2026-0001", True, due, True, "overdue", f"{today - timedelta(days=1)}T00:00:00Z"),
        ("CVE-2026-0002", False, None, None, "open", f"{later}T00:00:00Z"),
    ]


def test_no_cell_begins_a_formula(files: Files, exporter: ReporterHarness) -> None:
    hostile = [
        "=1+1",
        "+1",
        "-1",
        "@x",
        "\t=1",
        "\r=1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff20x",
        " =1",
        'a",=1',
        "a;=1",
        "\n-1",
    ]
    found = [enhanced(f"CVE-2026-{n:04}", "HIGH", name) for n, name in enumerate(hostile)]
    set_rules([rule(package=name, reason=name, owner=name) for name in hostile])
    scanned(exporter, "app", "app", *found)

    on_demand()

    [key] = [key for key in files.all() if key.endswith(".csv")]
    text = files.read(key).decode()
    assert len(files.rows()) == len(hostile)
    # Many programs read another separator.
    cells = [
        cell
        for separator in ",;\t"
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        for cell in row
    ]
    assert not [cell for cell in cells if cell.strip().startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20"))]
    assert not [cell for cell in cells if cell.startswith(("\t", "\r", "\n"))]
    assert text.count("\r\n") == len(hostile) + 1
    assert {line["package"] for line in files.lines()} == set(hostile)


def test_a_repository_is_answered(exporter: ReporterHarness, files: Files) -> None:
    scanned(exporter, "team-a/app", "app", enhanced("CVE-2026-0001", "CRITICAL", "openssl"))
    scanned(exporter, "team-b/job", "job", enhanced("CVE-2026-0002", "CRITICAL", "zlib"))

    answer = on_demand({"repository": "team-b/job"})

    assert [line["id"] for line in answer["findings"]] == ["CVE-2026-0002"]
    assert not files.all()


def test_without_a_bucket_everything_is_answered(inbox: ReporterHarness) -> None:
    scanned(inbox, "team-a/app", "app", enhanced("CVE-2026-0001", "CRITICAL", "openssl"))
    scanned(inbox, "team-b/job", "job", enhanced("CVE-2026-0002", "CRITICAL", "zlib"))

    assert [line["repository"] for line in on_demand()["findings"]] == ["team-a/app", "team-b/job"]


def test_what_is_too_large_for_an_answer_is_an_error(inbox: ReporterHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecr_scan_reporter.reporting.export.run._MAX_ANSWER", 100)
    scanned(inbox, "app", "app", enhanced("CVE-2026-0001", "CRITICAL", "openssl"))

    with pytest.raises(InputError, match="set export_bucket, or name"):
        on_demand()


def test_bad_input_is_an_error(exporter: ReporterHarness) -> None:
    events: dict[str, Any] = {
        "export is False; expected true, or an object": {"export": False},
        "export is {'repository': ''}; expected": {"export": {"repository": ""}},
        "export is {'run': 'x'}; expected": {"export": {"run": "x"}},
        "the input of an export is 'publish'; expected only": {"export": True, "publish": False},
    }
    for message, event in events.items():
        with pytest.raises(InputError, match=message):
            reporter.handler(event, Context())


def many(exporter: ReporterHarness) -> int:
    """Scan four repositories, one with several images; return how many findings they have."""
    findings = [enhanced(f"CVE-2026-{n:04}", "HIGH", "openssl") for n in range(10)]
    events = [
        event_of(exporter, repository, f"{repository} {image}", *findings, tag=f"1.{image}")
        for repository, images in {"a": 1, "a/b": 1, "a-b": 5, "b": 1}.items()
        for image in range(images)
    ]
    assert exporter.report(*events) == []
    return 80


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few findings take many parts and objects; moto's S3 takes small parts."""
    monkeypatch.setattr(output, "_MIN_PART_SIZE", 4_000)
    monkeypatch.setattr(output, "_CSV_PER_OBJECT", 6_000)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)


def everything(files: Files) -> tuple[list[Any], list[Any]]:
    """Return what the two kinds of files name, in their order."""
    names = ("repository", "digest", "id")
    rows = [tuple(row[name] for name in names) for row in files.rows()]
    return sorted(rows), sorted(tuple(line[name] for name in names) for line in files.lines())


def test_a_large_registry_is_written_in_parts(exporter: ReporterHarness, files: Files, small: None) -> None:
    number = many(exporter)

    answer = on_demand()

    rows, lines = everything(files)
    assert answer["complete"]
    assert rows == lines
    assert len(set(rows)) == len(rows) == number
    names = sorted(key.rpartition("Z-")[2].partition("/")[2] for key in files.all() if key.endswith(".gz"))
    assert names == [
        "a-b.PART-2.ndjson.gz",
        "a-b.PART-3.ndjson.gz",
        "a-b.ndjson.gz",
        *(f"{n}.ndjson.gz" for n in ("a", "a/b", "b")),
    ]
    assert not files.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")


def go_on(inbox: ReporterHarness) -> int:
    """Deliver the messages of the reports queue until there are none; return how many there were."""
    delivered = 0
    while len(sent := [each for each in inbox.aws.messages() if each.queue == "reports"]) > delivered:
        TIME.sleep(sent[delivered].delay)
        assert inbox.report(sent[delivered].body, seconds=60) == []
        delivered += 1
        assert delivered < 10
    return delivered


def test_what_takes_longer_goes_on_in_other_invocations(
    aws: FakeAws, exporter: ReporterHarness, files: Files, small: None
) -> None:
    number = many(exporter)
    aws.reset()
    aws.behavior.latency = {"DescribeImages": 20.0}

    answer = on_demand(seconds=60)
    # What is scanned while it waits counts as of then.
    TIME.sleep(2 * 3600)
    scanned(exporter, "b", "b 0", enhanced("CVE-2026-9999", "LOW", "zlib"), tag="1.0")
    invocations = go_on(exporter)

    rows, lines = everything(files)
    assert not answer["complete"]
    # Each has time for the list of one repository.
    assert invocations == 3
    assert rows == lines
    assert "CVE-2026-9999" in {row[2] for row in rows}
    # What the second scan did not have may come back.
    assert len(set(rows)) == len(rows) == number + 1
    assert files.read(answer["csv"].partition(f"{BUCKET}/")[2]).count(b"exported_at") == 1


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_function_that_is_killed_leaves_one_export(
    exporter: ReporterHarness, files: Files, small: None, killer: Killer, after: bool, aws: FakeAws
) -> None:
    number = many(exporter)
    for write in itertools.count():
        message = after_a_run(write)
        with killer.at(write, after=after):
            exporter.report(message, seconds=300)
        killed = len(killer.writes) > write
        TIME.sleep(86400)
        # As SQS would, after the visibility timeout; and another time.
        assert [exporter.report(message, seconds=300), exporter.report(message, seconds=300)] == [[], []]
        rows, lines = everything(files)
        assert rows == lines
        assert len(set(rows)) == len(rows) == number
        files.clear()
        if not killed:
            break


def test_nothing_changes_twice(exporter: ReporterHarness, files: Files) -> None:
    many(exporter)
    message = after_a_run()
    assert exporter.report(message, seconds=300) == []
    before = {key: files.s3.head_object(Bucket=BUCKET, Key=key)["LastModified"] for key in files.all()}

    # Memory that was lost lets it begin again.
    table = reporter.dependencies().table
    table.delete_many([("EXPORTS#123456789012#eu-west-1", f"{message['export']['run']}#1")])
    scanned(exporter, "a", "a 0", enhanced("CVE-2027-0001", "CRITICAL", "zlib"))
    assert exporter.report(message, seconds=300) == []

    assert {key: files.s3.head_object(Bucket=BUCKET, Key=key)["LastModified"] for key in files.all()} == before
    assert "CVE-2027-0001" not in str(files.lines())


def test_an_upload_that_is_gone_begins_again(
    exporter: ReporterHarness, files: Files, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, call, parts = many(exporter), BaseClient._make_api_call, itertools.count()  # type: ignore[attr-defined]

    def intercept(client: Any, operation: str, parameters: Any) -> Any:
        # moto raises KeyError.
        if operation == "UploadPart" and next(parts) == 2:
            raise ClientError({"Error": {"Code": "NoSuchUpload"}}, operation)
        return call(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", intercept)
    message = after_a_run()
    assert exporter.report(message, seconds=300) == ["0"]
    assert exporter.report(message, seconds=300, receives=2) == []

    rows, lines = everything(files)
    assert rows == lines
    assert len(rows) == number


def test_a_bucket_that_is_missing_is_retried(exporter: ReporterHarness, files: Files) -> None:
    many(exporter)
    files.s3.delete_bucket(Bucket=BUCKET)
    message = after_a_run()

    assert exporter.report(message, seconds=300) == ["0"]

    files.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert exporter.report(message, seconds=300, receives=2) == []
    assert files.lines()


def test_every_call_names_the_owner_and_the_key(
    make_reporter: Callable[..., ReporterHarness], small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, call = list[tuple[str, dict[str, Any]]](), BaseClient._make_api_call  # type: ignore[attr-defined]

    def intercept(client: Any, operation: str, parameters: Any) -> Any:
        if client.meta.service_model.service_name == "s3":
            calls.append((operation, parameters))
        return call(client, operation, parameters)

    key = "arn:aws:kms:eu-west-1:123456789012:key/k"
    exporter = make_reporter(EXPORT=json.dumps({**json.loads(TARGET), "kms_key_arn": key}))
    many(exporter)
    monkeypatch.setattr(BaseClient, "_make_api_call", intercept)

    on_demand()

    assert {name for name, _ in calls} == {
        "PutObject",
        "CreateMultipartUpload",
        "UploadPart",
        "CompleteMultipartUpload",
    }
    assert {parameters["ExpectedBucketOwner"] for _, parameters in calls} == {"123456789012"}
    new = [parameters for name, parameters in calls if name in ("PutObject", "CreateMultipartUpload")]
    assert {(each["ServerSideEncryption"], each["SSEKMSKeyId"]) for each in new} == {("aws:kms", key)}
    once = [parameters["IfNoneMatch"] for name, parameters in calls if name in ("PutObject", "CompleteMultipartUpload")]
    assert set(once) == {"*"}


def test_a_run_ends_with_an_export(aws: FakeAws, files: Files, make_reporter: Callable[..., ReporterHarness]) -> None:
    instance = Instance(make_reporter(EXPORT=TARGET, EXPORT_QUEUE_URL=aws.queue_url("reports")))
    instance.scan("app", 1, "CRITICAL")

    instance.run()
    instance.let_pass(3)

    assert len(files.rows()) == 1
    assert instance.failed == []
    instance.let_pass(21)
    instance.run()
    instance.let_pass(3)
    assert len([key for key in files.all() if key.endswith(".csv")]) == 2
