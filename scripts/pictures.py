"""Write docs/mail.svg and docs/widget.svg: a mail and the widget of a made-up registry, by the real renderers.

Each is an SVG with HTML in it, so it is text: the same on each machine, and as large as what it says. A browser chooses
the fonts. To see them as pictures: `chromium --headless --screenshot=mail.png docs/mail.svg`.
"""

import json
import sys
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "lambda_src"), str(ROOT / "tests"), str(ROOT / "scripts")]

from ecr_scan_reporter.console_widget import WidgetDependencies, answer
from ecr_scan_reporter.settings import ConsoleWidgetSettings, parse_settings
from example_documents import NOW, report_message
from support.sample_registry import registry_items
from support.world import World

DOCS = ROOT / "docs"
# Width and height in pixels. What is longer is cut.
MAIL, WIDGET = (640, 590), (1000, 775)
REPOSITORIES = 14
_VOID = {"br", "hr", "img", "input"}
# HTML does not care for the case of these attributes of an SVG, XML does.
_CASE = {"viewbox": "viewBox", "preserveaspectratio": "preserveAspectRatio"}
_MAIL_CSS = """
.mail{height:100%;box-sizing:border-box;border:1px solid #d0d7de;border-radius:8px;background:#fff;color:#1f2328;
overflow:hidden;font:14px/1.45 -apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.head{background:#f6f8fa;border-bottom:1px solid #d0d7de;padding:12px 18px}
.subject{font-size:16px;font-weight:600}
.from{color:#59636e;font-size:13px}
.body{padding:12px 18px;white-space:pre-wrap;overflow-wrap:anywhere}
"""


class _Xhtml(HTMLParser):
    """Makes HTML well-formed, without the elements by which the console lets the widget act."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._dropped = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Write a start tag."""
        self._dropped |= tag == "cwdb-action"
        if not self._dropped:
            known = [(_CASE.get(name, name), name if value is None else value) for name, value in attrs]
            if tag == "svg":
                known.append(("xmlns", "http://www.w3.org/2000/svg"))
            written = "".join(f" {name}={quoteattr(value)}" for name, value in known)
            self.parts.append(f"<{tag}{written}{'/' if tag in _VOID else ''}>")

    def handle_endtag(self, tag: str) -> None:
        """Write an end tag."""
        if tag == "cwdb-action":
            self._dropped = False
        elif not self._dropped and tag not in _VOID:
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Write a text."""
        if not self._dropped:
            self.parts.append(escape(data, quote=False))


def svg(html: str, size: tuple[int, int], title: str) -> str:
    """Return an SVG that shows HTML, for a browser to lay out."""
    parser = _Xhtml()
    parser.feed(html)
    parser.close()
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>\n'
        f'<foreignObject width="{width}" height="{height}">\n'
        f'<div xmlns="http://www.w3.org/1999/xhtml" style="height:100%;overflow:hidden">{"".join(parser.parts)}</div>\n'
        "</foreignObject>\n</svg>\n"
    )


def mail() -> str:
    """Return a mail as a mail program shows it: in a proportional font, and with lines that wrap."""
    message = report_message(short=True)
    text = json.loads(message["Message"])["email"]
    head = f'<div class="subject">{escape(message["Subject"])}</div><div class="from">AWS Notifications</div>'
    html = f'<style>{_MAIL_CSS}</style><div class="mail"><div class="head">{head}</div>'
    return svg(f'{html}<div class="body">{escape(text)}</div></div>', MAIL, message["Subject"])


def widget() -> str:
    """Return the widget on a light dashboard."""
    world = World()
    world.deps.table.put_many(registry_items(REPOSITORIES, NOW))
    environment = {
        "REPORTER_NAME": "ecr-scan-reporter",
        "ECR_IMAGES_DURATION_DELTA": "7d",
        "MEMORY_TABLE_NAME": "memory",
    }
    dependencies = WidgetDependencies(parse_settings(ConsoleWidgetSettings, environment), world.deps.table)
    context: dict[str, Any] = {"theme": "light", "width": WIDGET[0]}
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:ecr-scan-reporter-console-widget"
    return svg(answer({"widgetContext": context}, dependencies, arn, NOW), WIDGET, "The widget of the dashboard")


def files() -> dict[Path, str]:
    """Return the content of each file."""
    return {DOCS / "mail.svg": mail(), DOCS / "widget.svg": widget()}


def main() -> None:
    """Write the files."""
    for path, content in files().items():
        path.write_text(content)


if __name__ == "__main__":
    main()
