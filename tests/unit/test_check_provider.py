"""The check of the .tf files against the newest provider's schema finds what is not in it."""

import tarfile
from pathlib import Path

import pytest
from check_provider import Provider, problems, uses

DEFINITIONS = """
export interface SqsQueueConfig extends cdktn.TerraformMetaArguments {
    /**
    * Docs at Terraform Registry: {@link https://example.com/sqs_queue#delay_seconds SqsQueue#delay_seconds}
    */
    readonly delaySeconds?: number;
    /**
    * Docs at Terraform Registry: {@link https://example.com/sqs_queue#tags SqsQueue#tags}
    */
    readonly tags?: {
        [key: string]: string;
    };
    /**
    * timeouts block
    *
    * Docs at Terraform Registry: {@link https://example.com/sqs_queue#timeouts SqsQueue#timeouts}
    */
    readonly timeouts?: SqsQueueTimeouts;
}
export interface SqsQueueTimeouts {
    /**
    * Docs at Terraform Registry: {@link https://example.com/sqs_queue#create SqsQueue#create}
    */
    readonly create?: string;
}
export declare class SqsQueue extends cdktn.TerraformResource {
    get arn(): string;
    get delaySeconds(): number;
}
"""


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    """A provider with one resource."""
    definitions = tmp_path / "index.d.ts"
    definitions.write_text(DEFINITIONS)
    with tarfile.open(tmp_path / "package.tgz", "w:gz") as package:
        package.add(definitions, "package/lib/sqs-queue/index.d.ts")
    return Provider(tmp_path / "package.tgz", {"sqs_queue"})


def queue(*lines: str) -> str:
    """Return a resource with these lines."""
    return "\n".join(['resource "aws_sqs_queue" "a" {', *lines, "}"])


def timeouts(line: str, dynamic: bool = False) -> str:
    """Return a resource with a nested block."""
    if dynamic:
        return queue('dynamic "timeouts" {', "for_each = [1]", "content {", line, "}", "}")
    return queue("timeouts {", line, "}")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (queue("count = 1", "delay_seconds = 1", 'tags = { any = "thing" }'), []),
        (queue("delay = 1"), ["aws_sqs_queue.a: delay is not in the schema"]),
        (timeouts('create = "1m"'), []),
        (timeouts('create = "1m"', dynamic=True), []),
        (timeouts('made = "1m"'), ["aws_sqs_queue.a: timeouts.made is not in the schema"]),
        (timeouts('made = "1m"', dynamic=True), ["aws_sqs_queue.a: timeouts.made is not in the schema"]),
        ('resource "aws_sns_queue" "a" {}', ["aws_sns_queue.a: resource is not in the schema"]),
        ("locals {\n  a = aws_sqs_queue.a[0].delay_seconds\n}", []),
        ("locals {\n  a = aws_sqs_queue.a[*].arn\n}", []),
        (
            'locals {\n  a = "${aws_sqs_queue.a["x"].made}"\n}',
            ["aws_sqs_queue: made, which is read, is not in the schema"],
        ),
        (
            "locals {\n  a = data.aws_region.a.name\n}",
            ["aws_region: name is deprecated", "aws_region: data is not in the schema"],
        ),
        ("# aws_sqs_queue.a.made was read here once.", []),
    ],
)
def test_what_is_not_in_the_schema_is_named(tmp_path: Path, provider: Provider, code: str, expected: list[str]) -> None:
    path = tmp_path / "main.tf"
    path.write_text(code + "\n")
    assert [problem.removeprefix("main.tf: ") for problem in problems(list(uses(path)), provider)] == expected
