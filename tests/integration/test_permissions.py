"""Whoever applies the module may make each call that Terraform has made: the last test. See conftest.py."""

from concurrent.futures import Future, wait
from typing import Any

import permissions
import pytest
from harness import Module
from local_aws import LocalAws
from replacements import ACCOUNT, Renamed, Seen

# What else the examples have: a key, and channels.
OTHERS = ("kms:", "chatbot:")
# AWS lets everyone ask who they are. With the provider of the tests, which checks no credentials, the user is asked for
# first, and it goes on if that is denied.
FREE = {"sts:GetCallerIdentity", "iam:GetUser"}


def test_policy_allows_every_call_of_terraform(
    local_aws: LocalAws | None,
    module: Module,
    life: Future[Seen] | None,
    second_plans: dict[str, Future[set[tuple[str, str]]]],
    renamed: Future[Renamed],
) -> None:
    if local_aws is None or life is None:
        pytest.skip("only the local AWS of the tests records the calls")
    module.destroy()
    ended: list[Future[Any]] = [life, renamed, *second_plans.values()]
    wait(ended)
    calls = local_aws.terraform_calls()
    assert "lambda:CreateFunction" in calls[ACCOUNT]
    assert "lambda:DeleteFunction" in calls[ACCOUNT]
    examples = {f"{number + 1:012}" for number in range(len(second_plans))}
    made = {
        call
        for account, found in calls.items()
        for call in found
        if not (account in examples and call.startswith(OTHERS))
    }
    assert made - FREE - permissions.allowed() == set()
