"""Holds small helpers that call no AWS service: time, schedules, durations, text, concurrency."""
