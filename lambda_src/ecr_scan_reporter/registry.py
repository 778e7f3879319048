"""Access to Amazon ECR: repositories, images, and their scans."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .due import INDEX_TYPES
from .errors import (
    AccessDenied,
    ImageGone,
    RegistryError,
    RepositoryGone,
    ScanningDisabled,
    ScanQuotaReached,
    Throttled,
)
from .models import Finding, Image, IndexChild, Scan, ScanResult, StartOutcome

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import ImageDetailTypeDef

# The most that ECR answers at a time; its default is 100.
_PAGE = 1000
# The most that BatchGetImage takes; https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
INDEXES_A_CALL = 100

# Each of these has been seen for "slower, please" or "not now"; the codes are compared as strings, because an
# older boto3 lacks the newer exception classes.
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors.html
_SLOWER = {
    "ThrottlingException",
    "ThrottleException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ServerException",
    "InternalFailure",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "RequestTimeoutException",
}


def ecr_client(threads: int = 1) -> "ECRClient":
    """A client for `threads` threads, that retries reads by itself; the Region is the function's own."""
    return _client(threads, attempts=8)


def scan_client(threads: int = 1) -> "ECRClient":
    """A client for StartImageScan alone, that tries once.

    botocore's standard and adaptive modes retry LimitExceededException, which means "scanned within 24 hours" here.
    """
    return _client(threads, attempts=1)


def _client(threads: int, attempts: int) -> "ECRClient":
    # A call that hangs must not take the whole invocation with it: ECR answers in well under a second.
    retries: Any = {"mode": "standard", "total_max_attempts": attempts}
    config = Config(max_pool_connections=threads, connect_timeout=5, read_timeout=20, retries=retries)
    return boto3.client("ecr", config=config)


class Registry:
    """The ECR registry of the function's account and Region."""

    def __init__(self, client: "ECRClient", scan_client: "ECRClient | None" = None) -> None:
        self._ecr = client
        self._scan_ecr = scan_client or client

    def repository_names(self) -> Iterator[str]:
        """The names of all repositories, read 1,000 a call.

        Raises:
            RegistryError: as `AccessDenied` or `Throttled` where ECR says so.
        """
        pages = self._ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": _PAGE})
        try:
            for page in pages:
                for repository in page["repositories"]:
                    yield repository["repositoryName"]
        except (ClientError, BotoCoreError) as error:
            raise _translated(error) from error

    def images(self, repository: str) -> Iterator[Image]:
        """The images of a repository, one per digest, read 1,000 a call.

        Raises:
            RepositoryGone: it was deleted meanwhile.
        """
        pages = self._ecr.get_paginator("describe_images").paginate(
            repositoryName=repository, PaginationConfig={"PageSize": _PAGE}
        )
        try:
            for page in pages:
                for detail in page["imageDetails"]:
                    yield _image(repository, detail)
        except (ClientError, BotoCoreError) as error:
            raise _translated(error) from error

    def last_scan(self, image: Image) -> Scan | None:
        """The last scan of an image; None if it was never scanned.

        One call, of one finding: with AWS-native basic scanning DescribeImages says nothing of scans.
        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html

        Raises:
            ImageGone: it was deleted meanwhile.
            RepositoryGone: its repository was.
        """
        try:
            answer = self._ecr.describe_image_scan_findings(
                repositoryName=image.repository, imageId={"imageDigest": image.digest}, maxResults=1
            )
        except ClientError as error:
            if _code(error) == "ScanNotFoundException":
                return None
            raise _translated(error) from error
        findings = answer.get("imageScanFindings") or {}
        return _scan(answer["imageScanStatus"], findings.get("imageScanCompletedAt"))

    def scan_result(self, repository: str, digest: str) -> ScanResult:
        """All findings of the last scan of an image, read 1,000 a call (ECR answers with fewer where it is enhanced).

        Raises:
            ImageGone: it was deleted meanwhile.
            RegistryError: there is no scan, or ECR refused otherwise.
        """
        pages = self._ecr.get_paginator("describe_image_scan_findings").paginate(
            repositoryName=repository, imageId={"imageDigest": digest}, PaginationConfig={"PageSize": _PAGE}
        )
        status: Any = {}
        findings: list[Finding] = []
        try:
            for page in pages:
                status = page.get("imageScanStatus") or {}
                found: Any = page.get("imageScanFindings") or {}
                findings += map(_basic_finding, found.get("findings", ()))
                for entry in found.get("enhancedFindings", ()):
                    findings += _enhanced_findings(entry)
        except (ClientError, BotoCoreError) as error:
            raise _translated(error) from error
        return ScanResult(status.get("status", ""), status.get("description", ""), tuple(findings))

    def index_children(self, indexes: Sequence[Image]) -> Iterator[IndexChild]:
        """What at most 100 indexes of one repository consist of. An index that was deleted meanwhile has none."""
        try:
            answer = self._ecr.batch_get_image(
                repositoryName=indexes[0].repository,
                imageIds=[{"imageDigest": index.digest} for index in indexes],
                acceptedMediaTypes=sorted(INDEX_TYPES),
            )
        except (ClientError, BotoCoreError) as error:
            raise _translated(error) from error
        for image in answer["images"]:
            yield from _children(image["imageId"]["imageDigest"], image["imageManifest"])

    def scans_by_hand(self) -> bool:
        """Whether this registry takes manual scans; with enhanced scanning it does not.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-enhanced.html
        """
        try:
            answer = self._ecr.get_registry_scanning_configuration()
        except (ClientError, BotoCoreError) as error:
            raise _translated(error) from error
        return answer.get("scanningConfiguration", {}).get("scanType") != "ENHANCED"

    def start_scan(self, image: Image) -> StartOutcome:
        """Ask ECR for a scan of one image.

        Raises:
            Throttled: ask again later.
            ScanQuotaReached: the account has no scans left today.
            ScanningDisabled: the registry uses enhanced scanning.
            RepositoryGone: the repository was deleted meanwhile.
        """
        try:
            self._scan_ecr.start_image_scan(repositoryName=image.repository, imageId={"imageDigest": image.digest})
        except ClientError as error:
            outcome = _refusal(error)
            if outcome is None:
                raise _translated(error) from error
            return outcome
        return StartOutcome.STARTED


