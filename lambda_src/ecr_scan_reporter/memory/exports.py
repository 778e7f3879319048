"""The progress of each export of the open findings."""

from datetime import datetime
from functools import partial
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import WRITER, Table
from ecr_scan_reporter.aws.s3 import Part
from ecr_scan_reporter.memory import items, lifetimes
from ecr_scan_reporter.memory.codec import from_item, readable
from ecr_scan_reporter.models.images import RegistryId


class Export(NamedTuple):
    """How far an export is. The lines before its place are in the bucket, in an uploaded part, or in `rest`.

    Args:
        begun_at: when it was begun; None if it was not.
        repository: where it goes on; that place is before the first image if it is "".
        after: the digest in that repository after which it goes on; "" for all of it.
        number: of the repository's next object, from 1.
        upload: the id of the upload of the CSV file; "" if none was begun.
        parts: of the CSV file that are uploaded.
        rests: how many items have the compressed end of the CSV file, which is too small for a part.
        findings: how many were written.
        objects: how many objects have them.
        complete: whether it is at its end.
    """

    begun_at: datetime | None = None
    repository: str = ""
    after: str = ""
    number: int = 1
    upload: str = ""
    parts: tuple[Part, ...] = ()
    rests: int = 0
    findings: int = 0
    objects: int = 0
    complete: bool = False


class ExportMemory:
    """The part of the memory table with the exports of a registry.

    Every method raises AwsError if DynamoDB rejects a call.
    """

    def __init__(self, table: Table, registry: RegistryId) -> None:
        self._table, self._pk = table, items.registry_key("EXPORTS", registry)

    def read(self, run: str) -> Export:
        """Return how far the export of a run is."""
        stored = filter(None, [self._table.get(self._pk, items.formatted(run))])
        return next(readable(stored, lambda item: from_item(Export, item)), Export())

    def rest(self, run: str, export: Export) -> bytes:
        """Return the compressed end of the CSV file that is in no part yet."""
        return items.read_parts(self._table, [(self._pk, _rest_key(run, export, n)) for n in range(export.rests)])

    def claim(self, run: str, now: datetime, until: datetime) -> str:
        """Take the lease of an export until a time, and return its token.

        Raises:
            ConditionError: another invocation works at it.
        """
        return items.text(
            items.take_lease(self._table, (self._pk, items.formatted(run)), now, until, lifetime=lifetimes.EXPORT),
            WRITER,
        )

    def remember(self, run: str, export: Export, lease: str, until: datetime, rest: bytes = b"") -> None:
        """Remember how far an export is.

        Args:
            export: all but the number of rests.
            lease: its token.
            until: when the lease ends.
            rest: the compressed end of the CSV file that is in no part yet.
        """
        rests = items.part_items(
            self._pk, partial(_rest_key, run, export), rest, items.expires(until, lifetimes.EXPORT)
        )
        self._table.put_many(rests)
        item = items.record_item(self._pk, run, export._replace(rests=len(rests)), until, lifetimes.EXPORT)
        self._table.put({**item, "leased_until": items.to_seconds(until), WRITER: lease})

    def release(self, run: str, lease: str) -> None:
        """Return the lease of an export, unless another invocation has it."""
        items.release_lease(self._table, (self._pk, items.formatted(run)), lease)


def _rest_key(run: str, export: Export, number: int) -> str:
    # Until the export is remembered, the rest that it had before is still needed.
    return items.formatted(f"{run}#REST#{export.findings}#{number}")
