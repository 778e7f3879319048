"""Run the module's tests: as many `terraform test` side by side as there are cores, all with one provider.

`terraform init` comes before. Most of the time of a run would be the start of the provider, which Terraform starts
several times per run. So it is started once here, and Terraform attaches to it, as to one in a debugger.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TERRAFORM = [str(ROOT / "scripts" / "terraform"), "test", "-no-color"]
PROVIDER = "registry.terraform.io/hashicorp/aws"
START_SECONDS = 60
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


def program() -> Path:
    """Return the provider that `terraform init` installed."""
    lock = ROOT / ".terraform.lock.hcl"
    text = lock.read_text() if lock.exists() else ""
    version = re.search(rf'^provider "{re.escape(PROVIDER)}" {{\n  version *= "(.+)"', text, re.MULTILINE)
    folder = ROOT / ".terraform" / "providers" / PROVIDER / (version[1] if version else "none")
    found = list(folder.glob("*/terraform-provider-aws*"))
    if len(found) != 1:
        sys.exit(f"{folder.relative_to(ROOT)} has {len(found)} providers; expected one: run `terraform init` first")
    return found[0]


@contextmanager
def provider() -> Iterator[dict[str, str]]:
    """Start the provider; yield the environment that makes Terraform attach to it."""
    # A file, not a pipe: the provider writes its log here, and would wait for a reader once a pipe is full.
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen([str(program()), "-debug"], stdout=log, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + START_SECONDS
            attach = None
            while attach is None:
                output = Path(log.name).read_text()
                attach = re.search(r"TF_REATTACH_PROVIDERS='(.+)'\n", output)
                if attach is None and (process.poll() is not None or time.monotonic() > end):
                    sys.exit(f"the provider did not start within {START_SECONDS} s:\n{output}")
                time.sleep(0.1)
            yield {"TF_REATTACH_PROVIDERS": attach[1]}
        finally:
            process.kill()
            process.wait()


def test(files: list[Path], environment: dict[str, str]) -> tuple[str, str]:
    """Run test files in one process; return the output, and what is wrong with it, if anything."""
    filters = [f"-filter={file.relative_to(ROOT).as_posix()}" for file in files]
    done = subprocess.run(
        [*TERRAFORM, *filters],
        cwd=ROOT,
        env={**os.environ, "PYTHON": sys.executable, **environment},
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
    with provider() as environment, ThreadPoolExecutor(workers) as pool:
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
