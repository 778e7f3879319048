"""Another name replaces everything, but the memory can be kept: the way in docs/operations.md, "Rename"."""

import os
from functools import partial
from pathlib import Path

import boto3
import pytest
from harness import PROVIDER, ROOT, RUN, terraform
from local_aws import LocalAws

CONFIG = """
module "ecr_scan_reporter" {{
  source = "{root}"
  name   = "{name}"
}}
"""
TABLE = "module.ecr_scan_reporter.aws_dynamodb_table.memory"


def test_renamed_module_keeps_its_memory(local_aws: LocalAws | None, aws: dict[str, str], tmp_path: Path) -> None:
    if not local_aws:
        pytest.skip("the endpoint may not have an account for each access key")
    account = {**aws, "AWS_ACCESS_KEY_ID": "000000000099", "AWS_SECRET_ACCESS_KEY": "test"}
    dynamodb = boto3.client(
        "dynamodb",
        aws_access_key_id=account["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=account["AWS_SECRET_ACCESS_KEY"],
    )
    old, new = f"{RUN}-old", f"{RUN}-new"
    run = partial(terraform, tmp_path, {**os.environ, **account})
    # The table alone: to replace all other resources takes minutes, and they have nothing that could be kept.
    apply = partial(run, "apply", "-auto-approve", f"-target={TABLE}")
    (tmp_path / "main.tf").write_text(PROVIDER + CONFIG.format(root=ROOT, name=old))
    run("init", "-input=false")
    apply()
    item = {"pk": {"S": "OVERVIEWS"}, "sk": {"S": "LAST"}}
    dynamodb.put_item(TableName=f"{old}-memory", Item=item)

    dynamodb.restore_table_to_point_in_time(
        SourceTableName=f"{old}-memory", TargetTableName=f"{new}-memory", UseLatestRestorableTime=True
    )
    dynamodb.get_waiter("table_exists").wait(TableName=f"{new}-memory")
    run("state", "rm", TABLE)
    (tmp_path / "main.tf").write_text(PROVIDER + CONFIG.format(root=ROOT, name=new))
    run("import", TABLE, f"{new}-memory")
    apply()

    assert dynamodb.get_item(TableName=f"{new}-memory", Key=item)["Item"] == item
    lifetime = dynamodb.describe_time_to_live(TableName=f"{new}-memory")["TimeToLiveDescription"]
    assert lifetime == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    assert "No changes" in run("plan", f"-target={TABLE}")
