"""Make the overview; print what was measured as JSON. Run by cases_overview.py.

In a process of its own, so that its peak memory is the reporter's alone.
"""

import json

from ecr_scan_reporter import reporter
from process import Context, Meter


def main() -> None:
    """Invoke the reporter with its default timeout."""
    reporter.dependencies()
    meter = Meter()
    answer = reporter.handler({"overview": True}, Context(300))
    print(json.dumps(meter.measured() | {"published": answer["published"]}))


if __name__ == "__main__":
    main()