def _image(repository: str, detail: "ImageDetailTypeDef") -> Image:
    summary = detail.get("imageScanFindingsSummary")
    status = detail.get("imageScanStatus")
    return Image(
        repository=repository,
        digest=detail["imageDigest"],
        tags=tuple(detail.get("imageTags", ())),
        media_type=detail.get("imageManifestMediaType"),
        artifact_type=detail.get("artifactMediaType"),
        subject=detail.get("subjectManifestDigest"),
        archived=detail.get("imageStatus") == "ARCHIVED",
        pushed_at=detail.get("imagePushedAt"),
        pulled_at=detail.get("lastRecordedPullTime"),
        summary=_scan(status, summary.get("imageScanCompletedAt")) if status and summary else None,
    )


def _scan(status: Any, completed_at: datetime | None) -> Scan:
    return Scan(status["status"], completed_at, status.get("description", ""))


def _children(index: str, manifest: str) -> Iterator[IndexChild]:
    """The manifests of an index. What a pusher wrote is data from outside: what is no manifest is left out."""
    try:
        entries = json.loads(manifest)["manifests"]
        for entry in entries:
            platform = entry.get("platform") or {}
            name = "/".join(str(platform[part]) for part in ("os", "architecture", "variant") if platform.get(part))
            # BuildKit marks its attestations in both ways.
            marked = (entry.get("annotations") or {}).get("vnd.docker.reference.type") == "attestation-manifest"
            yield IndexChild(index, entry["digest"], name, marked or name == "unknown/unknown")
    except (AttributeError, KeyError, TypeError, ValueError):
        return


def _basic_finding(entry: Any) -> Finding:
    attributes = {attribute["key"]: attribute.get("value", "") for attribute in entry.get("attributes", ())}
    return Finding(
        name=entry.get("name", ""),
        severity=entry.get("severity", "UNDEFINED"),
        package=attributes.get("package_name", ""),
        installed=attributes.get("package_version", ""),
        score=_score(attributes.get("CVSS3_SCORE") or attributes.get("CVSS2_SCORE")),
        link=entry.get("uri", ""),
    )


def _enhanced_findings(entry: Any) -> Iterator[Finding]:
    """One finding for each package that it names; one that was suppressed or closed is none."""
    if entry.get("status", "ACTIVE") != "ACTIVE":
        return
    details = entry.get("packageVulnerabilityDetails") or {}
    for package in details.get("vulnerablePackages") or [{}]:
        # "NotAvailable" is Inspector's word for none.
        fixed = package.get("fixedInVersion", "")
        yield Finding(
            name=details.get("vulnerabilityId") or entry.get("title", ""),
            severity=entry.get("severity", "UNTRIAGED"),
            package=package.get("name", ""),
            installed=package.get("version", ""),
            fixed="" if fixed == "NotAvailable" else fixed,
            fixable=entry.get("fixAvailable") in ("YES", "PARTIAL"),
            exploit=entry.get("exploitAvailable") == "YES",
            score=_score(entry.get("score")),
            link=details.get("sourceUrl", ""),
        )


def _score(value: object) -> float:
    try:
        return float(str(value or 0))
    except ValueError:
        return 0.0


def _refusal(error: ClientError) -> StartOutcome | None:
    """What a refused StartImageScan says of this image alone; None where it says something else."""
    match _code(error):
        # The daily quota of the account has the same code; its words are not published, those of the image's are.
        case "LimitExceededException" if "per image" in _words(error):
            return StartOutcome.SCANNED_WITHIN_24_HOURS
        case "UnsupportedImageTypeException":
            return StartOutcome.UNSUPPORTED_TYPE
        case "ImageArchivedException":
            return StartOutcome.ARCHIVED
        case "ImageNotFoundException":
            return StartOutcome.IMAGE_GONE
    return None


def _translated(error: ClientError | BotoCoreError) -> RegistryError:
    if isinstance(error, BotoCoreError):  # no answer at all, or a name that boto3 does not even send
        return RegistryError(str(error))
    code = _code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    text = f"{error.operation_name}: {code}: {_words(error)}"
    if code in _SLOWER or status == 429 or status >= 500:
        return Throttled(text)
    match code:
        case "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation":
            return AccessDenied(f"the function's role lacks ecr:{error.operation_name}: {_words(error)}")
        case "RepositoryNotFoundException":
            return RepositoryGone(text)
        case "ImageNotFoundException":
            return ImageGone(text)
        case "LimitExceededException":
            return ScanQuotaReached(text)
        case "ValidationException" if "disabled" in _words(error):
            return ScanningDisabled(text)
    return RegistryError(text)


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _words(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Message", "")
