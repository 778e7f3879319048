"""Decides which images to scan and starts those scans; knows nothing of findings."""
