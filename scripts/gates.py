"""Run the gates, each by itself, and print a summary. `gates.py [GROUP ...]`; all groups by default.

AWS_PROVIDER_VERSION, such as 5.100.0, makes the Terraform gates use that version of the provider instead of the newest.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from npm_package import SKIPPED

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
TERRAFORM = [str(ROOT / "scripts" / "terraform")]
MODULES = [ROOT, *sorted((ROOT / "modules").iterdir()), *sorted((ROOT / "examples").iterdir())]

CHECKOV = ROOT / ".venv" / "checkov" / "bin" / "checkov"
# Terraform merges a file of this name into the others of its folder.
OVERRIDE = "provider_version_override.tf"

Gate = tuple[str, list[str]]


def lint() -> Iterator[Gate]:
    """Style, and the direction of the package's imports."""
    yield "lint: ruff check", [str(BIN / "ruff"), "check", "."]
    yield "lint: ruff format", [str(BIN / "ruff"), "format", "--check", "."]
    yield "lint: imports", [str(BIN / "lint-imports"), "--no-cache"]
    yield "lint: dead code", [str(BIN / "vulture")]
    yield "lint: inputs and outputs in docs", [sys.executable, "scripts/reference.py", "--check"]
    yield "lint: workflows", [sys.executable, "scripts/check_workflows.py"]


def typecheck() -> Iterator[Gate]:
    """Types."""
    yield "types: mypy", [str(BIN / "mypy")]


def unit() -> Iterator[Gate]:
    """Unit and functional tests and those of the fakes; they check that the committed zip matches the source."""
    paths = ["tests/unit", "tests/functional", "tests/fake_aws", "tools"]
    options = ["-q", "--numprocesses=2", "--dist=worksteal", "--cov", "--cov-report=term"]
    yield "unit tests, coverage, zip", [str(BIN / "pytest"), *options, *paths]


def validate() -> Iterator[Gate]:
    """Validity of every module and example by itself."""
    for module in MODULES:
        name = module.relative_to(ROOT).as_posix()
        there = [*TERRAFORM, f"-chdir={module}"]
        yield f"terraform init {name}", [*there, "init", "-upgrade", "-backend=false", "-input=false", "-no-color"]
        yield f"terraform validate {name}", [*there, "validate", "-no-color"]


def terraform() -> Iterator[Gate]:
    """Format, validity, the newest provider's schema, and the module's tests."""
    yield "lint: terraform fmt", [*TERRAFORM, "fmt", "-check", "-recursive", "-diff"]
    yield "terraform: newest provider's schema", [sys.executable, "scripts/check_provider.py"]
    yield from validate()
    yield "terraform test", [sys.executable, "scripts/test_terraform.py"]


def security() -> Iterator[Gate]:
    """The .tf files, the workflows and what the gates install, held to security rules."""
    yield "security: checkov", [str(CHECKOV), "--directory", ".", "--config-file", ".checkov.yaml"]
    yield "security: workflows", [str(BIN / "zizmor"), "--offline", "--no-progress", ".github"]
    yield "security: known vulnerabilities", [sys.executable, "scripts/check_audit.py"]


def integration() -> Iterator[Gate]:
    """The applied module."""
    yield "integration tests", [str(BIN / "pytest"), "-q", "tests/integration"]


GROUPS = {
    "lint": lint,
    "typecheck": typecheck,
    "unit": unit,
    "terraform": terraform,
    "security": security,
    "integration": integration,
}
# Part of another group: `make validate` is what OpenTofu is held to.
PARTS = {"validate": validate}


@contextmanager
def provider_version(version: str) -> Iterator[None]:
    """Hold every module and example to one version of the provider; the newest if it is empty."""
    files = [module / OVERRIDE for module in MODULES] if version else []
    try:
        for file in files:
            file.write_text(
                "terraform {\n  required_providers {\n    aws = {\n"
                f'      source  = "hashicorp/aws"\n      version = "{version}"\n'
                "    }\n  }\n}\n"
            )
        yield
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def main(names: list[str]) -> int:
    """Run the named groups, all by default; return the exit status."""
    groups = GROUPS | PARTS
    for name in names:
        if name not in groups:
            sys.exit(f"group is {name!r}; expected one of {', '.join(groups)}")
    results: list[tuple[str, int, float]] = []
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT / "lambda_src")}
    with provider_version(os.environ.get("AWS_PROVIDER_VERSION", "")):
        for group in names or GROUPS:
            for name, command in groups[group]():
                print(f"== {name}", flush=True)
                started = time.monotonic()
                status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
                results.append((name, status, time.monotonic() - started))
    print("\n== summary")
    for name, status, seconds in results:
        word = {0: "ok  ", SKIPPED: "skip"}.get(status, "FAIL")
        print(f"{word} {name} ({seconds:.0f} s)")
    passed, skipped = (sum(status == wanted for _, status, _ in results) for wanted in (0, SKIPPED))
    failed = len(results) - passed - skipped
    print(f"\ngates: {passed} passed, {skipped} skipped, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
