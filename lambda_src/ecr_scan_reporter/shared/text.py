"""Makes text from outside safe to store and to encode: cuts it, and replaces characters."""


def clean(value: object, max_bytes: int) -> str:
    """Return a text value without lone surrogates, cut to `max_bytes` bytes of UTF-8; "" if it is not text.

    JSON can hold lone surrogates, escaped halves of a character, which UTF-8 cannot.
    """
    if not isinstance(value, str):
        return ""
    if value.isascii():
        return value[:max_bytes]
    return value[:max_bytes].encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore")


def is_text(*values: str) -> bool:
    """Return whether none of texts is empty, and UTF-8 can encode each."""
    return all(value and clean(value, 4 * len(value)) == value for value in values)
