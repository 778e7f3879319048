"""The examples can be applied, and need no second apply. See conftest.py: they are applied while other tests run."""

from concurrent.futures import Future

import pytest
from harness import EXAMPLES

# What LocalStack does not keep, so that another plan sets it again.
NOT_KEPT = {
    ("aws_cloudwatch_metric_alarm", "tags"),
    ("aws_cloudwatch_metric_alarm", "tags_all"),
    ("aws_lambda_function", "kms_key_arn"),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_applied_and_needs_no_second_apply(
    name: str, second_plans: dict[str, Future[set[tuple[str, str]]]]
) -> None:
    if not second_plans:
        pytest.skip("the endpoint may not have an account for each access key")
    assert second_plans[name].result() - NOT_KEPT == set()
