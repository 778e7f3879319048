"""The report of changes: what waits, who gets it, how it reads."""
