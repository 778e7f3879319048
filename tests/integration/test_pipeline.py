"""The whole module at work: from the schedule to the report.

These tests spend most of their time waiting, so the waits overlap: the `incidents`, of which test_failures.py has the
tests, start as soon as the module is applied.
"""

import csv
import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import urlopen

import boto3
import pytest
from harness import RUN, Inbox, Incidents, Module, Seed, idle, send, start_run, wait_until
from local_aws import Finding, LocalAws, NotSupportedError, RegistryClient


def _scheduled(registry: RegistryClient) -> list[str]:
    """Return the digests of all scans in repositories that the schedule may match."""
    return [scan.digest for scan in registry.scans_started() if scan.repository.startswith(f"{RUN}/")]


def test_plan_after_the_apply_has_no_changes(incidents: Incidents, module: Module) -> None:
    assert "No changes." in module.plan()


@pytest.fixture(scope="session")
def scheduled(incidents: Incidents, module: Module, registry: RegistryClient, seeded: Seed) -> list[str]:
    """The scans that the schedule starts. From then on only tests do: a run that another overtakes takes longer."""
    due = set(seeded.due.values())
    wait_until(lambda: due <= set(_scheduled(registry)), "the scans of all due images are started")
    boto3.client("events").disable_rule(Name=module.outputs["schedule_rule_name"])
    return _scheduled(registry)


def test_schedule_starts_the_scans_of_all_due_images(scheduled: list[str], seeded: Seed) -> None:
    assert sorted(scheduled) == sorted(seeded.due.values())


def test_first_run_is_reported_as_one_inventory(
    incidents: Incidents, seeded: Seed, inbox: Inbox, local_aws: LocalAws | None
) -> None:
    reports = wait_until(inbox.reports, "the first run is reported")
    assert len(reports) == 1
    [report] = reports
    if report["inventory"] is None:
        raise NotSupportedError("the registry cannot have images that were pushed before the module was installed")
    assert (report["images"], report["failed_scans"]) == ([], [])
    assert report["inventory"]["counts"] == {"CRITICAL": 1, "HIGH": 1, "MEDIUM": 1}
    assert [image["digest"] for image in report["inventory"]["worst_images"]] == [
        seeded.due[severity] for severity in ("critical", "high", "medium")
    ]
    images = {
        entry["repository"]: (entry["images"], entry["failed_scans"]) for entry in report["inventory"]["repositories"]
    }
    # The results of images that someone else had scanned are read in the first run, too, perhaps later than the others.
    assert images.keys() == {f"{RUN}/team-a/app", f"{RUN}/team-b/worker"}
    assert images[f"{RUN}/team-a/app"] in ((4, 0), (5, 0))
    assert images[f"{RUN}/team-b/worker"] in ((3, 1), (4, 1))
    if local_aws:
        # The filter policy of the email subscription lets it through.
        with urlopen(f"{local_aws.environment['AWS_ENDPOINT_URL']}/_aws/ses", timeout=60) as answer:  # noqa: S310 - the local AWS
            sent = json.load(answer)["messages"]
        assert [mail for mail in sent if mail["Body"]["text_part"].startswith("First inventory of ")]


def _remembered_since(module: Module, moment: datetime) -> set[str]:
    """Return the digests of the images whose last remembered scan ended at that moment or later."""
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=module.outputs["memory_table_name"])
    items = [item for page in pages for item in page["Items"]]
    images = [item for item in items if item["sk"]["S"].startswith("IMAGE#") and "event_at" in item]
    return {item["sk"]["S"].split("#")[1] for item in images if int(item["event_at"]["N"]) >= int(moment.timestamp())}


def test_second_run_starts_no_scan_and_looks_up_few_images(
    scheduled: list[str], module: Module, registry: RegistryClient, seeded: Seed
) -> None:
    idle(module)
    answer = boto3.client("lambda").invoke(
        FunctionName=module.outputs["repositories_scanner_function_name"],
        Payload=json.dumps({"repositoriesFilterRegexp": f"{RUN}/team-a/"}),
    )
    assert json.load(answer["Payload"])["sent"] == 1
    before, known = (registry.calls(), registry.look_ups()) if registry.has_control_api else ({}, {})
    start_run(module)
    idle(module)
    assert sorted(_scheduled(registry)) == sorted(seeded.due.values())
    after = registry.calls()
    assert after["DescribeImages"] > before["DescribeImages"]
    assert after["BatchGetImage"] == before["BatchGetImage"]
    # The first run looked up every image. Now there are spot checks, of one image in a hundred, in each run.
    looked_up = {digest for digest, number in registry.look_ups().items() if number > known.get(digest, 0)}
    assert len(looked_up) < len(seeded.due) / 2


