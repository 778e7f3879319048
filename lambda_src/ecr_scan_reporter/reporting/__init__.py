"""Turns scan events into reports; knows nothing of the scanners."""
