"""The exceptions of this package.

SettingError                        a setting has an invalid value
InputError                          the input of an invocation is invalid
MessageError                        a queue message is invalid
UnreadableItemError                 an item of the memory table cannot be parsed
DeadlineExceededError               the invocation has no time left
UndecidedError                      whether an expression matches a name takes too long to find out
FindingsNotReadError                the findings of a scan cannot be read yet
FeedError                           the catalog of known exploited vulnerabilities cannot be believed
AwsError                            AWS did not do what was asked
├── AccessDeniedError               the role lacks a permission
├── QueueError                      SQS rejected a message
├── UploadGoneError                 S3 no longer has the parts of an object
├── MemoryTableError                DynamoDB rejected a call
│   ├── ConditionError              the item has changed in the meantime
│   └── ItemTypeError               an attribute of the item has another type
└── RegistryError                   ECR rejected a call
    ├── TransientError              the same call may succeed later
    │   └── ThrottledError          ... at a lower rate
    ├── RepositoryNotFoundError     the repository was deleted
    ├── ImageNotFoundError          the image was deleted
    ├── ScanNotFoundError           the image was never scanned
    ├── ImageRejectedError          ECR rejected this image alone
    ├── ScanQuotaExceededError      the account has no scans left today
    └── ManualScanningDisabledError the registry uses enhanced scanning
"""


class SettingError(ValueError):
    """A setting has an invalid value; the message names the setting, the value and what is expected."""

    def __init__(self, name: str, value: object, expected: str) -> None:
        super().__init__(f"{name} is {value!r}; expected {expected}")


class InputError(ValueError):
    """The input of an invocation is invalid; the message names the value and what is expected."""


class MessageError(ValueError):
    """A message from a queue is not one that this function understands."""


class UnreadableItemError(ValueError):
    """An item of the memory table is damaged, or a later release of this package wrote it."""


class DeadlineExceededError(Exception):
    """The invocation has no time left for the work at hand."""


class UndecidedError(Exception):
    """Whether a regular expression matches a name could not be found out in time."""


class FindingsNotReadError(Exception):
    """The findings cannot be read yet; the message is to be delivered again."""


class FeedError(Exception):
    """The catalog of known exploited vulnerabilities could not be read, or cannot be believed; the message says why."""


class AwsError(Exception):
    """AWS did not do what was asked."""


class AccessDeniedError(AwsError):
    """A call is not permitted; the message names it."""


class QueueError(AwsError):
    """Amazon SQS did not accept every message."""


class UploadGoneError(AwsError):
    """Amazon S3 no longer has the parts of an object that was uploaded in parts, or has others."""


class MemoryTableError(AwsError):
    """Amazon DynamoDB rejected a call."""


class ConditionError(MemoryTableError):
    """The condition of a write does not hold, because another invocation wrote first."""


class ItemTypeError(MemoryTableError):
    """Something cannot be added to an attribute of an item, because it has another type: the item is damaged."""


class RegistryError(AwsError):
    """Amazon ECR rejected a call. `code` is ECR's error code, or the kind of failure if there was no response."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class TransientError(RegistryError):
    """The call failed for a reason that may pass: a server error, a timeout or a closed connection."""


class ThrottledError(TransientError):
    """Amazon ECR asks for a lower rate."""


class RepositoryNotFoundError(RegistryError):
    """The repository does not exist, or no longer exists."""


class ImageNotFoundError(RegistryError):
    """The image does not exist, or no longer exists."""


class ScanNotFoundError(RegistryError):
    """The image was never scanned."""


class ImageRejectedError(RegistryError):
    """Amazon ECR rejected a call for one image; other images are not affected."""


class ScanQuotaExceededError(RegistryError):
    """The account has used its daily quota of basic scans: 100,000 per Region and 24 hours, not adjustable.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
    """


class ManualScanningDisabledError(RegistryError):
    """The registry accepts no manual scans because it uses enhanced scanning."""
