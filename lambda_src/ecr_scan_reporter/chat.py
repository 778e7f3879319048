"""A report for chats: the custom notification of Amazon Q Developer in chat applications (Slack, Teams).

https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

import json

from .gathering import ImageReport, packages
from .wording import counts, cut, headline, image_link, plural, printable

# Characters, from the document above.
_TITLE, _DESCRIPTION = 250, 8000
# What is kept free for "and 37 more images".
_TAIL = 100


def notification(told: list[ImageReport], failed: list[ImageReport], partition: str, name: str, most: int) -> str:
    """The notification, as JSON; arguments as for the mail."""
    blocks = [_image(report, partition, most) for report in told]
    blocks += [f"*Scan failed*: {code(report.name)} {code(report.reason or 'no reason given')}" for report in failed]
    description, shown = "", 0
    for block in blocks:
        if len(description) + len(block) > _DESCRIPTION - _TAIL:
            break
        description += block + "\n\n"
        shown += 1
    if left := len(blocks) - shown:
        description += f"and {plural(left, 'more image')}"
    return json.dumps(
        {
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": cut(f"ECR: {headline(told, failed)}", _TITLE),
                "description": description.strip(),
            },
            "metadata": {"threadId": cut(f"ecr-scan-reporter {name}", 100), "eventType": "ecr-scan-report"},
        }
    )


def code(text: str) -> str:
    """Foreign text as a code span, in which nothing is markup."""
    return f"`{_entities(cut(printable(text), 200).replace('`', chr(39)))}`"


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _image(report: ImageReport, partition: str, most: int) -> str:
    link = image_link(report, partition)
    lines = [f"*{counts(report.counts)}*: {code(report.name)}{f' ([console]({link}))' if link else ''}"]
    found = packages(report.findings[:most])
    for package in found[:5]:
        fixed = f", fixed in {code(package.fixed)}" if package.fixed else ""
        worst = ", ".join(code(finding.name) for finding in package.findings[:3])
        name = code(f"{package.name} {package.installed}".strip() or "package not named")
        lines.append(f"• {name}: {plural(len(package.findings), 'CVE')} ({worst}){fixed}")
    if len(found) > 5:
        lines.append(f"• and {plural(len(found) - 5, 'more package')}")
    return "\n".join(lines)
