"""Rejects the messages that are about another registry than that of the function which received them."""

from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.models.images import RegistryId


def check_registry(given: RegistryId | None, own: RegistryId) -> None:
    """Check that a message is about the function's own registry.

    Args:
        given: the registry that the message names; None if it names none, which means the own one.

    Raises:
        MessageError: it is about another one.
    """
    if given and given != own:
        named, expected = ("/".join(registry) for registry in (given, own))
        raise MessageError(f"the message names a repository of {named}; expected {expected}")
