"""Keys, times and lifetimes that several kinds of items share."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from ecr_scan_reporter.aws.dynamodb import Item
from ecr_scan_reporter.models.images import RegistryId

# Sorts after every key that begins with the same text: "~" is the last printable ASCII character, and no digest has it.
END = "~"
# The end of the sort key of what was asked for an image.
ASKED = "#ASKED"
# How long items are kept after their last write. That of an image is its last scan: its items are kept for longer than
# most promised ages, because images that are monitored continuously may have no scan for months.
IMAGE_LIFETIME = timedelta(days=400)
PUSH_LIFETIME = timedelta(days=400)
INDEX_LIFETIME = timedelta(days=400)
RULE_USE_LIFETIME = timedelta(days=400)
RUN_LIFETIME = timedelta(days=7)
# Of every other item that expires: what a run, or an overview, writes anew.
_LIFETIME = timedelta(days=400)
# Bytes. A sort key has at most three such parts, or two and those of a registry.
_MAX_KEY_PART, _MAX_REGISTRY_PART = 300, 64


def key_part(text: str, limit: int = _MAX_KEY_PART) -> str:
    """Return a text from outside as a part of a key, or its hash if it is too long for one.

    A `pk` has at most 2,048 bytes and an `sk` 1,024. What ECR itself accepts is never too long. `#` separates the parts
    and becomes `*`, which neither a repository nor a tag, digest, account or Region can have.
    """
    encoded = text.encode()
    return text.replace("#", "*") if len(encoded) <= limit else sha256(encoded).hexdigest()


def registry_part(registry: RegistryId) -> str:
    """Return the parts of a key that name a registry."""
    return "#".join(key_part(name, _MAX_REGISTRY_PART) for name in registry)


def registry_key(kind: str, registry: RegistryId) -> str:
    """Return the partition key of a kind of items that each registry has one list of, such as `STATES`."""
    return f"{kind}#{registry_part(registry)}"


def repository_key(registry: RegistryId, repository: str) -> str:
    """Return the partition key of a repository."""
    return f"{registry_key('REPOSITORY', registry)}#{key_part(repository)}"


def image_key(digest: str) -> str:
    """Return the sort key of an image."""
    return f"IMAGE#{key_part(digest)}"


def image_digest(item: Item) -> str:
    """Return the digest of the image that an item is about."""
    return text(item, "sk").removeprefix("IMAGE#").removesuffix(ASKED)


def asked_key(digest: str) -> str:
    """Return the sort key of what was asked for an image."""
    return image_key(digest) + ASKED


def to_seconds(moment: datetime | None) -> int:
    """Return Unix seconds; 0 for None."""
    return int(moment.timestamp()) if moment else 0


def to_time(value: object) -> datetime | None:
    """Return the time (aware) of Unix seconds; None if they are 0, missing, or no time."""
    with suppress(ArithmeticError, OSError, ValueError):
        return datetime.fromtimestamp(value, UTC) if isinstance(value, int) and value else None
    return None


def sortable(moment: datetime) -> str:
    """Return a time (aware) as a part of a sort key, so that the keys sort by time."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def expires(now: datetime, lifetime: timedelta = _LIFETIME) -> int:
    """Return the value of the TTL attribute, in Unix seconds."""
    return to_seconds(now + lifetime)


def text(item: Item, name: str) -> str:
    """Return a text attribute; "" if it is missing."""
    return str(item.get(name, ""))


def number(item: Item, name: str) -> int:
    """Return a number; 0 if it is missing."""
    value = item.get(name, 0)
    return value if isinstance(value, int) else 0
