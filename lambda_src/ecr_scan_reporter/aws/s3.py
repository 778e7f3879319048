"""Writes objects to a bucket of Amazon S3. An object that is there already stays as it is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from ecr_scan_reporter.aws.clients import error_code
from ecr_scan_reporter.errors import AccessDeniedError, AwsError, UploadGoneError

# The codes of errors after which an upload has to begin again; with ConditionalRequestConflict, S3 asks for that.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
_GONE = ("NoSuchUpload", "ConditionalRequestConflict", "InvalidPart", "InvalidPartOrder")


class Part(NamedTuple):
    """A part of an upload, as S3 named it. `crc32` is its checksum; "" if S3 names none."""

    etag: str
    crc32: str = ""


class Bucket:
    """A bucket, to which objects are written once.

    Every method raises AwsError if S3 rejects a call, or AccessDeniedError if the role, the bucket or the key does not
    permit it.

    Args:
        client: for all calls.
        name: of the bucket.
        owner: the account that it is expected to be in: S3 rejects calls if someone else has it.
        kms_key_arn: of the key that encrypts the objects; "" for the bucket's own encryption.
    """

    def __init__(self, client: Any, name: str, owner: str, kms_key_arn: str = "") -> None:
        self._s3 = client
        self._bucket = {"Bucket": name, "ExpectedBucketOwner": owner}
        self._encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_arn} if kms_key_arn else {}

    def put(self, key: str, body: bytes, content_type: str) -> bool:
        """Write an object; return whether there was none."""
        new = {"ContentType": content_type, **self._encryption}
        return self._write("put_object", Key=key, Body=body, **new)

    def begin(self, key: str, content_type: str) -> str:
        """Begin to upload an object in parts; return the id of the upload."""
        with _translated():
            new = {"ContentType": content_type, **self._encryption}
            return str(self._s3.create_multipart_upload(**self._bucket, Key=key, **new)["UploadId"])

    def add_part(self, key: str, upload: str, number: int, body: bytes) -> Part:
        """Upload a part, or upload it again.

        Args:
            key: of the object.
            upload: the id.
            number: of the part, from 1.
            body: at least 5 MiB, unless this is the last part.

        Raises:
            UploadGoneError: there is no such upload any more.
        """
        with _translated():
            part = self._s3.upload_part(**self._bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)
            return Part(part["ETag"], part.get("ChecksumCRC32", ""))

    def complete(self, key: str, upload: str, parts: Sequence[Part]) -> bool:
        """Make an object of the parts; return whether there was none.

        Raises:
            UploadGoneError: there is no such upload any more, or one of its parts is another one.
        """
        # botocore asks for checksums of the parts where it knows of them; S3 then wants to have each of them repeated.
        named = [
            {"PartNumber": n, "ETag": part.etag, **({"ChecksumCRC32": part.crc32} if part.crc32 else {})}
            for n, part in enumerate(parts, start=1)
        ]
        made = self._write("complete_multipart_upload", Key=key, UploadId=upload, MultipartUpload={"Parts": named})
        if not made:
            with _translated():
                self._s3.abort_multipart_upload(**self._bucket, Key=key, UploadId=upload)
        return made

    def _write(self, operation: str, **parameters: Any) -> bool:
        with _translated():
            try:
                getattr(self._s3, operation)(**self._bucket, IfNoneMatch="*", **parameters)
            except ClientError as error:
                if error_code(error) != "PreconditionFailed":
                    raise
                return False
        return True


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except BotoCoreError as error:
        raise AwsError(f"S3: {error}") from error
    except ClientError as error:
        if error_code(error) in ("AccessDenied", "403"):
            raise AccessDeniedError(
                f"S3 denied {error.operation_name}: the role, the bucket's policy or its key does not allow it, "
                f"or the bucket is in another account: {error}"
            ) from error
        kind = UploadGoneError if error_code(error) in _GONE else AwsError
        raise kind(f"S3: {error}") from error