def test_console_widget_shows_a_repository_and_its_images(incidents: Incidents, module: Module, seeded: Seed) -> None:
    def show(event: dict[str, Any]) -> str:
        name = module.outputs["console_widget_function_name"]
        answer = boto3.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        html: str = json.load(answer["Payload"])
        return html

    assert f"{RUN}</span>" in show({"widgetContext": {"theme": "dark", "width": 400}})
    html = show({"repository": f"{RUN}/team-a/app"})
    assert seeded.due["critical"][:19] in html
    assert ">1.0</a>" in html
    assert module.outputs["console_widget_function_arn"] in html


def test_export_on_demand_is_in_the_bucket(incidents: Incidents, module: Module, seeded: Seed) -> None:
    functions, s3, name = boto3.client("lambda"), boto3.client("s3"), module.outputs["reporter_function_name"]
    bucket, account = f"{RUN}-export", module.outputs["reporter_function_arn"].split(":")[4]
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    # An export after each run would keep the queue from being empty, for which other tests wait.
    target = {"EXPORT": json.dumps({"bucket": bucket, "owner": account, "prefix": "ecr/"})}

    def configure(environment: dict[str, str]) -> None:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": environment})
        functions.get_waiter("function_updated").wait(FunctionName=name)

    def keys() -> list[str]:
        found = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
        return found if any(key.endswith(".csv") for key in found) else []

    configure(variables | target)
    try:
        answer = json.load(functions.invoke(FunctionName=name, Payload=json.dumps({"export": True}))["Payload"])
        assert answer["csv"].startswith(f"s3://{bucket}/ecr/csv/account={account}/")
        found = wait_until(keys, "the export is in the bucket")
    finally:
        configure(variables)
    [packed] = [key for key in found if key.endswith(f"{RUN}/team-a/app.ndjson.gz")]
    objects = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in found}
    lines = [json.loads(line) for line in gzip.decompress(objects[packed]).splitlines()]
    assert {seeded.due["critical"], seeded.due["high"]} <= {line["digest"] for line in lines}
    [table] = [body.decode() for key, body in objects.items() if key.endswith(".csv")]
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [row["id"] for row in rows if row["digest"] == seeded.due["critical"]] == ["CVE-2026-0001"]


def test_functions_write_metrics(incidents: Incidents, module: Module, local_aws: LocalAws | None) -> None:
    if local_aws is None:
        raise NotSupportedError("LocalStack does not read embedded metrics")
    expected = {"RepositoriesQueued", "OldestScanAge", "ImagesSeen", "ScansStarted", "EventsProcessed", "NewCritical"}

    def names() -> set[str]:
        dimensions = [{"Name": "Instance", "Value": RUN}]
        pages = boto3.client("cloudwatch").get_paginator("list_metrics")
        found = pages.paginate(Namespace="EcrScanReporter", Dimensions=dimensions)  # type: ignore[arg-type]
        return {metric["MetricName"] for page in found for metric in page["Metrics"]}

    wait_until(lambda: expected <= names(), "the metrics of all functions are in CloudWatch")
    assert _sum("ScansStarted") > 0


def _sum(metric: str) -> float:
    now = datetime.now(UTC)
    answer = boto3.client("cloudwatch").get_metric_statistics(
        Namespace="EcrScanReporter",
        MetricName=metric,
        Dimensions=[{"Name": "Instance", "Value": RUN}],
        StartTime=now - timedelta(days=1),
        EndTime=now + timedelta(minutes=1),
        Period=86400,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in answer["Datapoints"])


def test_scans_with_nothing_new_are_silent(
    scheduled: list[str], module: Module, registry: RegistryClient, seeded: Seed, inbox: Inbox
) -> None:
    due, reports, moment = set(seeded.due.values()), len(inbox.reports()), registry.now()
    for repository, digest in registry.pushed:
        if digest in seeded.not_due.values() and digest != seeded.not_due["index"]:
            registry.archive(repository, digest)
    registry.let_time_pass(timedelta(days=8))
    start_run(module)
    wait_until(lambda: due <= _remembered_since(module, moment), "all images are scanned again")
    idle(module)
    assert all(_scheduled(registry).count(digest) == 2 for digest in due)
    # An inventory of images that someone else had scanned may have waited for its day.
    since = inbox.reports()[reports:]
    assert all(report["inventory"] and not (report["images"] or report["failed_scans"]) for report in since)


