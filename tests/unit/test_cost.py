"""docs/cost.md has the numbers that the script computes from what the benchmark measured."""

import re
from pathlib import Path

import cost
import pytest
from ecr_scan_reporter.aws import metrics

ROOT = Path(__file__).resolve().parents[2]


def test_table_is_what_the_script_computes() -> None:
    page = cost.PAGE.read_text()
    table = page[page.index("<!-- cost.py --document -->") : page.index("<!-- end -->")]
    assert "| **all** | $" in table
    expected = cost.documented(page, cost.Figures.from_json(cost.FIGURES.read_text()))
    assert page == expected, "run `make reference`, and commit docs/cost.md"


def test_metrics_are_those_that_the_functions_write() -> None:
    page = (ROOT / "docs" / "how-it-works.md").read_text()
    table = page[page.index("| metric | written |") :].partition("\n\n")[0]
    lines = [line.split("|")[1:3] for line in table.splitlines()[2:]]
    found = {name: "always" in how for cell, how in lines for name in re.findall("`([A-Za-z]+)`", cell)}
    always = {name for name, is_always in found.items() if is_always}
    dashboard = re.search(
        r"dashboard_metrics = \{ for name in \[(.*?)\]", (ROOT / "dashboard.tf").read_text(), re.DOTALL
    )
    assert dashboard
    assert set(re.findall('"([A-Za-z]+)"', dashboard[1])) == always == metrics.ALWAYS_METRICS
    assert (len(always), len(found)) == (cost.METRICS, cost.DETAILED_METRICS)


def test_alarms_are_those_that_terraform_creates() -> None:
    # tests/alarms.tftest.hcl compares these with the alarms that a plan has.
    tests = (ROOT / "tests" / "alarms.tftest.hcl").read_text()
    assert len(re.findall(r'^ +scan-[a-z-]+ += "(?:AWS/|EcrScan)', tests, re.M)) == cost.ALARMS
    assert f"length(aws_cloudwatch_metric_alarm.this) == {cost.DETAILED_ALARMS}\n" in tests


def test_document_says_how_many_metrics_and_alarms_there_are() -> None:
    page = cost.PAGE.read_text()
    assert f"{cost.METRICS} metrics and {cost.ALARMS} alarms" in page
    assert f"{cost.DETAILED_METRICS} metrics and {cost.DETAILED_ALARMS} alarms" in page
    more = (cost.DETAILED_METRICS - cost.METRICS) * cost.PRICES["metric"]
    more += (cost.DETAILED_ALARMS - cost.ALARMS) * cost.PRICES["alarm"]
    assert f"${more:.2f} more" in page


def test_small_registry_costs_no_more_than_is_promised() -> None:
    figures = cost.Figures.from_json(cost.FIGURES.read_text())
    bill = sum(line.dollars for line in cost.monthly_cost(figures, 1_000, changed=0.1, subscribers=10))
    assert bill <= 3.50
    assert f"${bill:.2f} a month" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    ("price", "number", "text"),
    [
        ("dynamodb write unit", 1e6, "${:.3f} per million write units"),
        ("dynamodb read unit", 1e6, "${:.3f} per million read units"),
        ("dynamodb GB-month", 1, "${:.2f} per GB and month after 25 GB"),
        ("dynamodb point-in-time recovery GB-month", 1, "point-in-time recovery ${:.2f} per GB and month"),
        ("lambda request", 1e6, "${:.2f} per million invocations"),
        ("lambda GB-second", 1, "${:.10f} per GB-second on arm64"),
        ("sqs request", 1e6, "${:.2f} per million requests"),
        ("sns request", 1e6, "${:.2f} per million messages"),
        ("sns email", 1e5, "email ${:.2f} per 100,000"),
        ("logs GB", 1, "| CloudWatch Logs | ${:.2f} per GB |"),
        ("metric", 1, "${:.2f} per metric and month"),
        ("alarm", 1, "${:.2f} per alarm and month"),
    ],
)
def test_prices_in_the_document_are_those_of_the_script(price: str, number: float, text: str) -> None:
    assert text.format(cost.PRICES[price] * number) in cost.PAGE.read_text()
