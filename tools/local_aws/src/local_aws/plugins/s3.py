"""S3, where LocalStack keeps the functions' code: its own, but with the state directory for the objects."""

from localstack.services.plugins import Service, aws_provider


@aws_provider(api="s3", name="local_aws")
def s3() -> Service:
    """Make the service, when LocalStack loads it."""
    from localstack.services.s3.provider import S3Provider
    from localstack.services.s3.storage.ephemeral import EphemeralS3ObjectStore

    # By default it is one directory for every LocalStack on the machine, which outlives them all.
    return Service.for_provider(S3Provider(EphemeralS3ObjectStore()))
