"""The colors and the CSS of the widget, for light and dark dashboards.

All CSS is below one class: a widget's styles may apply to the whole page.
"""

import re

# On a light and on a dark dashboard: colors of text, lesser text, lines, areas and links; then of the severities, and
# of the text on them.
_COLORS = {
    "text": ("#16191f", "#e4e9f0"),
    "muted": ("#5f6b7a", "#9aa7b8"),
    "line": ("#dfe4ea", "#3a4553"),
    "area": ("#f5f7f9", "#1d2733"),
    "link": ("#0b62c4", "#6cb2ff"),
    "warn": ("#8a5a00", "#f5c451"),
    "warn-area": ("#fff6e0", "#332a12"),
    "good": ("#1d7a45", "#5fc48c"),
    "critical": ("#b3123e", "#e8386a"),
    "high": ("#dd5a1a", "#f07b3f"),
    "medium": ("#e5a50a", "#f0bd45"),
    "low": ("#3d84cc", "#64a5ea"),
    "other": ("#7d8998", "#7f8c9c"),
    "none": ("#3f9c68", "#4fb07d"),
    "on-critical": ("#ffffff", "#ffffff"),
    "on-high": ("#ffffff", "#1f0d00"),
    "on-medium": ("#2b1d00", "#2b1d00"),
    "on-low": ("#ffffff", "#04182e"),
    "on-other": ("#ffffff", "#0f1419"),
}
_CSS = """
.esr{color:@text;font:13px/1.45 "Amazon Ember","Helvetica Neue",Roboto,Arial,sans-serif;padding:4px 8px 12px}
.esr *{box-sizing:border-box}
.esr cwdb-action{display:none}
.esr a{color:@link;text-decoration:none;cursor:pointer}
.esr a:hover{text-decoration:underline}
.esr .top{display:flex;flex-wrap:wrap;gap:2px 16px;align-items:baseline;margin:0 0 10px}
.esr .name{font-size:18px;font-weight:700;overflow-wrap:anywhere}
.esr .muted{color:@muted}
.esr .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(220px,1fr));gap:10px}
.esr .tile{background:@area;border-radius:8px;padding:10px 14px 12px;min-width:0}
.esr .label{color:@muted;font-size:12px;font-weight:700}
.esr .figure{font-size:26px;line-height:1.3;font-weight:700}
.esr .good{color:@good}
.esr .bad{color:@critical}
.esr .bar{display:block;width:100%;height:10px;border-radius:5px;margin:4px 0 8px}
.esr .cell{width:1px}
.esr .cell .bar{height:8px;margin:0}
.esr .legend{display:flex;flex-wrap:wrap;gap:2px 12px}
.esr .dot{display:inline-block;width:9px;height:9px;border-radius:50%;margin-right:5px}
.esr .columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:0 28px}
.esr.narrow .tiles{grid-template-columns:repeat(2,minmax(0,1fr))}
.esr.narrow .tile{padding:8px 10px}
.esr.narrow .columns{grid-template-columns:minmax(0,1fr)}
.esr .title{font-size:15px;font-weight:700;margin:18px 0 4px}
.esr .items{margin:0;padding:0;list-style:none}
.esr .items li{border-top:1px solid @line;padding:6px 0;overflow-wrap:anywhere}
.esr .items li:first-child{border-top:0}
.esr .pill{display:inline-block;border-radius:9px;padding:0 8px;font-size:12px;font-weight:700;white-space:nowrap}
.esr .critical{background:@critical;fill:@critical;color:@on-critical}
.esr .high{background:@high;fill:@high;color:@on-high}
.esr .medium{background:@medium;fill:@medium;color:@on-medium}
.esr .low{background:@low;fill:@low;color:@on-low}
.esr .other{background:@other;fill:@other;color:@on-other}
.esr .none{background:@none;fill:@none}
.esr .images{display:flex;gap:8px;align-items:center;justify-content:flex-end;white-space:nowrap}
.esr .images .bar{width:180px}
.esr .note{background:@warn-area;color:@warn;border-radius:8px;padding:8px 14px;margin:0 0 10px;overflow-wrap:anywhere}
.esr table{width:100%;border-collapse:collapse;margin:4px 0 0;background:none}
.esr th{color:@muted;font-size:12px;font-weight:700;text-align:left;padding:4px 8px;border-bottom:1px solid @line;\
vertical-align:bottom}
.esr td{padding:5px 8px;border-bottom:1px solid @line;vertical-align:top;overflow-wrap:anywhere}
.esr th.number,.esr td.number{text-align:right;white-space:nowrap;overflow-wrap:normal}
.esr th.number{width:96px}
.esr.narrow th.number{width:72px}
.esr td:first-child,.esr th:first-child{padding-left:0}
.esr tr:hover td{background:@area}
.esr .tools{display:flex;flex-wrap:wrap;gap:6px 10px;align-items:center;margin:2px 0 6px}
.esr input{background:none;border:1px solid @muted;border-radius:6px;color:@text;font:inherit;padding:3px 9px;\
width:240px;max-width:100%}
.esr.narrow input{width:140px}
.esr .button{border:1px solid @link;border-radius:12px;padding:2px 12px;font-weight:700;white-space:nowrap}
.esr .pager{margin:0 0 0 auto}
"""


def stylesheet(*, dark: bool) -> str:
    """Return the CSS in the colors of a theme."""
    return re.sub("@([a-z-]+)", lambda match: _COLORS[match[1]][dark], _CSS)
