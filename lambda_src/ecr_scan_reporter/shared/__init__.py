"""Holds small helpers that know nothing of AWS."""
