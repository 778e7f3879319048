"""Plans can be read, resources can be replaced, and a name is taken once. See replacements.py."""

import re
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from replacements import ACCOUNT, NAME, Seen

# Attributes that the module sets and the first plan does not know. All but the last line refer to other resources.
UNKNOWN = {
    ("aws_cloudwatch_event_target", "arn"),
    ("aws_cloudwatch_event_target", "dead_letter_config"),
    ("aws_cloudwatch_event_target", "rule"),
    ("aws_cloudwatch_metric_alarm", "alarm_actions"),
    ("aws_cloudwatch_metric_alarm", "insufficient_data_actions"),
    ("aws_cloudwatch_metric_alarm", "ok_actions"),
    ("aws_dynamodb_table_item", "table_name"),
    ("aws_iam_role_policy", "role"),
    ("aws_lambda_event_source_mapping", "event_source_arn"),
    ("aws_lambda_event_source_mapping", "function_name"),
    ("aws_lambda_function", "environment"),
    ("aws_lambda_function", "role"),
    ("aws_lambda_function_event_invoke_config", "destination_config"),
    ("aws_lambda_function_event_invoke_config", "function_name"),
    ("aws_lambda_permission", "function_name"),
    ("aws_lambda_permission", "source_arn"),
    ("aws_sns_topic_subscription", "topic_arn"),
    # Null, or a block of which the provider adds what the module leaves out.
    ("aws_dynamodb_table", "point_in_time_recovery"),
    ("aws_dynamodb_table", "server_side_encryption"),
    ("aws_sns_topic_subscription", "filter_policy_scope"),
}
DOCUMENTS = {"policy", "redrive_policy", "redrive_allow_policy", "dashboard_body"}


@pytest.fixture
def seen(life: Future[Seen] | None) -> Seen:
    """What was seen, once all of it is done."""
    if life is None:
        pytest.skip("the endpoint may not have an account for each access key")
    return life.result()


def configured(module: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield what a configuration sets: the type and the name of a resource, and the attribute."""
    for resource in module.get("resources", []):
        yield from ((resource["type"], resource["name"], name) for name in resource.get("expressions", {}))
    for call in module.get("module_calls", {}).values():
        yield from configured(call["module"])


def unknown(value: Any) -> bool:
    """Return whether an entry of `after_unknown` marks something as unknown."""
    nested = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return value is True or any(map(unknown, nested))


def test_first_plan_knows_all_but_references(seen: Seen) -> None:
    found = {
        (change["type"], change["name"], attribute)
        for change in seen.first_plan["resource_changes"]
        for attribute, value in change["change"]["after_unknown"].items()
        if unknown(value)
    }
    found &= set(configured(seen.first_plan["configuration"]["root_module"]))
    assert {(type_, attribute) for type_, _, attribute in found} == UNKNOWN


def test_composed_arns_are_those_of_the_resources(seen: Seen) -> None:
    arns = {values["arn"] for values in seen.resources.values() if "arn" in values}
    named = {
        arn.removesuffix(":*")
        for values in seen.resources.values()
        for attribute in DOCUMENTS & values.keys()
        for arn in re.findall(r'arn:[^"]+', values[attribute] or "")
    }
    assert len(named & arns) > 10
    here = f"eu-west-1:{ACCOUNT}"
    assert named - arns == {f"arn:aws:ecr:{here}:repository/*", f"arn:aws:cloudwatch:{here}:alarm:{NAME}-*"}


def test_second_instance_of_a_name_fails_before_it_changes_anything(seen: Seen) -> None:
    errors = re.findall(r"^.?\s*Error: (.+)$", seen.second, re.MULTILINE)
    assert len(errors) == 1
    assert f"{NAME}-memory" in errors[0]
    assert "set another `name`" in seen.second
    assert [address for address in seen.taken_over.splitlines() if ".data." not in address] == []
    assert seen.changes["another instance of the same name"] == set()


def test_what_hangs_on_a_replaced_resource_is_replaced_with_it(seen: Seen) -> None:
    replaced = {done: changes for done, changes in seen.changes.items() if done.startswith("replaced ")}
    assert len(replaced) >= 3
    assert {done: changes for done, changes in replaced.items() if changes} == {}


def test_exclusive_role_has_no_other_policy(seen: Seen) -> None:
    assert seen.policies == [f"{NAME}-reporter"]
    assert seen.changes["another policy of a role"] == {
        "module.it.module.reporter.aws_iam_role_policy_attachments_exclusive.this[0]"
    }


def test_one_apply_restores_what_a_failed_destroy_removed(seen: Seen) -> None:
    assert f"deleting AWS DynamoDB Table ({NAME}-memory)" in seen.failed_destroy
    assert "protect" in seen.failed_destroy.lower()
    assert seen.changes["an apply after a destroy that failed"] == set()
