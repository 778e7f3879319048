"""Small helpers that call no AWS service: time, schedules, expressions, text, concurrency."""
