"""The committed zip is what the source builds, byte for byte."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_committed_zip_is_what_the_source_builds(tmp_path: Path, umask: int) -> None:
    rebuilt = tmp_path / "rebuilt.zip"
    subprocess.run(
        [sys.executable, ROOT / "scripts" / "package.py", rebuilt],
        check=True,
        umask=umask,
        env={**os.environ, "TZ": "Pacific/Chatham", "LC_ALL": "C"},
    )
    committed = ROOT / "dist" / "ecr_scan_reporter.zip"
    assert rebuilt.read_bytes() == committed.read_bytes(), "run `make package`, and commit dist/ecr_scan_reporter.zip"


def test_package_imports_only_boto3_and_the_standard_library() -> None:
    """The Lambda runtime has boto3, which brings botocore and dateutil; mypy_boto3 modules are for the type checker."""
    allowed = {*sys.stdlib_module_names, "boto3", "botocore", "dateutil", "ecr_scan_reporter"}
    allowed |= {f"mypy_boto3_{service}" for service in ("dynamodb", "ecr", "sns", "sqs")}
    for path in (ROOT / "lambda_src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names} <= allowed, f"{path}: {names}"
