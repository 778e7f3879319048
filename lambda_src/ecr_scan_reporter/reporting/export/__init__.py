"""The export: the findings open now, as files. One line per image and open finding, as NDJSON and as CSV."""
