"""Reads what came in: the events of scans, and what ECR knows of those scans and their images."""
