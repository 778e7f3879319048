"""A server of the catalog of known exploited vulnerabilities, on loopback, and catalogs of CISA's shape."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def entry(cve: str, added: date, days: int = 21, *, ransomware: bool = False, **fields: Any) -> dict[str, Any]:
    """Return an entry of the catalog, with texts as CISA writes them."""
    return {
        "cveID": cve,
        "vendorProject": "Example",
        "product": "<b>Product</b>",
        "vulnerabilityName": "Example Product `Command` Injection Vulnerability",
        "dateAdded": str(added),
        "shortDescription": "Example Product contains a vulnerability.",
        "requiredAction": "Apply mitigations per vendor instructions.",
        "dueDate": str(added + timedelta(days=days)),
        "knownRansomwareCampaignUse": "Known" if ransomware else "Unknown",
        "forensicTriage": "",
        "notes": "https://example.com/",
        "cwes": ["CWE-77"],
        **fields,
    }


def catalog(*entries: dict[str, Any], others: int = 20, **fields: Any) -> bytes:
    """Return a catalog with these entries and some that no image has."""
    listed = [*entries, *(entry(f"CVE-2020-{number}", date(2021, 11, 3)) for number in range(90_000, 90_000 + others))]
    return json.dumps(
        {
            "title": "CISA Catalog of Known Exploited Vulnerabilities",
            "catalogVersion": "2026.08.07",
            "dateReleased": "2026-08-07T16:45:47.0648Z",
            "count": len(listed),
            "vulnerabilities": listed,
            **fields,
        }
    ).encode()


class Feed:
    """What the server answers.

    Attributes:
        address: of the catalog.
        certificate: the file with the certificate that a client has to trust.
        body: of the answer.
        status: of the answers; the first one is used up, unless it is the last one.
        headers: of the answer, besides its length.
        requests: the paths and headers that were asked for.
    """

    def __init__(self, address: str, certificate: Path) -> None:
        self.address, self.certificate = address, certificate
        self.reset()

    def reset(self) -> None:
        self.body, self.status = catalog(), [200]
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []


@contextmanager
def serve(folder: Path) -> Iterator[Feed]:
    """Serve a catalog over HTTPS; `folder` receives the certificate."""
    certificate = folder / "feed.pem"
    certificate.write_bytes(_certificate())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    feed: Feed

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            feed.requests.append((self.path, dict(self.headers)))
            status = feed.status.pop(0) if len(feed.status) > 1 else feed.status[0]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(feed.body)), **feed.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(feed.body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        feed = Feed(f"https://127.0.0.1:{server.server_port}/kev.json", certificate)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield feed
        server.shutdown()


def _certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "feed")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + made.public_bytes(serialization.Encoding.PEM)
