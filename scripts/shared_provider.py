"""Start the AWS provider once for many Terraform commands.

Terraform starts a provider several times per command, and most of the time of a short command goes there. Here it is
started as for a debugger, and Terraform attaches to it.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ADDRESS = "registry.terraform.io/hashicorp/aws"
START_SECONDS = 600


def program(directory: Path, data: Path) -> Path:
    """Return the provider that `terraform init` installed for a directory whose data is in another."""
    lock = directory / ".terraform.lock.hcl"
    text = lock.read_text() if lock.exists() else ""
    version = re.search(rf'^provider "{re.escape(ADDRESS)}" {{\n  version *= "(.+)"', text, re.MULTILINE)
    folder = data / "providers" / ADDRESS / (version[1] if version else "none")
    found = list(folder.glob("*/terraform-provider-aws*"))
    if len(found) != 1:
        sys.exit(f"{folder} has {len(found)} providers; expected one: run `terraform init` first")
    return found[0]


@contextmanager
def provider(directory: Path, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Start the provider of a directory; yield the environment that makes Terraform attach to it.

    It reads files, such as the zip, relative to the directory. One provider has one configuration at a time:
    concurrent runs for several accounts need several.
    """
    data = directory / environment.get("TF_DATA_DIR", ".terraform")
    # A file, not a pipe: the provider writes its log here, and would wait for a reader once a pipe is full.
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen(
            [program(directory, data).resolve(), "-debug"],
            cwd=directory,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            end = time.monotonic() + START_SECONDS
            attach = None
            while attach is None:
                output = Path(log.name).read_text()
                attach = re.search(r"TF_REATTACH_PROVIDERS='(.+)'\n", output)
                if attach is None and (process.poll() is not None or time.monotonic() > end):
                    sys.exit(f"the provider did not start within {START_SECONDS} s:\n{output}")
                time.sleep(0.1)
            yield {**environment, "TF_REATTACH_PROVIDERS": attach[1]}
        finally:
            process.kill()
            process.wait()
