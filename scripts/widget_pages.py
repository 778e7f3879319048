"""Render the console widget as a browser shows it, with registries that are made up: to look at while changing it.

`widget_pages.py [DIRECTORY]` writes HTML files, and pictures of them where Chromium is installed: light and dark, wide
and narrow, with 10 and 10,000 repositories. The directory is `.build/widget` by default.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "lambda_src"), str(ROOT / "tests")]

from ecr_scan_reporter import console_widget
from fake_aws import FakeAws, FakeRegistry
from support.configuration import environment, forget_dependencies, memory_table
from support.invocations import Context
from support.sample_registry import registry_items, repository_names

# Pixels of the widget's content.
WIDTHS = {"wide": 1400, "narrow": 400}
BACKGROUNDS = {"light": "#ffffff", "dark": "#161d26"}
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]


def main(directory: Path) -> None:
    """Write all pages, and pictures of them."""
    directory.mkdir(parents=True, exist_ok=True)
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    with FakeAws(FakeRegistry()) as aws:
        for repositories in (0, 10, 10_000):
            aws.create_memory_table()
            os.environ.update(environment(aws))
            forget_dependencies()
            memory_table(aws).put_many(registry_items(repositories, datetime.now(UTC)))
            events: dict[str, dict[str, Any]] = {
                "registry": {},
                "repository": {"repository": repository_names(1)[0]},
                "search": {"search": "pay", "page": 2},
            }
            for view, event in events.items():
                for theme in BACKGROUNDS:
                    for size in WIDTHS:
                        page = directory / f"{repositories}-{view}-{theme}-{size}.html"
                        page.write_text(_page(event, theme, WIDTHS[size]))
                        if browser:
                            _photograph(browser, page, WIDTHS[size])
    print(f"written to {directory}" if browser else f"written to {directory}; for pictures, install Chromium")


def _page(event: dict[str, Any], theme: str, width: int) -> str:
    started = time.monotonic()
    html = console_widget.handler({**event, "widgetContext": {"theme": theme, "width": width}}, Context())
    print(f"{len(html):,} bytes, {time.monotonic() - started:.2f} s", flush=True)
    return f'<!doctype html><meta charset="utf-8"><body style="margin:0;background:{BACKGROUNDS[theme]}">{html}</body>'


def _photograph(browser: str, page: Path, width: int) -> None:
    with tempfile.TemporaryDirectory() as profile:
        picture = [f"--window-size={width},{1500}", f"--screenshot={page.with_suffix('.png')}", page.as_uri()]
        command = [browser, *FLAGS, f"--user-data-dir={profile}", *picture]
        subprocess.run(command, check=True, capture_output=True, timeout=60)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".build" / "widget")
