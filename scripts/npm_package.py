"""Gets a package from npm by its name, version and hash, without its dependencies and without running its scripts."""

import base64
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

CACHE = Path(__file__).resolve().parent.parent / ".build" / "npm"
# The exit status of a gate that could not run: EX_TEMPFAIL of sysexits.h.
SKIPPED = 75


def skip(reason: str) -> NoReturn:
    """End a gate that cannot run here.

    Raises:
        SystemExit: always.
    """
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def download(name: str, version: str, sha512: str) -> Path:
    """Return the path of the package's tarball, downloaded at most once.

    Args:
        name: name of the package.
        version: its exact version.
        sha512: hash of the tarball in base64, as `npm view NAME dist.integrity` prints it.

    Raises:
        SystemExit: npm is missing or does not reach its registry (the gate is skipped), or the tarball has another
            hash.
    """
    path = CACHE / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
    if not path.exists():
        npm = shutil.which("npm")
        if npm is None:
            skip("npm is not installed")
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [npm, "pack", "--silent", "--pack-destination", str(CACHE), f"{name}@{version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            skip(f"npm does not reach {name}@{version}: {done.stderr.strip()[:200]}")
    found = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if found != sha512:
        path.unlink()
        sys.exit(f"sha512 of {name}@{version} is {found}; expected {sha512}")
    return path
