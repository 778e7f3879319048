"""Look up what the locks install in PyPI's database of vulnerabilities; skipped where that is out of reach.

requirements/local-aws.txt is left out: it is old on purpose (requirements/local-aws.in says why), runs on loopback and
is installed for tests alone.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from npm_package import skip

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("functions", "dev", "checkov")


def audit(lock: str) -> list[dict[str, Any]]:
    """Return what the database says of each package of a lock."""
    command = [str(Path(sys.executable).parent / "pip-audit"), "--disable-pip", "--require-hashes", "--timeout", "5"]
    command += ["--format", "json", "--progress-spinner", "off", "--requirement", f"requirements/{lock}.txt"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        skip(f"the database is out of reach: {done.stderr.strip()[-200:]}")
    # A mirror of the package index answers for no package.
    if unknown := [package["name"] for package in packages if "skip_reason" in package]:
        skip(f"the database knows nothing of {len(unknown)} of {len(packages)} packages, such as {unknown[0]}")
    return packages


def main() -> None:
    """Audit the locks; exit with a line for each vulnerability."""
    packages = [package for lock in LOCKS for package in audit(lock)]
    if found := [
        f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {vulnerability['fix_versions']}"
        for package in packages
        for vulnerability in package.get("vulns", [])
    ]:
        sys.exit("\n".join(found))
    print(f"{len(packages)} packages have no known vulnerability")


if __name__ == "__main__":
    main()
