"""Run the gates, each by itself, and print a summary. `gates.py [GROUP ...]`; all groups by default."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
TERRAFORM = [str(ROOT / "scripts" / "terraform")]
MODULES = [ROOT, *sorted((ROOT / "modules").iterdir()), *sorted((ROOT / "examples").iterdir())]

Gate = tuple[str, list[str]]


def lint() -> Iterator[Gate]:
    """Style, and the direction of the package's imports."""
    yield "lint: ruff check", [str(BIN / "ruff"), "check", "."]
    yield "lint: ruff format", [str(BIN / "ruff"), "format", "--check", "."]
    yield "lint: imports", [str(BIN / "lint-imports"), "--no-cache"]


def typecheck() -> Iterator[Gate]:
    """Types."""
    yield "types: mypy", [str(BIN / "mypy")]


def unit() -> Iterator[Gate]:
    """Unit and functional tests and those of the fakes; they check that the committed zip matches the source."""
    paths = ["tests/unit", "tests/functional", "tests/fake_aws", "tools"]
    yield "unit tests, coverage, zip", [str(BIN / "pytest"), "-q", *paths, "--cov", "--cov-report=term"]


def terraform() -> Iterator[Gate]:
    """Format, validity of every module by itself, and the module's tests."""
    yield "lint: terraform fmt", [*TERRAFORM, "fmt", "-check", "-recursive", "-diff"]
    for module in MODULES:
        name = module.relative_to(ROOT).as_posix()
        there = [*TERRAFORM, f"-chdir={module}"]
        yield f"terraform init {name}", [*there, "init", "-backend=false", "-input=false", "-no-color"]
        yield f"terraform validate {name}", [*there, "validate", "-no-color"]
    yield "terraform test", [*TERRAFORM, "test", "-no-color"]


def integration() -> Iterator[Gate]:
    """The applied module."""
    yield "integration tests", [str(BIN / "pytest"), "-q", "tests/integration"]


GROUPS = {"lint": lint, "typecheck": typecheck, "unit": unit, "terraform": terraform, "integration": integration}


def main(names: list[str]) -> int:
    """Run the named groups, all by default; return the exit status."""
    for name in names:
        if name not in GROUPS:
            sys.exit(f"group is {name!r}; expected one of {', '.join(GROUPS)}")
    results: list[tuple[str, bool, float]] = []
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT / "lambda_src")}
    for group in names or GROUPS:
        for name, command in GROUPS[group]():
            print(f"== {name}", flush=True)
            started = time.monotonic()
            passed = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0
            results.append((name, passed, time.monotonic() - started))
    print("\n== summary")
    for name, passed, seconds in results:
        print(f"{'ok  ' if passed else 'FAIL'} {name} ({seconds:.0f} s)")
    failed = sum(not passed for _, passed, _ in results)
    print(f"\ngates: {len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
