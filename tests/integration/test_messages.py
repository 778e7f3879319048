"""What Terraform says about invalid inputs: one message for each, in the module's words, at the line of the caller."""

import json
from pathlib import Path

import pytest
from harness import ROOT, Terraform

ATTRIBUTES = "endpoint, filter_policy, filter_policy_scope, protocol, raw_message_delivery, subscription_role_arn"
# Inputs, and what is said about them.
INVALID = {
    "tags = { Owner = null }": "tags has null as Owner; expected a text, or no such tag.",
    'tags = { Team = "a", team = "b", other = "c" }': (
        "tags has Team, team; expected keys that differ in more than upper and lower case."
    ),
    "subscriptions = { a = null }": (
        "subscriptions has null as a; expected an object with protocol and endpoint, or no such key."
    ),
    'subscriptions = { a = { protocol = "sms", endpoint = "+15550100", filterpolicy = "{}" } }': (
        f"subscriptions has filterpolicy (a); expected {ATTRIBUTES}."
    ),
    "fix_within = { LOW = null }": (
        'fix_within is {"LOW":null}; '
        'expected whole numbers of days from 1 to 3650, "catalog" for KEV, or null for none.'
    ),
    "ignored_findings = [null]": "ignored_findings has null as rule 0; expected an object, or no such rule.",
    'vpc_config = { subnet_ids = ["a", null], security_group_ids = ["b"] }': (
        'vpc_config is {"security_group_ids":["b"],"subnet_ids":["a",null]}; '
        "expected at least one subnet and one security group, and no null among them; or null."
    ),
    'vpc_config = { subnet_ids = ["a"], security_group_ids = ["b"], subnets = ["c"] }': (
        "vpc_config has subnets; expected security_group_ids, subnet_ids."
    ),
    "environment_variables = { AB = null }": (
        "environment_variables has null as AB; expected a text, or no such variable."
    ),
    "alarm_actions = [null]": "alarm_actions is [null]; expected at most four ARNs.",
    "images_selection = { newst = 10 }": (
        "images_selection has newst; expected newest, pulled_within, pushed_within, tag_regexp, tagged_only."
    ),
    "images_selection = { newest = 1.5 }": (
        "images_selection has newest 1.5; expected a whole number from 1, or null for all."
    ),
    "functions = { reportr = {} }": ("functions has reportr; expected images_scanner, reporter, repositories_scanner."),
    "functions = { reporter = { memry = 512 } }": (
        "functions has memry (reporter); expected concurrency, memory, threads, timeout (images_scanner); "
        "concurrency, memory, timeout (reporter); concurrency, memory, threads, timeout (repositories_scanner)."
    ),
    "functions = { reporter = { memory = 127 }, images_scanner = {} }": (
        "functions has memory 127 (reporter); expected a whole number of MB from 128 to 10240."
    ),
    'repositories_filter_regexp = "*"': (
        'repositories_filter_regexp is "*"; expected a Python regular expression, such as "team-a/", without a '
        "repeated repetition such as (a+)+."
    ),
    'rate = "cron(0 25 * 13 ? *)"': (
        'rate is "cron(0 25 * 13 ? *)"; expected hours 0 to 23, and month 1 to 12 or JAN to DEC; '
        "lists (1,15), ranges (1-5) and steps (0/15) of them; * for all."
    ),
    'overview_schedule = "cron(0 7 ? * 8 *)"': (
        'overview_schedule is "cron(0 7 ? * 8 *)"; expected day of week 1 to 7, SUN to SAT, L, 6L, 2#3 or ?; '
        "lists (1,15), ranges (1-5) and steps (0/15) of them; * for all."
    ),
}


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, str]]:
    """The file, the title and the text of each error about a configuration with all these inputs."""
    directory: Path = tmp_path_factory.mktemp("invalid")
    calls = [f'module "m{number}" {{\n  source = "{ROOT}"\n  {given}\n}}\n' for number, given in enumerate(INVALID)]
    (directory / "main.tf").write_text("\n".join(calls))
    with Terraform(directory, {}) as terraform:
        found = json.loads(terraform.run("validate", "-json", fails=True))["diagnostics"]
    return [
        (entry["range"]["filename"], entry["summary"], entry["detail"].partition("\n\nThis was checked")[0])
        for entry in found
    ]


def test_each_invalid_input_has_one_message(messages: list[tuple[str, str, str]]) -> None:
    assert sorted(messages) == sorted(("main.tf", "Invalid value for variable", text) for text in INVALID.values())
