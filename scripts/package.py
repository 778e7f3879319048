"""Build dist/ecr_scan_reporter.zip from lambda_src/, the same to the byte wherever it is built.

Names are sorted, times and modes fixed, and nothing is compressed: deflate differs between versions of zlib.
"""

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "lambda_src"
ZIP = ROOT / "dist" / "ecr_scan_reporter.zip"


def build(target: Path) -> None:
    """Write the zip to `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py")):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, also when built elsewhere: Lambda needs the mode
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, (SOURCE / name).read_bytes())


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else ZIP)
