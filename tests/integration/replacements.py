"""What an instance goes through over the years, applied for real: see test_replacements.py.

It has an account of its own, so that it runs while other tests do: Terraform mostly waits.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from harness import PROVIDER, ROOT, Terraform, account

ACCOUNT = "999999999999"
NAME = "replaced"

CONFIG = f"""{PROVIDER}
variable "role_path" {{
  default = "/"
}}

variable "exclusive_role_policies" {{
  default = false
}}

variable "memory_deletion_protection" {{
  default = false
}}

module "it" {{
  source = "{ROOT}"

  name             = "{NAME}"
  email            = "platform@example.com"
  alarm_email      = "platform@example.com"
  subscriptions    = {{ tickets = {{ protocol = "sqs", endpoint = "arn:aws:sqs:eu-west-1:{ACCOUNT}:tickets" }} }}
  chat             = true
  dashboard_widget = true
  ignored_findings = [{{ id = "CVE-2026-1234", reason = "Not called.", owner = "team-a", until_fixed = true }}]

  role_path                  = var.role_path
  exclusive_role_policies    = var.exclusive_role_policies
  memory_deletion_protection = var.memory_deletion_protection
}}
"""

# Resources that are replaced together: what hangs on them has to follow. The last step has everything else. A mapping
# is replaced with its queue only, because LocalStack takes a while to forget one. EACH=1 takes each resource by itself.
STEPS = [
    r"\.aws_(cloudwatch_event_rule|cloudwatch_log_group|dynamodb_table|iam_role|sns_topic|sqs_queue"
    r"|lambda_event_source_mapping)\.",
    r"\.aws_lambda_function\.",
    r"",
]


class Seen(NamedTuple):
    """What was seen.

    Attributes:
        first_plan: the first plan, as JSON.
        resources: the values of the applied resources, by address.
        second: what Terraform printed when another workspace applied an instance of the same name.
        taken_over: what was then in the state of that workspace.
        changes: what a plan would change, by what was done before it.
        policies: the policies of a role that had two more before it became exclusive.
        failed_destroy: what Terraform printed when it was to destroy a protected table.
    """

    first_plan: dict[str, Any]
    resources: dict[str, dict[str, Any]]
    second: str
    taken_over: str
    changes: dict[str, set[str]]
    policies: list[str]
    failed_destroy: str


def live(directory: Path, environment: dict[str, str]) -> Seen:
    """Apply an instance, replace all of its resources, change inputs, and fail to destroy it."""
    (directory / "main.tf").write_text(CONFIG)
    with Terraform(directory, environment | account(ACCOUNT)) as terraform:
        return _live(terraform.run)


def _live(run: Callable[..., str]) -> Seen:
    changes = {}

    def apply(*arguments: str) -> None:
        run("apply", "-auto-approve", "-input=false", *arguments)

    def plan_again(done: str, *variables: str) -> None:
        lines = map(json.loads, run("plan", "-input=false", "-json", *variables).splitlines())
        changes[done] = {line["change"]["resource"]["addr"] for line in lines if line["type"] == "planned_change"}

    def replace(step: list[str]) -> None:
        apply(*variables, *[f"-replace={address}" for address in step])
        plan_again(f"replaced {', '.join(step)}", *variables)

    run("plan", "-input=false", "-out=first")
    first_plan = json.loads(run("show", "-json", "first"))
    run("apply", "-input=false", "first")
    resources = dict(_resources(json.loads(run("show", "-json"))["values"]["root_module"]))

    run("workspace", "new", "second")
    second = run("apply", "-auto-approve", "-input=false", fails=True)
    taken_over = run("state", "list", "-state=terraform.tfstate.d/second/terraform.tfstate")
    run("workspace", "select", "default")
    plan_again("another instance of the same name")

    *steps, last = _steps(list(resources))
    variables = ["-var=role_path=/security/"]
    for step in steps:
        replace(step)

    role = boto3.resource("iam", aws_access_key_id=ACCOUNT, aws_secret_access_key="test").Role(f"{NAME}-reporter")
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    role.Policy("extra").put(PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    role.attach_policy(PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    variables += ["-var=exclusive_role_policies=true", "-var=memory_deletion_protection=true"]
    replace(last)
    policies = [policy.policy_name for policy in [*role.policies.all(), *role.attached_policies.all()]]
    role.attach_policy(PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    plan_again("another policy of a role", *variables)

    failed_destroy = run("destroy", "-auto-approve", "-input=false", *variables, fails=True)
    apply(*variables)
    plan_again("an apply after a destroy that failed", *variables)
    return Seen(first_plan, resources, second, taken_over, changes, policies, failed_destroy)


def _steps(left: list[str]) -> Iterator[list[str]]:
    if "EACH" in os.environ:
        yield from ([address] for address in left if ".aws_lambda_event_source_mapping." not in address)
        return
    for form in STEPS:
        step = [address for address in left if re.search(form, address)]
        left = [address for address in left if address not in step]
        yield step


def _resources(module: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for resource in module.get("resources", []):
        if resource["mode"] == "managed":
            yield resource["address"], resource["values"]
    for child in module.get("child_modules", []):
        yield from _resources(child)


RENAMED_ACCOUNT = "000000000099"
RENAMED = """
module "ecr_scan_reporter" {{
  source = "{root}"
  name   = "{name}"
}}
"""
TABLE = "module.ecr_scan_reporter.aws_dynamodb_table.memory"


class Renamed(NamedTuple):
    """What was seen of the memory with the new name: the item that it had, its lifetimes, and a plan."""

    item: dict[str, Any]
    lifetime: Any
    plan: str


def rename(directory: Path, environment: dict[str, str]) -> Renamed:
    """Give an instance another name as docs/operations.md says, "Rename": its memory is restored and imported.

    The table alone: to replace all other resources takes minutes, and they have nothing that could be kept.
    """
    dynamodb = boto3.client("dynamodb", aws_access_key_id=RENAMED_ACCOUNT, aws_secret_access_key="test")
    (directory / "main.tf").write_text(PROVIDER + RENAMED.format(root=ROOT, name="old"))
    with Terraform(directory, environment | account(RENAMED_ACCOUNT)) as terraform:
        terraform.run("apply", "-auto-approve", f"-target={TABLE}")
        item = {"pk": {"S": "OVERVIEWS"}, "sk": {"S": "LAST"}}
        dynamodb.put_item(TableName="old-memory", Item=item)
        dynamodb.restore_table_to_point_in_time(
            SourceTableName="old-memory", TargetTableName="new-memory", UseLatestRestorableTime=True
        )
        dynamodb.get_waiter("table_exists").wait(TableName="new-memory")
        terraform.run("state", "rm", TABLE)
        (directory / "main.tf").write_text(PROVIDER + RENAMED.format(root=ROOT, name="new"))
        terraform.run("import", TABLE, "new-memory")
        terraform.run("apply", "-auto-approve", f"-target={TABLE}")
        return Renamed(
            dynamodb.get_item(TableName="new-memory", Key=item)["Item"],
            dynamodb.describe_time_to_live(TableName="new-memory")["TimeToLiveDescription"],
            terraform.run("plan", f"-target={TABLE}"),
        )
