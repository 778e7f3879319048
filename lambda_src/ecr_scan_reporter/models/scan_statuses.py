"""The statuses of scans that ECR returns, and the meaning of each. ECR may add others.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageScanStatus.html
"""

COMPLETE = "COMPLETE"
FAILED = "FAILED"
IN_PROGRESS = frozenset({"IN_PROGRESS", "PENDING"})
# Amazon Inspector monitors the image, and lists its findings.
ACTIVE = "ACTIVE"
# Amazon Inspector no longer monitors the image, and has closed its findings: this says nothing about them.
EXPIRED = "SCAN_ELIGIBILITY_EXPIRED"
ARCHIVED = "IMAGE_ARCHIVED"
# ECR cannot scan the image: a scan of it never completes.
UNSUPPORTED_TYPE = "UNSUPPORTED_IMAGE"
UNSUPPORTED = frozenset({UNSUPPORTED_TYPE, "IMAGE_SIZE_EXCEEDED"})

KNOWN_STATUSES = (
    IN_PROGRESS | UNSUPPORTED | {COMPLETE, FAILED, ACTIVE, EXPIRED, ARCHIVED, "FINDINGS_UNAVAILABLE", "LIMIT_EXCEEDED"}
)

# The text in the description of a FAILED scan of an image whose operating system ECR does not support.
UNSUPPORTED_SYSTEM = "UnsupportedImageError"
