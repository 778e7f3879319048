"""Write docs/permissions.json and the table of docs/permissions.md: what whoever applies the module has to be allowed.

Both are derived from the resource types in the .tf files, each of which has its actions here. The integration tests
hold the actions to the calls that Terraform makes.

`permissions.py --check` writes nothing and fails if a file is stale.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from generated import with_part, write_or_check

ROOT = Path(__file__).resolve().parent.parent
PAGE, POLICY = ROOT / "docs" / "permissions.md", ROOT / "docs" / "permissions.json"


class Place(NamedTuple):
    """What a statement of the policy is about.

    Args:
        arn: of its resources, with names that the reader fills in. IAM knows no resources of some actions.
        condition: of the statement.
    """

    arn: str = "*"
    condition: dict[str, Any] | None = None


_FUNCTIONS = "arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME-*"
_MAPPINGS = "arn:PARTITION:lambda:REGION:ACCOUNT:event-source-mapping:*"
_TABLE = "arn:PARTITION:dynamodb:REGION:ACCOUNT:table/NAME-memory"
_ROLES = "arn:PARTITION:iam::ACCOUNT:role/NAME-*"
_OF_FUNCTION = {"ArnLike": {"lambda:FunctionArn": _FUNCTIONS}}

# By the Sid of the statement.
PLACES = {
    "Alarms": Place("arn:PARTITION:cloudwatch:REGION:ACCOUNT:alarm:NAME-*"),
    "Dashboard": Place("arn:PARTITION:cloudwatch::ACCOUNT:dashboard/NAME-REGION"),
    "Functions": Place(_FUNCTIONS),
    "LogGroups": Place("arn:PARTITION:logs:REGION:ACCOUNT:log-group:/aws/lambda/NAME-*"),
    "Mappings": Place(_MAPPINGS, _OF_FUNCTION),
    "MappingTags": Place(_MAPPINGS),
    "NewMappings": Place("*", _OF_FUNCTION),
    "PassRoles": Place(_ROLES, {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}),
    "Queues": Place("arn:PARTITION:sqs:REGION:ACCOUNT:NAME-*"),
    # Who has these decides what the functions may do. IAM knows the permissions boundary of the role as a condition.
    "RolePolicies": Place(_ROLES),
    "Roles": Place(_ROLES),
    "Rules": Place("arn:PARTITION:events:REGION:ACCOUNT:rule/NAME-*"),
    "Table": Place(_TABLE),
    # The rules of ignored_findings, and no other item.
    "TableItems": Place(_TABLE, {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["IGNORED"]}}),
    "Topics": Place("arn:PARTITION:sns:REGION:ACCOUNT:NAME-*"),
    "WithoutResource": Place(),
}

# By the type of a resource or data source: the actions of a service, on a place.
GRANTS: dict[str, dict[str, str]] = {
    "aws_cloudwatch_dashboard": {"Dashboard": "cloudwatch: PutDashboard GetDashboard DeleteDashboards"},
    "aws_cloudwatch_event_rule": {
        "Rules": "events: PutRule DescribeRule DeleteRule ListTagsForResource TagResource UntagResource"
    },
    "aws_cloudwatch_event_target": {"Rules": "events: PutTargets ListTargetsByRule RemoveTargets"},
    "aws_cloudwatch_log_group": {
        "LogGroups": "logs: CreateLogGroup DeleteLogGroup PutRetentionPolicy DeleteRetentionPolicy "
        "ListTagsForResource TagResource UntagResource",
        "WithoutResource": "logs: DescribeLogGroups",
    },
    "aws_cloudwatch_metric_alarm": {
        "Alarms": "cloudwatch: PutMetricAlarm DeleteAlarms ListTagsForResource TagResource UntagResource",
        # Not limited to the alarms' names: whether IAM accepts that for a list is not known.
        "WithoutResource": "cloudwatch: DescribeAlarms",
    },
    "aws_cloudwatch_query_definition": {
        "WithoutResource": "logs: PutQueryDefinition DescribeQueryDefinitions DeleteQueryDefinition"
    },
    "aws_dynamodb_table": {
        "Table": "dynamodb: CreateTable DescribeTable UpdateTable DeleteTable DescribeContinuousBackups "
        "UpdateContinuousBackups DescribeTimeToLive UpdateTimeToLive ListTagsOfResource TagResource UntagResource"
    },
    "aws_dynamodb_table_item": {"TableItems": "dynamodb: GetItem PutItem UpdateItem DeleteItem"},
    "aws_iam_role": {
        "RolePolicies": "iam: CreateRole PutRolePermissionsBoundary DeleteRolePermissionsBoundary",
        "Roles": "iam: GetRole UpdateRole UpdateAssumeRolePolicy DeleteRole TagRole UntagRole ListRolePolicies "
        "ListAttachedRolePolicies ListInstanceProfilesForRole",
    },
    "aws_iam_role_policies_exclusive": {"RolePolicies": "iam: DeleteRolePolicy", "Roles": "iam: ListRolePolicies"},
    "aws_iam_role_policy": {"RolePolicies": "iam: PutRolePolicy DeleteRolePolicy", "Roles": "iam: GetRolePolicy"},
    "aws_iam_role_policy_attachments_exclusive": {
        "RolePolicies": "iam: DetachRolePolicy",
        "Roles": "iam: ListAttachedRolePolicies",
    },
    "aws_lambda_event_source_mapping": {
        "NewMappings": "lambda: CreateEventSourceMapping",
        "Mappings": "lambda: GetEventSourceMapping UpdateEventSourceMapping DeleteEventSourceMapping",
        "MappingTags": "lambda: ListTags TagResource UntagResource",
    },
    "aws_lambda_function": {
        "Functions": "lambda: CreateFunction GetFunction GetFunctionConfiguration UpdateFunctionCode "
        "UpdateFunctionConfiguration DeleteFunction ListVersionsByFunction GetFunctionCodeSigningConfig "
        "PutFunctionConcurrency DeleteFunctionConcurrency ListTags TagResource UntagResource",
        "PassRoles": "iam: PassRole",
    },
    "aws_lambda_function_event_invoke_config": {
        "Functions": "lambda: PutFunctionEventInvokeConfig GetFunctionEventInvokeConfig "
        "UpdateFunctionEventInvokeConfig DeleteFunctionEventInvokeConfig"
    },
    "aws_lambda_permission": {"Functions": "lambda: AddPermission GetPolicy RemovePermission"},
    "aws_sns_topic": {
        "Topics": "sns: CreateTopic GetTopicAttributes SetTopicAttributes DeleteTopic ListTagsForResource TagResource "
        "UntagResource"
    },
    "aws_sns_topic_subscription": {
        "Topics": "sns: Subscribe ListSubscriptionsByTopic",
        "WithoutResource": "sns: GetSubscriptionAttributes SetSubscriptionAttributes Unsubscribe",
    },
    "aws_sqs_queue": {
        "Queues": "sqs: CreateQueue GetQueueAttributes GetQueueUrl SetQueueAttributes DeleteQueue ListQueueTags "
        "TagQueue UntagQueue"
    },
    # AWS lets everyone ask who they are, and the provider knows the services itself.
    "aws_caller_identity": {},
    "aws_service": {},
}


def resource_types() -> set[str]:
    """Return the types of all resources and data sources of the module and its parts."""
    texts = [path.read_text() for path in [*ROOT.glob("*.tf"), *ROOT.glob("modules/*/*.tf")]]
    return {name for text in texts for name in re.findall(r'^(?:resource|data) "(\w+)"', text, re.MULTILINE)}


def grants() -> Iterator[tuple[str, str, list[str]]]:
    """Yield (type, place, actions) of all types of the module, in their order.

    Raises:
        SystemExit: a type has no entry in GRANTS, or an entry has no resource.
    """
    types = resource_types()
    if types != GRANTS.keys():
        missing, superfluous = sorted(types - GRANTS.keys()), sorted(GRANTS.keys() - types)
        sys.exit(f"GRANTS in scripts/permissions.py lacks {missing}, and no .tf file has {superfluous}")
    for kind in sorted(GRANTS):
        for place, text in GRANTS[kind].items():
            service, _, names = text.partition(": ")
            yield kind, place, [f"{service}:{name}" for name in names.split()]


def allowed() -> set[str]:
    """Return all actions of the policy."""
    return {action for _, _, actions in grants() for action in actions}


def policy() -> dict[str, Any]:
    """Return the policy: one statement per place."""
    found: dict[str, set[str]] = defaultdict(set)
    for _, place, actions in grants():
        found[place].update(actions)
    statements = [
        {"Sid": sid, "Effect": "Allow", "Action": sorted(found[sid]), "Resource": place.arn}
        | ({"Condition": place.condition} if place.condition else {})
        for sid, place in PLACES.items()
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def page(text: str) -> str:
    """Return the text of the page with the current table."""
    rows = [f"| `{kind}` | {place} | {' '.join(f'`{a}`' for a in actions)} |" for kind, place, actions in grants()]
    return with_part(text, "permissions.py", ["| resource | statement | actions |", "|---|---|---|", *rows])


if __name__ == "__main__":
    write_or_check({POLICY: json.dumps(policy(), indent=2) + "\n", PAGE: page(PAGE.read_text())})
