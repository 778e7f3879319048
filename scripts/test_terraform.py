"""Run the module's tests: as many concurrent `terraform test` as there are cores, all with one provider.

`terraform init` comes before.
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from shared_provider import provider

ROOT = Path(__file__).resolve().parent.parent
TERRAFORM = [str(ROOT / "scripts" / "terraform"), "test", "-no-color"]
# A run that applies takes about as long as this many that only plan.
PLANS_PER_APPLY = 3


def runs(file: Path) -> list[str]:
    """Return the text of each run of a test file."""
    return re.split(r"^run ", file.read_text(), flags=re.MULTILINE)[1:]


def cost(file: Path) -> int:
    """Return about how long a test file takes, in runs that only plan."""
    return sum(1 if "\n  command = plan\n" in run else PLANS_PER_APPLY for run in runs(file))


def groups(files: list[Path], number: int) -> list[list[Path]]:
    """Divide the files into groups that take about as long as each other."""
    divided: list[list[Path]] = [[] for _ in range(number)]
    for file in sorted(files, key=cost, reverse=True):
        min(divided, key=lambda group: sum(map(cost, group))).append(file)
    return [group for group in divided if group]


def test(files: list[Path], environment: dict[str, str]) -> tuple[str, str]:
    """Run test files in one process; return the output, and what is wrong with it, if anything."""
    filters = [f"-filter={file.relative_to(ROOT).as_posix()}" for file in files]
    done = subprocess.run(
        [*TERRAFORM, *filters],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        return done.stdout, f"exit status {done.returncode}"
    expected = sum(len(runs(file)) for file in files)
    passed = sum(int(number) for number in re.findall(r"^Success! (\d+) passed", done.stdout, re.MULTILINE))
    return done.stdout, "" if passed == expected else f"{passed} runs passed; the files have {expected}"


def main() -> int:
    """Run all tests; return the exit status."""
    files = sorted((ROOT / "tests").glob("*.tftest.hcl"))
    number = sum(len(runs(file)) for file in files)
    if not number:
        sys.exit("tests/*.tftest.hcl has no run")
    problems = []
    workers = os.cpu_count() or 1
    with provider(ROOT, {**os.environ, "PYTHON": sys.executable}) as environment, ThreadPoolExecutor(workers) as pool:
        started = {pool.submit(test, group, environment): group for group in groups(files, workers)}
        for future in as_completed(started):
            output, problem = future.result()
            print(output, flush=True)
            if problem:
                problems.append(f"{', '.join(file.name for file in started[future])}: {problem}")
    print("\n".join(problems) if problems else f"terraform test: all {number} runs passed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
