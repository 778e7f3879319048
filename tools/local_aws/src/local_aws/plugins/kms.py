"""LocalStack's KMS, which creates keys on Python 3.12 and newer only, made to create them on 3.11 as well."""

import uuid
from typing import Any

from localstack.services.plugins import Service, aws_provider


@aws_provider(api="kms", name="local_aws")
def kms() -> Service:
    """Make the service when LocalStack loads it."""
    from localstack.services.kms.models import KmsKey
    from localstack.services.kms.provider import KmsProvider

    def generate_key_material_id(key: Any, key_material: bytes) -> str:
        # LocalStack passes bytes, which uuid5 takes since Python 3.12.
        return uuid.uuid5(key._internal_key_id, key_material.hex()).hex * 2

    KmsKey.generate_key_material_id = generate_key_material_id
    return Service.for_provider(KmsProvider())
