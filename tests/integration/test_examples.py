"""The examples can be applied, and need no second apply.

Each has an AWS account of its own, so that they can be applied at the same time: Terraform mostly waits. They are not
destroyed, because their accounts end with the local AWS: at another endpoint these tests are skipped.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from harness import ROOT
from local_aws import LocalAws

EXAMPLES = sorted(path.name for path in (ROOT / "examples").iterdir())


# What LocalStack does not keep, so that another plan sets it again.
NOT_KEPT = {
    ("aws_cloudwatch_metric_alarm", "tags"),
    ("aws_cloudwatch_metric_alarm", "tags_all"),
    ("aws_lambda_function", "kms_key_arn"),
}


def second_plan(name: str, state: Path, environment: dict[str, str]) -> set[tuple[str, str]]:
    """Apply an example, and return the types and attributes that another plan changes."""
    # LocalStack takes an access key of twelve digits for the number of the account.
    account = {"AWS_ACCESS_KEY_ID": f"{EXAMPLES.index(name) + 1:012}", "AWS_SECRET_ACCESS_KEY": "test"}
    environment = {**os.environ, **environment, **account, "TF_DATA_DIR": str(state / "data")}
    state_file = f"-state={state / 'terraform.tfstate'}"

    def terraform(*arguments: str) -> str:
        command = [str(ROOT / "scripts" / "terraform"), f"-chdir={ROOT / 'examples' / name}", *arguments, "-no-color"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"terraform {arguments[0]} failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    terraform("init", "-input=false")
    terraform("apply", "-auto-approve", "-input=false", state_file)
    terraform("plan", "-input=false", state_file, f"-out={state / 'plan'}")
    changes = json.loads(terraform("show", "-json", str(state / "plan")))["resource_changes"]
    return {
        (change["type"], attribute)
        for change in changes
        for before, after in [(change["change"]["before"] or {}, change["change"]["after"] or {})]
        for attribute in before.keys() | after.keys()
        if before.get(attribute) != after.get(attribute)
    }


@pytest.fixture(scope="session")
def plans(
    local_aws: LocalAws | None, aws: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[set[tuple[str, str]]]]]:
    """What each example's second plan changes, as soon as there is one."""
    if local_aws is None:
        pytest.skip("the endpoint may not have an account for each access key")
    with ThreadPoolExecutor(len(EXAMPLES)) as executor:
        yield {name: executor.submit(second_plan, name, tmp_path_factory.mktemp(name), aws) for name in EXAMPLES}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_applied_and_needs_no_second_apply(
    name: str, plans: dict[str, Future[set[tuple[str, str]]]]
) -> None:
    assert plans[name].result() - NOT_KEPT == set()
