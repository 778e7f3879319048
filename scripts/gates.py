"""Run the gates, each by itself, and print a summary. `gates.py [GROUP ...]`; all groups by default.

Three lanes run at the same time. Each gate's output is printed when it ends.

AWS_PROVIDER_VERSION, such as 5.100.0, makes the Terraform gates use that version of the provider instead of the newest.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
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
    yield "lint: modules and tests in CONTRIBUTING", [sys.executable, "scripts/code_map.py", "--check"]
    yield "lint: inputs and outputs in docs", [sys.executable, "scripts/reference.py", "--check"]
    yield "lint: permissions in docs", [sys.executable, "scripts/permissions.py", "--check"]
    yield "lint: workflows", [sys.executable, "scripts/check_workflows.py"]


def typecheck() -> Iterator[Gate]:
    """Types."""
    yield "types: mypy", [str(BIN / "mypy")]


UNIT = ["tests/unit", "tests/functional", "tests/fake_aws", "tools"]
PYTEST = [str(BIN / "pytest"), "-q", "--numprocesses=auto", "--dist=worksteal"]
QUICK = [*PYTEST, "-m", "not slow", *UNIT]


def unit() -> Iterator[Gate]:
    """Unit and functional tests and those of the fakes; they check that the committed zip matches the source."""
    coverage = ["--cov", "--cov-report=term"]
    yield "unit tests, coverage, zip", [*QUICK, *coverage]
    # Measuring the coverage makes a test two to three times as long.
    yield "slow unit tests", [*PYTEST, "-m", "slow", *UNIT]


def quick() -> Iterator[Gate]:
    """The tests of `unit` but the slow ones, without coverage."""
    yield "unit tests but the slow ones, zip", QUICK


def fuzz() -> Iterator[Gate]:
    """The random tests, with many examples that are new each time."""
    yield "random tests", [*PYTEST, "-m", "hypothesis", *UNIT]


def hours() -> Iterator[Gate]:
    """The tests of `unit` at each hour of a day, on the days that are special, and a year ahead."""
    tomorrow = datetime.now(UTC).replace(minute=30) + timedelta(days=1)
    starts = [tomorrow.replace(hour=hour) for hour in range(24)]
    starts += [datetime(2028, 2, 29, 23, 30, tzinfo=UTC), datetime(tomorrow.year, 12, 31, 23, 30, tzinfo=UTC)]
    for start in [*starts, tomorrow + timedelta(days=365)]:
        text = f"{start:%Y-%m-%dT%H:%M}:00+00:00"
        yield f"unit tests at {text}", ["env", f"TEST_START={text}", *PYTEST, *UNIT]


def validate() -> Iterator[Gate]:
    """Validity of every module and example by itself. `terraform test` validates the test files, which takes longer."""
    for module in MODULES:
        name = module.relative_to(ROOT).as_posix()
        there = [*TERRAFORM, f"-chdir={module}"]
        yield f"terraform init {name}", [*there, "init", "-upgrade", "-backend=false", "-input=false", "-no-color"]
        yield f"terraform validate {name}", [*there, "validate", "-no-tests", "-no-color"]


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


def replacements() -> Iterator[Gate]:
    """Each resource of an applied instance, replaced by itself: the integration tests replace many at a time."""
    yield "replacements", [str(BIN / "pytest"), "-q", "tests/integration/test_replacements.py"]


GROUPS = {
    "lint": lint,
    "typecheck": typecheck,
    "unit": unit,
    "terraform": terraform,
    "security": security,
    "integration": integration,
}
# Parts of the groups, or longer than a gate may take: `make validate` is what OpenTofu is held to.
OTHERS = {"quick": quick, "fuzz": fuzz, "hours": hours, "replacements": replacements, "validate": validate}
# What the tests do more of, and what checkov does not do: to check a resource once for each value of its `count` or
# `for_each` takes four times as long, and the 541 checks are the same.
SETTINGS = {
    "fuzz": {"FUZZ": "1"},
    "replacements": {"EACH": "1"},
    "security": {"CHECKOV_ENABLE_FOREACH_HANDLING": "False"},
}
# What `make check` runs before each commit.
CHECK = ("lint", "typecheck", "quick", "validate")
# These have a lane of their own: the integration tests mostly wait, the quick tests leave some of the cores free, and
# checkov uses one core.
BESIDE = (("integration", "quick"), ("security",))


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


def run_lane(names: list[str]) -> list[tuple[str, int, float]]:
    """Run the gates of these groups one after another; return the name, the exit status and the seconds of each."""
    results = []
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT / "lambda_src")}
    for group in names:
        for name, command in (GROUPS | OTHERS)[group]():
            print(f"-- {name}", flush=True)
            started = time.monotonic()
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment | SETTINGS.get(group, {}),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            results.append((name, done.returncode, time.monotonic() - started))
            print(f"== {name}\n{done.stdout}", flush=True)
    return results


def main(names: list[str]) -> int:
    """Run the named groups, all by default; return the exit status."""
    groups = GROUPS | OTHERS
    names = list(CHECK) if names == ["check"] else names
    for name in names:
        if name not in groups:
            sys.exit(f"group is {name!r}; expected check or one of {', '.join(groups)}")
    chosen = names or list(GROUPS)
    others = tuple(name for name in chosen if name not in chain(*BESIDE))
    lanes = [[name for name in chosen if name in lane] for lane in (*BESIDE, others)]
    with provider_version(os.environ.get("AWS_PROVIDER_VERSION", "")), ThreadPoolExecutor() as pool:
        results = [result for lane in pool.map(run_lane, lanes) for result in lane]
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
