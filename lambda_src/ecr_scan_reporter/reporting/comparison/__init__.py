"""Decides what a scan changed, what is ignored or overdue, and which image replaces which. It makes no calls."""
