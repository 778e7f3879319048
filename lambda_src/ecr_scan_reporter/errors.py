"""The errors of this package's own: what went wrong, in words that say what to do about it."""


class SettingError(ValueError):
    """A setting has a value that is not accepted; the message names both, and what is accepted."""

    def __init__(self, name: str, value: object, accepted: str) -> None:
        super().__init__(f"{name} is {value!r}; accepted: {accepted}")


class MessageError(ValueError):
    """A message from a queue is not one that this function understands."""


class RegistryError(Exception):
    """The registry refused a call."""


class AccessDenied(RegistryError):
    """The function's role may not make this call; the message names the action that is missing."""


class Throttled(RegistryError):
    """The registry asks for a slower pace; the same call may succeed later."""


class RepositoryGone(RegistryError):
    """The repository does not exist (any more)."""


class ImageGone(RegistryError):
    """The image does not exist (any more)."""


class ScanQuotaReached(RegistryError):
    """The account's daily quota of basic scans is used up (100,000 per Region and 24 hours, not adjustable).

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
    """


class ScanningDisabled(RegistryError):
    """The registry takes no manual scans: enhanced scanning is on."""


class OutOfTime(Exception):
    """This invocation has no time left for the work at hand."""
