"""Renders one page of a report: one module per format, each with `render(page, context)`."""
