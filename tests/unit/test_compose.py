"""The services of compose.yaml are those that the module, its functions and the integration tests call."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The service of a resource whose name does not begin with that of its service.
PREFIXES = {"aws_cloudwatch_event_": "events", "aws_cloudwatch_log_": "logs", "aws_cloudwatch_query_": "logs"}
DATA = {"aws_caller_identity": "sts"}
# The provider answers these itself.
LOCAL = {"aws_partition", "aws_service", "terraform_data"}


def services_of_terraform() -> set[str]:
    """Return the services of all resources and data sources of the module and its examples."""
    command = ["git", "ls-files", "*.tf"]
    files = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    kinds = {
        kind for file in files for kind in re.findall(r'^(?:resource|data) "(\w+)"', (ROOT / file).read_text(), re.M)
    }
    assert len(kinds) > 15
    by_prefix = {kind: service for kind in kinds for prefix, service in PREFIXES.items() if kind.startswith(prefix)}
    return {(DATA | by_prefix).get(kind) or kind.split("_")[1] for kind in kinds - LOCAL}


def services_of_python() -> set[str]:
    """Return the services that the functions and the integration tests have clients of."""
    files = [file for folder in ("lambda_src", "tests/integration") for file in (ROOT / folder).rglob("*.py")]
    pattern = r'(?:create_client|boto3\.client|boto3\.resource)\("(\w+)"'
    return {service for file in files for service in re.findall(pattern, file.read_text())}


def test_localstack_has_every_service_and_no_other() -> None:
    [listed] = re.findall(r"SERVICES: (\S+)", (ROOT / "compose.yaml").read_text())
    # moto has ECR. LocalStack has no AWS Chatbot, which one example configures. SNS sends mail through SES.
    assert set(listed.split(",")) == (services_of_terraform() | services_of_python() | {"ses"}) - {"ecr", "chatbot"}
