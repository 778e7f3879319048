"""Makes text from outside safe to store and to encode."""


def clean(value: object, max_length: int) -> str:
    """Return a text value without lone surrogates, cut to `max_length` characters; "" if it is not text.

    JSON can hold lone surrogates, escaped halves of a character, which UTF-8 cannot.
    """
    if not isinstance(value, str):
        return ""
    return value[:max_length].encode("utf-8", "replace").decode()