def test_new_finding_is_reported_alone(
    scheduled: list[str], module: Module, registry: RegistryClient, seeded: Seed, inbox: Inbox
) -> None:
    reports, digest = len(inbox.reports()), seeded.due["critical"]
    findings = [Finding("CVE-2026-0001", "CRITICAL"), Finding("CVE-2026-0002", "HIGH", "busybox")]
    registry.set_scan_result(f"{RUN}/team-a/app", digest, findings=findings)
    registry.let_time_pass(timedelta(days=8))
    start_run(module)
    wait_until(lambda: len(inbox.reports()) > reports, "the new finding is reported")
    idle(module)
    [report] = inbox.reports()[reports:]
    [image] = report["images"]
    assert (image["repository"], image["tags"], image["digest"]) == (f"{RUN}/team-a/app", ["1.0"], digest)
    assert [finding["id"] for finding in image["changes"]["new"]] == ["CVE-2026-0002"]
    assert report["totals"] == dict.fromkeys(report["totals"], 0) | {"images": 1, "new": 1, "still_open": 1}
    assert any("1 new high" in message["Subject"] for message in inbox.messages())


def test_rebuild_is_compared_with_the_image_before(
    scheduled: list[str], module: Module, registry: RegistryClient, inbox: Inbox
) -> None:
    reports = len(inbox.reports())
    rebuilt = registry.push(f"{RUN}/team-a/app", "1.0", findings=[Finding("CVE-2026-0002", "HIGH", "busybox")])
    start_run(module)
    wait_until(lambda: len(inbox.reports()) > reports, "the fixed finding is reported")
    idle(module)
    [report] = inbox.reports()[reports:]
    [image] = report["images"]
    assert (image["digest"], image["tags"]) == (rebuilt, ["1.0"])
    assert [finding["id"] for finding in image["changes"]["fixed"]] == ["CVE-2026-0001"]
    assert report["totals"] == dict.fromkeys(report["totals"], 0) | {"images": 1, "fixed": 1, "still_open": 1}


def test_digest_of_the_schedule_adds_up_to_what_ecr_lists(
    scheduled: list[str], module: Module, registry: RegistryClient, inbox: Inbox
) -> None:
    pages = boto3.client("ecr").get_paginator("describe_images")
    listed = sum(
        not image["imageManifestMediaType"].endswith(("index.v1+json", "manifest.list.v2+json"))
        for name in ("team-a/app", "team-b/worker")
        for page in pages.paginate(repositoryName=f"{RUN}/{name}")
        for image in page["imageDetails"]
    )
    moment = registry.now()
    start_run(module)
    idle(module)
    # The schedule has published some already, one each minute.
    boto3.client("lambda").invoke(FunctionName=module.outputs["reporter_function_name"], Payload='{"overview": true}')

    def covered(overview: dict[str, Any]) -> int:
        rows = overview["repositories"]
        return sum(row["coverage"]["images"] for row in rows if row["repository"].startswith(f"{RUN}/team-"))

    def after_the_run() -> list[dict[str, Any]]:
        return [overview for overview in inbox.overviews() if datetime.fromisoformat(overview["created_at"]) > moment]

    def complete() -> list[dict[str, Any]]:
        # The first overview of all has none before it to compare with, and the first run knows of no finding yet.
        return [d for d in after_the_run() if covered(d) == listed and d["changes"] and d["open"]]

    overview = wait_until(complete, "an overview")[-1]
    promise, changes = overview["promise"], overview["changes"]
    assert promise["images"] == promise["in_time"] + sum(promise["late"].values())
    assert changes["open_now"] == sum(overview["open"].values())
    assert changes["open_now"] == (
        changes["open_before"]
        + changes["carried"]
        + changes["new"]
        + changes["back"]
        - changes["fixed"]
        - changes["withdrawn"]
        - changes["left"]
    )


def test_daily_pass_goes_through_the_reports_queue_and_ends(incidents: Incidents, module: Module, seeded: Seed) -> None:
    events, name = boto3.client("events"), module.outputs["daily_pass_rule_name"]
    assert events.describe_rule(Name=name)["State"] == "ENABLED"
    [target] = events.list_targets_by_rule(Rule=name)["Targets"]
    assert target["Arn"] == module.outputs["reports_queue_arn"]
    send(module.outputs["reports_queue_url"], '{"pass": {}}')

    def is_complete() -> bool:
        pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=module.outputs["memory_table_name"])
        items = [item for page in pages for item in page["Items"] if item["pk"]["S"].startswith("DAILY#")]
        return any("completed_at" in item for item in items)

    wait_until(is_complete, "the daily pass is at its end")


def test_overview_that_is_asked_for_is_returned_and_not_published(incidents: Incidents, module: Module) -> None:
    answer = boto3.client("lambda").invoke(
        FunctionName=module.outputs["reporter_function_name"],
        Payload=json.dumps({"overview": True, "publish": False}),
    )
    returned = json.load(answer["Payload"])
    assert returned["published"] == 0
    [overview] = returned["overviews"]
    assert overview["subject"].startswith("[ECR] ")
    sender = f'ecr-scan-reporter "{RUN}" in {overview["document"]["account"]}.'
    assert overview["text"].splitlines()[-3] == sender
