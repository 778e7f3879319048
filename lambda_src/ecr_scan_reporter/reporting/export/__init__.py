"""The export: what is open now, as files. One line per image and open finding, as NDJSON and as CSV."""
