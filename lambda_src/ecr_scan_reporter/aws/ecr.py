"""Reads repositories, images, indexes and scans from Amazon ECR, and starts scans."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ecr_scan_reporter.aws.clients import error_code, read_pages
from ecr_scan_reporter.aws.ecr_errors import error_message, translated
from ecr_scan_reporter.aws.findings import PAGE_SIZE, EcrFindings, is_object, severity_counts, to_object
from ecr_scan_reporter.errors import ImageRejectedError, ScanNotFoundError
from ecr_scan_reporter.models.images import INDEX_MEDIA_TYPES, Image, IndexChild, RegistryId
from ecr_scan_reporter.models.scans import Scan, StartOutcome
from ecr_scan_reporter.shared.text import clean

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import ImageDetailTypeDef

_DIGEST = re.compile("sha256:[0-9a-f]{64}")


class EcrRegistry:
    """The ECR registry of the function's account and Region.

    Args:
        account: the id of that account.
        client: for all other calls; it retries.
        single_attempt_client: for `last_scan` and `start_scan`; `client` by default.

    Attributes:
        id: of the registry, with the Region that the clients call.
        findings: of the last scans of its images.
    """

    def __init__(self, account: str, client: Any, single_attempt_client: Any = None) -> None:
        self.id = RegistryId(account, client.meta.region_name)
        self._ecr: ECRClient = client
        self._single_attempt_ecr: ECRClient = single_attempt_client or client
        self.findings = EcrFindings(client)

    def repository_names(self) -> Iterator[str]:
        """Yield the names of all repositories, 1,000 per call.

        Raises:
            AwsError: ECR rejected a call.
        """
        with translated():
            for page in read_pages(self._ecr.describe_repositories, "nextToken", maxResults=PAGE_SIZE):
                for repository in page["repositories"]:
                    yield repository["repositoryName"]

    def image_pages(self, repository: str) -> Iterator[list[Image]]:
        """Yield the images of a repository, one per digest, in pages of 1,000; one call per page.

        Raises:
            RepositoryNotFoundError: the repository was deleted.
            AwsError: ECR rejected a call.
        """
        parameters: Any = {"repositoryName": repository, "maxResults": PAGE_SIZE}
        with translated():
            for page in read_pages(self._ecr.describe_images, "nextToken", **parameters):
                yield [_image(repository, detail) for detail in page["imageDetails"]]

    def image(self, repository: str, digest: str) -> Image:
        """Return one image.

        Raises:
            ImageNotFoundError: the image was deleted.
            RepositoryNotFoundError: the repository was deleted.
            AwsError: ECR rejected the call.
        """
        with translated():
            response = self._ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
        return _image(repository, response["imageDetails"][0])

    def last_scan(self, repository: str, digest: str) -> Scan | None:
        """Return the last scan of an image, None if it was never scanned.

        This takes one call per image, which asks for one finding: with AWS-native basic scanning, DescribeImages says
        nothing about scans. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html

        Raises:
            TransientError: the same call may succeed later.
            ImageNotFoundError: the image was deleted.
            ImageRejectedError: ECR rejected the call, or its response has no scan status.
            AwsError: ECR rejected the call for a reason that concerns every image.
        """
        try:
            with translated(of_one_image=True):
                response = self._single_attempt_ecr.describe_image_scan_findings(
                    repositoryName=repository, imageId={"imageDigest": digest}, maxResults=1
                )
        except ScanNotFoundError:
            return None
        status: Any = response.get("imageScanStatus") or {}
        if "status" not in status:
            raise ImageRejectedError(f"DescribeImageScanFindings returned no status for {digest}", "NoScanStatus")
        findings = response.get("imageScanFindings") or {}
        scan = _scan(status, findings.get("imageScanCompletedAt"))
        return scan._replace(counts=severity_counts(findings.get("findingSeverityCounts")))

    def index_manifests(self, repository: str, indexes: Sequence[str]) -> dict[str, list[IndexChild]]:
        """Return the manifests of at most 100 image indexes, by digest; one call. Deleted indexes are left out.

        ECR counts the call as a pull of each index.
        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html

        Args:
            repository: of the indexes.
            indexes: their digests.

        Raises:
            AwsError: ECR rejected the call.
        """
        with translated():
            response = self._ecr.batch_get_image(
                repositoryName=repository,
                imageIds=[{"imageDigest": digest} for digest in indexes],
                acceptedMediaTypes=sorted(INDEX_MEDIA_TYPES),
            )
        found = ((image["imageId"]["imageDigest"], image["imageManifest"]) for image in response["images"])
        return {index: list(_children(index, manifest)) for index, manifest in found}

    def supports_manual_scans(self) -> bool:
        """Return whether the registry accepts manual scans; with enhanced scanning it does not.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-enhanced.html

        Raises:
            AwsError: ECR rejected the call.
        """
        with translated():
            response = self._ecr.get_registry_scanning_configuration()
        return response.get("scanningConfiguration", {}).get("scanType") != "ENHANCED"

    def start_scan(self, repository: str, digest: str) -> StartOutcome:
        """Request a scan of one image.

        Raises:
            TransientError: the same call may succeed later.
            ImageRejectedError: ECR rejected this image for an unknown reason.
            ScanQuotaExceededError: the account seems to have no scans left today.
            ManualScanningDisabledError: the registry uses enhanced scanning.
            RepositoryNotFoundError: the repository was deleted.
            AwsError: ECR rejected the call for a reason that concerns every image.
        """
        with translated(of_one_image=True):
            try:
                self._single_attempt_ecr.start_image_scan(repositoryName=repository, imageId={"imageDigest": digest})
            except ClientError as error:
                if outcome := _per_image_outcome(error):
                    return outcome
                raise
        return StartOutcome.STARTED


def _image(repository: str, detail: "ImageDetailTypeDef") -> Image:
    summary = detail.get("imageScanFindingsSummary")
    status = detail.get("imageScanStatus")
    return Image(
        repository=repository,
        digest=detail["imageDigest"],
        tags=tuple(detail.get("imageTags", ())),
        media_type=detail.get("imageManifestMediaType"),
        artifact_media_type=detail.get("artifactMediaType"),
        subject_digest=detail.get("subjectManifestDigest"),
        archived=detail.get("imageStatus") == "ARCHIVED",
        pushed_at=detail.get("imagePushedAt"),
        pulled_at=detail.get("lastRecordedPullTime"),
        last_scan=_scan(status, summary.get("imageScanCompletedAt")) if status and summary else None,
    )


def _scan(status: Any, completed_at: datetime | None) -> Scan:
    return Scan(status["status"], completed_at, status.get("description", ""))


def _children(index: str, manifest: str) -> Iterator[IndexChild]:
    """Yield the manifests of an index. They are untrusted input: malformed ones are ignored.

    So are digests of another algorithm, which no image in ECR has.
    """
    try:
        entries = json.loads(manifest)["manifests"]
    except (KeyError, RecursionError, TypeError, ValueError):
        return
    for entry in filter(is_object, entries if isinstance(entries, list) else ()):
        digest = entry.get("digest")
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            continue
        platform, annotations = (to_object(entry.get(name)) for name in ("platform", "annotations"))
        parts = (clean(platform.get(part), 64) for part in ("os", "architecture", "variant"))
        name = "/".join(part for part in parts if part)
        # BuildKit marks its attestations in both ways.
        marked = annotations.get("vnd.docker.reference.type") == "attestation-manifest"
        yield IndexChild(index, digest, name, marked or name == "unknown/unknown")


def _per_image_outcome(error: ClientError) -> StartOutcome | None:
    """Return the outcome of a rejected StartImageScan for this image alone; None if the reason may concern others."""
    match error_code(error):
        # The account's daily quota has the same code. AWS documents only the message of the limit per image.
        case "LimitExceededException" if "per image" in error_message(error):
            return StartOutcome.SCANNED_WITHIN_24_HOURS
        case "UnsupportedImageTypeException":
            return StartOutcome.UNSUPPORTED_TYPE
        case "ImageArchivedException":
            return StartOutcome.ARCHIVED
        case "ImageNotFoundException":
            return StartOutcome.IMAGE_NOT_FOUND
    return None
