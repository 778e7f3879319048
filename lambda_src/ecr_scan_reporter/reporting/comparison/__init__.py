"""Decides what a scan changed, what a rule ignores and what is overdue. It calls no service and reads no clock."""
