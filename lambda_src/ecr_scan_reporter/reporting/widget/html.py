"""The tables and links of the widget, as HTML for a custom widget of a CloudWatch dashboard.

The console removes scripts. A link that acts is an `<a>` with a `<cwdb-action>` behind it, which calls the function
again.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_interactivity.html
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import NamedTuple, TypeVar

from ecr_scan_reporter.memory.coverage import Coverage
from ecr_scan_reporter.memory.images import ImageRecord, Update
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.reporting.console_links import image_console_url
from ecr_scan_reporter.reporting.formatting import (
    format_date,
    format_duration,
    pluralize,
    reason_words,
    replace_unprintable,
    short_digest,
    start_of,
    truncate,
)
from ecr_scan_reporter.reporting.registry_state import RegistryState, RepositoryLine, SharedUpdate
from ecr_scan_reporter.reporting.widget.images import MAX_IMAGES, RepositoryImages
from ecr_scan_reporter.reporting.widget.style import stylesheet
from ecr_scan_reporter.shared.durations import Duration

# Lines of a table; the rest is on further pages.
PAGE_SIZE = 50
# The severities with a column, a part of the bar and a color of their own.
_COLUMNS = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
# Tags of an image that are named, and findings that are overdue, or known to be exploited.
_MAX_TAGS, _MAX_URGENT = 3, 5
# The least width of a part of a bar, of 1000.
_SMALLEST_PART = 10.0
_ZERO = '<span class="muted">0</span>'
_NO_RUN = "No run has finished yet. The first one starts by itself; then the state of each repository is shown here."

Row = TypeVar("Row")


class WidgetContext(NamedTuple):
    """The settings and the view of all pages of the widget.

    Args:
        instance: the name of the module's instance.
        max_age: the promised age.
        endpoint: the ARN of the function that answers the widget's actions.
        dark: whether the dashboard is dark.
        narrow: whether the widget has room for a few columns only.
        repository: the one that is shown; "" for the whole registry.
        search: part of the names of the repositories that are listed, or were on the page before.
        page: the number of the page, from 1.
    """

    instance: str
    max_age: Duration
    endpoint: str
    now: datetime
    dark: bool = False
    narrow: bool = False
    repository: str = ""
    search: str = ""
    page: int = 1


def render_registry(state: RegistryState, view: WidgetContext) -> str:
    """Render the state of the registry, with one page of the repositories that are searched for."""
    if state.updated_at is None:
        return _document(view, _head(view.instance, ""), _note(_NO_RUN))
    repositories = pluralize(len(state.repositories), "repository", "repositories")
    return _document(
        view,
        _head(view.instance, f"{repositories}, last visited {_ago(state.updated_at, view.now)}"),
        _old_state(state.updated_at, view),
        _not_visited(state.not_visited, view),
        _state(state, [_shared_update(shared, view) for shared in state.updates], view),
        _section("Repositories", _repositories(state.repositories, view)),
    )


def render_repository(state: RegistryState | None, images: RepositoryImages, view: WidgetContext) -> str:
    """Render one repository, with one page of its images.

    Args:
        state: of this repository alone; None if no run has ended there.
        images: of the repository.
        view: of the page.
    """
    back = f'<div class="tools">{_button("← All repositories", {"search": view.search}, view)}</div>'
    visited, sums = "no run has finished here yet", ""
    if state and state.updated_at:
        visited = f"last visited {_ago(state.updated_at, view.now)}"
        updates = [_update(shared.update, pluralize(shared.update.images, "image")) for shared in state.updates]
        sums = _state(state, updates, view)
    return _document(view, back, _head(view.repository, visited), sums, _section("Images", _images(images, view)))


def render_problem(message: str, view: WidgetContext) -> str:
    """Render why there is nothing to see."""
    return _document(view, _note(_text(message)), _button("All repositories", {"search": ""}, view))


def _document(view: WidgetContext, *parts: str) -> str:
    classes = "esr narrow cwdb-no-default-styles" if view.narrow else "esr cwdb-no-default-styles"
    return f'<style>{stylesheet(dark=view.dark)}</style><div class="{classes}">{"".join(parts)}</div>'


def _head(title: str, text: str) -> str:
    return f'<div class="top"><span class="name">{_text(title)}</span><span class="muted">{text}</span></div>'


def _section(title: str, content: str) -> str:
    return f'<div><div class="title">{title}</div>{content}</div>'


def _note(content: str) -> str:
    return f'<div class="note">{content}</div>'


def _items(items: Iterable[str]) -> str:
    return f'<ul class="items">{"".join(f"<li>{item}</li>" for item in items)}</ul>'


def _old_state(updated_at: datetime, view: WidgetContext) -> str:
    if updated_at >= view.max_age.before(view.now):
        return ""
    return _note(f"No run has visited a repository for {format_duration(view.max_age)}: is the schedule enabled?")


def _not_visited(names: Sequence[str], view: WidgetContext) -> str:
    if not names:
        return ""
    subject = pluralize(len(names), "repository has", "repositories have")
    examples = ", ".join(map(_text, names[:3])) + (", ..." if len(names) > 3 else "")
    text = f"{subject} not been visited for {format_duration(view.max_age)}: {examples}. "
    text += (
        "They are excluded or fail in each run, or were deleted since the last whole run; they are not counted here."
    )
    return _note(text)


def _state(state: RegistryState, updates: Sequence[str], view: WidgetContext) -> str:
    """Render the tiles, what to do first and what needs attention."""
    attention = [*_overdue(state, view), *_missed(state.coverage)]
    urgent = list(_exploited(state, view))
    columns = [_section("Known exploited", _items(urgent))] if urgent else []
    columns += [_section("Do first", _items(updates))] if updates else []
    columns += [_section("Needs you", _items(attention))] if attention else []
    tiles = [_coverage(state.coverage, view), _worst(state.images_by_worst), _open(state), _deadlines(state, view)]
    below = f'<div class="columns">{"".join(columns)}</div>' if columns else ""
    return f'<div class="tiles">{"".join(tiles)}</div>{below}'


def _tile(label: str, figure: str, content: str, tone: str = "") -> str:
    head = f'<div class="label">{label}</div><div class="figure {tone}">{figure}</div>'
    return f'<div class="tile">{head}{content}</div>'


def _coverage(coverage: Coverage, view: WidgetContext) -> str:
    label = f"Scanned within {format_duration(view.max_age)}"
    if not coverage.promised:
        return _tile(label, "n/a", '<div class="muted">no image is to be scanned</div>')
    missed = coverage.promised - coverage.in_time
    # Never rounded up: 100% means every image.
    percent = f"{coverage.in_time * 10_000 // coverage.promised / 100:.2f}".rstrip("0").rstrip(".")
    bar = _bar([("none", coverage.in_time, "in time"), ("critical", missed, "not in time")])
    text = f"{coverage.in_time:,} of {pluralize(coverage.promised, 'image')}"
    return _tile(label, f"{percent}%", f'{bar}<div class="muted">{text}</div>', "bad" if missed else "good")


def _worst(images_by_worst: Mapping[str, int]) -> str:
    parts = _parts(images_by_worst)
    legend = "".join(
        f'<span><span class="dot {color}"></span>{number:,} {label}</span>' for color, number, label in parts if number
    )
    figure = f"{sum(images_by_worst.values()):,}"
    return _tile("Images by worst finding", figure, f'{_bar(parts)}<div class="legend">{legend}</div>')


def _parts(images_by_worst: Mapping[str, int]) -> list[tuple[str, int, str]]:
    """Return the parts of a bar of images: color, number and label."""
    parts = [(severity.lower(), images_by_worst.get(severity, 0), severity.lower()) for severity in _COLUMNS]
    none = images_by_worst.get("NONE", 0)
    other = sum(images_by_worst.values()) - none - sum(number for _, number, _ in parts)
    return [*parts, ("other", other, "other"), ("none", none, "no findings")]


def _open(state: RegistryState) -> str:
    ignored = f'<div class="muted">{state.ignored:,} ignored</div>' if state.ignored else ""
    content = f"<div>{_pills(state.open)}</div>{ignored}"
    return _tile("Open findings", f"{sum(state.open.values()):,}", content)


def _deadlines(state: RegistryState, view: WidgetContext) -> str:
    if not state.overdue:
        return _tile("Overdue findings", "0", '<div class="muted">none is past its deadline</div>', "good")
    days = max(((view.now - overdue.finding.due_at).days for overdue in state.overdue_worst), default=0)
    text = f"past their deadlines, by {pluralize(days, 'day')} at most" if days > 0 else "past their deadlines"
    return _tile("Overdue findings", f"{state.overdue:,}", f'<div class="muted">{text}</div>', "bad")


def _shared_update(shared: SharedUpdate, view: WidgetContext) -> str:
    name = _opening(shared.repository, view)
    images = pluralize(shared.update.images, "image")
    if shared.repositories == 1:
        return _update(shared.update, f"{images} of {name}")
    return _update(shared.update, f"{images} in {shared.repositories:,} repositories, most in {name}")


def _update(update: Update, where: str) -> str:
    return f'<div>{_package(update)} {_pills(update.counts, 2)}</div><div class="muted">{where}</div>'


def _package(update: Update) -> str:
    installed = _text(truncate(", ".join(update.installed_versions), 60))
    fixed = ", ".join(update.fixed_versions[:3]) + (", ..." if len(update.fixed_versions) > 3 else "")
    target = f" → {_text(truncate(fixed, 60))}" if fixed else ""
    return f"<b>{_text(truncate(update.package, 60))}</b> {installed}{target}"


def _exploited(state: RegistryState, view: WidgetContext) -> Iterator[str]:
    shown = state.exploited_first[:_MAX_URGENT]
    for repository, image, found in shown:
        severity = _text(truncate(found.severity.lower(), 20))
        what = f"{_text(truncate(found.id, 40))} in {_text(truncate(found.package, 60))}"
        due = f"due {format_date(start_of(found.due))}{', ransomware' if found.ransomware else ''}"
        where = _opening(repository, view, image)
        yield f'{_pill(found.severity, severity)} {what} <div class="muted">{due}: {where}</div>'
    if (more := state.exploited - len(shown)) > 0 and shown:
        yield f'<span class="muted">and {more:,} more known exploited</span>'
    if state.exploited_ignored:
        yield f'<span class="muted">{state.exploited_ignored:,} known exploited and ignored</span>'


def _overdue(state: RegistryState, view: WidgetContext) -> Iterator[str]:
    shown = state.overdue_worst[:_MAX_URGENT]
    for overdue in shown:
        found = overdue.finding
        days = (view.now - found.due_at).days
        late = f"due {format_date(found.due_at)}, {pluralize(days, 'day')} overdue" if days > 0 else "due today"
        severity = _text(truncate(found.severity.lower(), 20))
        what = f"{_text(truncate(found.id, 40))} in {_text(truncate(found.package, 60))}"
        where = _opening(overdue.repository, view, overdue.image)
        yield f'{_pill(found.severity, severity)} {what} <div class="muted">{late}: {where}</div>'
    if (more := state.overdue - len(shown)) > 0 and shown:
        yield f'<span class="muted">and {more:,} more overdue</span>'


def _missed(coverage: Coverage) -> Iterator[str]:
    for reason, number in coverage.late.items():
        names = coverage.names.get(reason, ())
        examples = ", ".join(_text(name) for name in names) + (", ..." if names and number > len(names) else "")
        what = f"{pluralize(number, 'image')} not scanned in time: {_text(reason_words(reason))}"
        yield f'{what}<div class="muted">{examples}</div>' if names else what


def _repositories(lines: Sequence[RepositoryLine], view: WidgetContext) -> str:
    search = view.search
    found = [line for line in lines if search.lower() in line.repository.lower()] if search else lines
    shown, pager = _page(found, {"search": search}, view)
    form = f'<input name="search" value="{_text(search)}" placeholder="part of a name" maxlength="256">'
    form += _button("Search", {}, view)
    form += _button("Show all", {"search": ""}, view) if search else ""
    if not shown:
        return f'<div class="tools">{form}</div><div class="muted">No repository name contains this text.</div>'
    head = _header(["Repository", "Images"], "Not in time", view)
    rows = "".join(_repository_row(line, view) for line in shown)
    return f'<div class="tools">{form}{pager}</div><table>{head}{rows}</table>'


def _repository_row(line: RepositoryLine, view: WidgetContext) -> str:
    name = _opening(line.repository, view, search=view.search)
    images, late = sum(line.images_by_worst.values()), line.late
    if view.narrow:
        facts = [pluralize(images, "image")]
        facts += [f"{line.overdue:,} overdue"] if line.overdue else []
        facts += [f"{late:,} not scanned in time"] if late else []
        return f'<tr><td>{name}<div class="muted">{", ".join(facts)}</div></td>{_numbers(line.open, _COLUMNS[:2])}</tr>'
    bar = _bar(_parts(line.images_by_worst))
    count = f'<td class="cell"><div class="images"><span>{images:,}</span>{bar}</div></td>'
    rest = "".join(f'<td class="number">{_bad_number(number)}</td>' for number in (line.overdue, late))
    return f"<tr><td>{name}</td>{count}{_numbers(line.open, _COLUMNS)}{rest}</tr>"


def _images(images: RepositoryImages, view: WidgetContext) -> str:
    notes = ""
    if images.older:
        older = f"{pluralize(images.older, 'image')} without a scan for {format_duration(view.max_age)}"
        notes += f'<div class="muted">Not listed: {older}, most of them deleted.</div>'
    if images.more:
        notes += f'<div class="muted">Only the first {MAX_IMAGES:,} images by digest are listed.</div>'
    shown, pager = _page(images.recent, {"repository": view.repository, "search": view.search}, view)
    if not shown:
        return f'<div class="muted">No image was scanned within {format_duration(view.max_age)}.</div>{notes}'
    head = _header(["Image", "Best update"], "Last scan", view)
    rows = "".join(_image_row(digest, record, view) for digest, record in shown)
    return f'<div class="tools">{pager}</div><table>{head}{rows}</table>{notes}'


def _image_row(digest: str, record: ImageRecord, view: WidgetContext) -> str:
    name = ", ".join(truncate(tag, 60) for tag in record.tags[:_MAX_TAGS]) or short_digest(digest)
    name += f", and {len(record.tags) - _MAX_TAGS} more" if len(record.tags) > _MAX_TAGS else ""
    _, partition, _, region, account, *_ = [*view.endpoint.split(":"), "", "", "", "", ""]
    url = image_console_url(partition, ImageId(account, region, view.repository, digest))
    link = f'<a href="{_text(url)}" target="_blank" rel="noopener noreferrer">{_text(name)}</a>' if url else _text(name)
    exploited = f"{record.exploited:,} known exploited" if record.exploited else ""
    facts = ", ".join(filter(None, (short_digest(digest) if record.tags else "", record.platform, exploited)))
    about = f'<div class="muted">{_text(facts)}</div>' if facts else ""
    status = _status(record)
    if view.narrow:
        about += f'<div class="muted">{status or _ago(record.event_at, view.now)}</div>'
        return f"<tr><td>{link}{about}</td>{_numbers(record.counts, _COLUMNS[:2])}</tr>"
    update = _package(record.updates[0]) if record.updates else ""
    last = f"{_ago(record.event_at, view.now)}{f'<br>{status}' if status else ''}"
    rest = f'<td class="number">{_bad_number(record.overdue)}</td><td class="number">{last}</td>'
    return f"<tr><td>{link}{about}</td><td>{update}</td>{_numbers(record.counts, _COLUMNS)}{rest}</tr>"


def _status(record: ImageRecord) -> str:
    if not record.failed:
        return ""
    return '<span class="bad">not supported</span>' if record.unsupported else '<span class="bad">scan failed</span>'


def _header(names: Sequence[str], last: str, view: WidgetContext) -> str:
    """Return the head of a table: its names, of which a narrow one has the first, numbers by severity, and the last."""
    numbers = ["Critical", "High"] if view.narrow else ["Critical", "High", "Medium", "Low", "Overdue", last]
    cells = [f'<th scope="col">{name}</th>' for name in (names[:1] if view.narrow else names)]
    cells += [f'<th scope="col" class="number">{name}</th>' for name in numbers]
    return f"<thead><tr>{''.join(cells)}</tr></thead>"


def _numbers(counts: Mapping[str, int], severities: Iterable[str]) -> str:
    pills = (_pill(severity, f"{counts[severity]:,}") if counts.get(severity) else _ZERO for severity in severities)
    return "".join(f'<td class="number">{pill}</td>' for pill in pills)


def _page(lines: Sequence[Row], parameters: Mapping[str, object], view: WidgetContext) -> tuple[Sequence[Row], str]:
    """Return the lines of a page, the last one if there are fewer, and the buttons that turn pages."""
    last = max((len(lines) - 1) // PAGE_SIZE + 1, 1)
    page = min(view.page, last)
    start = (page - 1) * PAGE_SIZE
    shown = lines[start : start + PAGE_SIZE]
    text = f"{start + 1:,} to {start + len(shown):,} of {len(lines):,}, the worst first"
    buttons = _button("Previous", {**parameters, "page": page - 1}, view) if page > 1 else ""
    buttons += _button("Next", {**parameters, "page": page + 1}, view) if page < last else ""
    return shown, f'<div class="tools pager"><span class="muted">{text}</span>{buttons}</div>'


def _bar(parts: Iterable[tuple[str, int, str]]) -> str:
    """Draw a bar of parts: color, number and label. Parts that are not zero are visible."""
    parts = [part for part in parts if part[1]]
    total, x, rectangles = sum(number for _, number, _ in parts), 0.0, ""
    scale = (1000 - _SMALLEST_PART * len(parts)) / max(total, 1)
    for color, number, _ in parts:
        width = _SMALLEST_PART + number * scale
        rectangles += f'<rect x="{x:.1f}" width="{width:.1f}" height="10" class="{color}"/>'
        x += width
    label = ", ".join(f"{number:,} {label}" for _, number, label in parts)
    attributes = f'viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label="{label}"'
    return f'<svg class="bar" {attributes}><title>{label}</title>{rectangles}</svg>'


def _pills(counts: Mapping[str, int], most: int = len(_COLUMNS)) -> str:
    found = [(severity, counts[severity]) for severity in _COLUMNS if counts.get(severity)]
    return " ".join(_pill(severity, f"{number:,} {severity.lower()}") for severity, number in found[:most])


def _pill(severity: str, text: str) -> str:
    return f'<span class="pill {severity.lower() if severity in _COLUMNS else "other"}">{text}</span>'


def _bad_number(number: int) -> str:
    return f'<b class="bad">{number:,}</b>' if number else _ZERO


def _ago(moment: datetime | None, now: datetime) -> str:
    """Format `5 hours ago`; the exact time is shown when the pointer rests on it."""
    if moment is None:
        return "never"
    seconds = max((now - moment).total_seconds(), 0)
    sizes = ((86400, "day"), (3600, "hour"), (60, "minute"))
    text = next((f"{pluralize(int(seconds // size), word)} ago" for size, word in sizes if seconds >= size), "just now")
    return f'<span title="{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC">{text}</span>'


def _opening(repository: str, view: WidgetContext, label: str = "", search: str = "") -> str:
    """Return a link that opens a repository."""
    return _action(f"<a>{_text(label or repository)}</a>", {"repository": repository, "search": search}, view)


def _button(label: str, parameters: Mapping[str, object], view: WidgetContext) -> str:
    return _action(f'<a class="button">{label}</a>', parameters, view)


def _action(element: str, parameters: Mapping[str, object], view: WidgetContext) -> str:
    """Let an element call the function again with these parameters."""
    text = json.dumps(parameters)
    for char in "<>&":
        # As JSON's own escapes: then it makes no difference whether the console reads the text or the markup.
        text = text.replace(char, f"\\u{ord(char):04x}")
    endpoint = _text(view.endpoint)
    return f'{element}<cwdb-action action="call" display="widget" endpoint="{endpoint}">{text}</cwdb-action>'


def _text(value: str) -> str:
    return escape(replace_unprintable(value))
