"""The catalog reader: what it believes, and that nothing else replaces the last good copy."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from ecr_scan_reporter import catalog_reader
from ecr_scan_reporter.catalog.download import MAX_SIZE
from ecr_scan_reporter.errors import AwsError, InputError
from ecr_scan_reporter.memory.exploited import Catalog, CatalogMemory
from fake_aws import FakeAws, Fault
from support.configuration import memory_table
from support.feed import Feed, catalog, entry
from support.fixtures import embedded_metrics
from support.invocations import Context
from support.virtual_time import TIME

TODAY = TIME.now().date()
A = entry("CVE-2026-0001", TODAY, 3, ransomware=True)
GOOD = catalog(A)


class Reader:
    """The function, the server that it reads from, and what it remembers."""

    def __init__(self, aws: FakeAws, feed: Feed) -> None:
        self.aws, self.feed = aws, feed

    def read(self, body: bytes | None = None, **event: Any) -> dict[str, Any]:
        if body is not None:
            self.feed.body = body
        return dict(catalog_reader.handler(event, Context(60)))

    def known(self) -> Catalog:
        return CatalogMemory(memory_table(self.aws)).read(TIME.now())


@pytest.fixture
def reader(aws: FakeAws, configure: Callable[..., None], feed: Feed) -> Reader:
    configure(KNOWN_EXPLOITED_FEED=feed.address)
    return Reader(aws, feed)


def changed(body: bytes, **fields: Any) -> bytes:
    return json.dumps(json.loads(body) | fields).encode()


def test_catalog_is_read_over_https_and_kept_in_one_small_item(reader: Reader) -> None:
    assert reader.read(GOOD) == {"entries": 21, "problem": ""}
    known = reader.known()
    found = known.entries["CVE-2026-0001"]
    assert (found.added, found.days, found.ransomware, found.removed) == (TODAY, 3, True, False)
    assert known.begun_at == known.read_at == found.since == found.changed_at == TIME.now()
    [(path, headers)] = reader.feed.requests
    assert (path, headers["User-Agent"], headers["Accept-Encoding"]) == ("/kev.json", "ecr-scan-reporter", "identity")


BROKEN = {
    "wrong count": changed(GOOD, count=22),
    "456 bytes of HTML": b"<html>" + 450 * b"x",
    "digits": GOOD.replace(b'"count": 21', b'"count": ' + 4000 * b"9"),
    "control characters": GOOD.replace(b"Example Product", b"Example\x00\x1bProduct"),
    "far fewer entries": catalog(A, others=17),
    "40 MB": b'{"a": "' + 40_000_000 * b"x",
}


def test_nothing_but_a_catalog_replaces_the_last_good_copy(reader: Reader) -> None:
    reader.read(GOOD)
    before = reader.known()
    for name, body in BROKEN.items():
        answer = reader.read(body)
        assert (answer["entries"], bool(answer["problem"])) == (21, True), name
        assert reader.known() == before._replace(problem=answer["problem"]), name
        assert answer["problem"].isprintable(), name
        assert len(answer["problem"]) < 100, name
    assert reader.read(GOOD) == {"entries": 21, "problem": ""}
    assert reader.known() == before


def test_server_that_fails_is_asked_again_and_one_that_refuses_is_not(reader: Reader) -> None:
    reader.feed.status = [503, 429, 200]
    assert reader.read(GOOD) == {"entries": 21, "problem": ""}
    reader.feed.status, reader.feed.requests = [404], []
    assert reader.read()["problem"] == "the server answers 404"
    assert len(reader.feed.requests) == 1
    reader.feed.status, reader.feed.requests = [500], []
    assert reader.read()["problem"] == "the server answers 500"
    assert len(reader.feed.requests) == 3


def test_redirect_is_followed_within_the_host_alone(reader: Reader) -> None:
    reader.feed.status, reader.feed.headers = [302, 200], {"Location": "/moved.json"}
    assert reader.read(GOOD) == {"entries": 21, "problem": ""}
    assert [path for path, _ in reader.feed.requests] == ["/kev.json", "/moved.json"]
    for place in ("https://localhost/kev.json", reader.feed.address.replace("https", "http"), "file:///etc/passwd"):
        reader.feed.status, reader.feed.headers, reader.feed.requests = [302, 200], {"Location": place}, []
        assert reader.read()["problem"] == "the server redirects to another place"
        assert len(reader.feed.requests) == 1
    reader.feed.status, reader.feed.headers = [302], {"Location": "/kev.json"}
    assert reader.read()["problem"] == "the server redirects to another place"


def test_compressed_answer_is_refused(reader: Reader) -> None:
    reader.feed.headers = {"Content-Encoding": "gzip"}
    assert reader.read(GOOD)["problem"] == "it is compressed, which was not asked for"


def test_server_is_authenticated(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    assert reader.read(GOOD) == {
        "entries": 0,
        "problem": "the server cannot be reached (SSLCertVerificationError)",
    }
    assert reader.known().begun_at is None


def test_what_changed_is_dated_and_what_was_removed_is_known(reader: Reader) -> None:
    reader.read(catalog(A, entry("CVE-2026-0002", TODAY), entry("CVE-2026-0003", TODAY)))
    begun = TIME.now()
    TIME.sleep(86400)
    moved = entry("CVE-2026-0002", TODAY, 30)
    reader.read(catalog(A, moved, entry("CVE-2026-0004", TODAY)))
    entries = {cve[-1]: found for cve, found in reader.known().entries.items() if cve.startswith("CVE-2026")}
    assert {name for name, found in entries.items() if found.since == begun} == {"1", "2", "3"}
    assert {name for name, found in entries.items() if found.changed_at == begun} == {"1"}
    assert {name for name, found in entries.items() if found.removed} == {"3"}


def test_catalog_that_lost_many_entries_is_believed_if_someone_says_so(reader: Reader) -> None:
    reader.read(catalog(A, others=100))
    assert reader.read(catalog(A, others=50))["problem"] == "it has 51 vulnerabilities, and the last copy had 101"
    assert reader.read(smaller=True) == {"entries": 51, "problem": ""}
    with pytest.raises(InputError, match="smaller is 'yes'; expected true or false"):
        reader.read(smaller="yes")


def test_age_of_the_catalog_is_measured(reader: Reader, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    reader.feed.status = [404]
    for days in range(3):
        TIME.sleep(86400 if days else 0)
        reader.read()
        assert embedded_metrics(caplog, "age of the catalog") == {"CatalogAge": 86400 * days}
    reader.feed.status = [200]
    reader.read()
    assert embedded_metrics(caplog, "age of the catalog") == {"CatalogAge": 0}


def test_first_run_reads_the_catalog_once(reader: Reader) -> None:
    for _ in range(3):
        reader.read(GOOD, first=True)
    assert len(reader.feed.requests) == 1


def test_first_run_does_not_ask_a_server_for_ever_that_fails(reader: Reader) -> None:
    reader.feed.status = [404]
    for _ in range(24):
        reader.read(first=True)
        TIME.sleep(600)
    assert len(reader.feed.requests) == 6
    reader.feed.status = [200]
    assert reader.read(GOOD) == {"entries": 21, "problem": ""}


def test_memory_that_fails_is_an_error(reader: Reader) -> None:
    reader.aws.behavior.faults.append(Fault("PutItem", "AccessDeniedException"))
    with pytest.raises(AwsError):
        reader.read(GOOD)


@pytest.mark.slow  # the model of S3 takes long to read
def test_catalog_is_read_from_s3(
    reader: Reader, configure: Callable[..., None], feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(
        KNOWN_EXPLOITED_FEED="s3://mirror/cisa/kev.json",
        AWS_ENDPOINT_URL_S3=reader.feed.address.removesuffix("/kev.json"),
    )
    monkeypatch.setenv("AWS_CA_BUNDLE", str(feed.certificate))
    monkeypatch.setattr("ecr_scan_reporter.aws.clients._session", _new_session)
    assert reader.read(GOOD) == {"entries": 21, "problem": ""}
    assert [path for path, _ in reader.feed.requests] == ["/mirror/cisa/kev.json"]
    assert reader.read((MAX_SIZE + 1) * b" ")["problem"] == "it is larger than 8,000,000 bytes"
    reader.feed.status = [404]
    reader.feed.body = b"<Error><Code>NoSuchKey</Code></Error>"
    assert reader.read()["problem"] == "Amazon S3 answers NoSuchKey"


def _new_session() -> Any:
    from botocore.session import get_session

    return get_session()
