"""The committed zip is what the source builds, to the byte."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_committed_zip_is_what_the_source_builds(tmp_path: Path, umask: int) -> None:
    rebuilt = tmp_path / "rebuilt.zip"
    subprocess.run(
        [sys.executable, ROOT / "scripts" / "package.py", rebuilt],
        check=True,
        umask=umask,
        env={**os.environ, "TZ": "Pacific/Chatham", "LC_ALL": "C"},
    )
    committed = ROOT / "dist" / "ecr_scan_reporter.zip"
    assert rebuilt.read_bytes() == committed.read_bytes(), "run `make package`, and commit dist/ecr_scan_reporter.zip"


def test_the_zip_holds_the_package_and_nothing_else() -> None:
    with zipfile.ZipFile(ROOT / "dist" / "ecr_scan_reporter.zip") as archive:
        names = archive.namelist()
    assert names == sorted(names)
    assert set(names) == {
        path.relative_to(ROOT / "lambda_src").as_posix() for path in (ROOT / "lambda_src").rglob("*.py")
    }


def test_the_package_needs_nothing_but_boto3_and_the_standard_library() -> None:
    """boto3 brings botocore, dateutil and jmespath along."""
    allowed = {*sys.stdlib_module_names, "boto3", "botocore", "dateutil", "mypy_boto3_ecr", "mypy_boto3_sqs"}
    allowed |= {"mypy_boto3_sns", "mypy_boto3_dynamodb"}  # types, for the checker only
    for path in (ROOT / "lambda_src").rglob("*.py"):
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]) and not words[1].startswith("."):
                assert words[1].split(".")[0] in allowed, f"{path}: {line}"
