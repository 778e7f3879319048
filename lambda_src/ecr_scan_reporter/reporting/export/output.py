"""Writes the files of an export: NDJSON objects per repository, and one CSV file of all; their keys."""

import zlib
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from ecr_scan_reporter.aws.s3 import Bucket
from ecr_scan_reporter.memory.codec import decoding
from ecr_scan_reporter.memory.exports import Export
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.reporting.export.lines import COLUMNS, ExportLine, csv_row, to_csv, to_json

# Bytes of CSV. A part that is uploaded, except the last one, has at least the first number (S3 asks for 5 MiB); a
# repository with more than the second one has several objects. The two limit the memory that an export takes.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
_MIN_PART_SIZE, _CSV_PER_OBJECT = 8 * 1024 * 1024, 16 * 1024 * 1024
# For zlib: with the header and the checksum of a gzip file.
_GZIP_FORMAT = 31
_NDJSON, _CSV = "application/gzip", "text/csv; charset=utf-8"


class Keys(NamedTuple):
    """The keys of an export: that of the CSV file, and the beginning of all others."""

    csv: str
    findings: str

    @classmethod
    def of_run(cls, prefix: str, registry: RegistryId, run: str) -> "Keys":
        """Return those of a run. They have the run's date, so that they are the same if the export begins again."""
        account, region = registry
        where = f"account={account}/region={region}/date={run[:10]}/{run.replace(':', '')}"
        return cls(f"{prefix}csv/{where}.csv", f"{prefix}findings/{where}/")

    def of_repository(self, repository: str, number: int) -> str:
        """Return the key of an object of a repository. No name of a repository has a capital letter."""
        part = f".PART-{number}" if number > 1 else ""
        return f"{self.findings}{quote(repository)}{part}.ndjson.gz"


class Output:
    """The files of an export, as far as they are not in the bucket. They take no more memory for a larger registry.

    Args:
        export: how far it is.
        rest: the compressed end of the CSV file, if that is in no part yet.
        bucket: to write to.
        keys: of the files.

    Attributes:
        export: how far it is now. Lines after it are not settled: whoever goes on writes them again.

    Raises:
        UnreadableItemError: the rest is damaged.
    """

    def __init__(self, export: Export, rest: bytes, bucket: Bucket, keys: Keys) -> None:
        self.export, self.bucket, self._keys = export, bucket, keys
        header = b"" if export.repository else csv_row(COLUMNS).encode()
        with decoding():
            self._csv = bytearray(zlib.decompress(rest) if rest else header)
        self._settled = len(self._csv)
        self._begin_object()

    def _begin_object(self) -> None:
        self._lines, self._data, self._gzip = 0, bytearray(), zlib.compressobj(wbits=_GZIP_FORMAT)

    def add(self, found: Sequence[ExportLine]) -> None:
        """Add the lines of an image, at least one."""
        self._lines += len(found)
        self._csv += to_csv(found).encode(errors="replace")
        self._data += self._gzip.compress(to_json(found).encode(errors="replace"))

    @property
    def is_full(self) -> bool:
        """Whether the object has no room for another image."""
        return len(self._csv) - self._settled >= _CSV_PER_OBJECT

    def settle(self, repository: str, after: str = "") -> None:
        """End the object of a repository, up to a digest, or to its last one; an object that is there stays as it is.

        Raises:
            AwsError: S3 rejected a call.
        """
        export = self.export
        if self._lines:
            key = self._keys.of_repository(repository, export.number)
            self.bucket.put(key, bytes(self._data + self._gzip.flush()), _NDJSON)
            export = export._replace(objects=export.objects + 1, findings=export.findings + self._lines)
            self._begin_object()
        # A space sorts before whatever another name goes on with.
        place = (repository, after, export.number + 1) if after else (f"{repository} ", "", 1)
        self.export, self._settled = export._replace(repository=place[0], after=after, number=place[2]), len(self._csv)
        if self._settled >= _MIN_PART_SIZE:
            self._add_part()

    def _add_part(self) -> None:
        export = self.export
        upload = export.upload or self.bucket.begin(self._keys.csv, _CSV)
        part = self.bucket.add_part(self._keys.csv, upload, len(export.parts) + 1, bytes(self._csv))
        self.export = export._replace(upload=upload, parts=(*export.parts, part))
        self._csv.clear()
        self._settled = 0

    def rest(self) -> bytes:
        """Return the compressed end of the CSV file, as far as it is settled."""
        return zlib.compress(self._csv[: self._settled]) if self._settled else b""

    def end(self) -> None:
        """Write the CSV file, unless it is there. All repositories are settled.

        Raises:
            AwsError: S3 rejected a call.
        """
        if not self.export.parts:
            self.bucket.put(self._keys.csv, bytes(self._csv), _CSV)
        else:
            if self._csv:
                self._add_part()
            self.bucket.complete(self._keys.csv, self.export.upload, self.export.parts)
        self.export = self.export._replace(complete=True)
