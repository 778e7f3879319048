"""Reads the events of scans that came in, and ECR's results and details of those scans and their images."""
