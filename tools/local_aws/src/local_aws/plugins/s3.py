"""LocalStack's S3, which has the code of the functions. Its objects are in the state directory."""

from localstack.services.plugins import Service, aws_provider


@aws_provider(api="s3", name="local_aws")
def s3() -> Service:
    """Make the service when LocalStack loads it."""
    from localstack.services.s3.provider import S3Provider
    from localstack.services.s3.storage.ephemeral import EphemeralS3ObjectStore

    # The default directory is common to all LocalStack processes of the machine, and none of them removes it.
    return Service.for_provider(S3Provider(EphemeralS3ObjectStore()))
