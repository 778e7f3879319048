"""Keeps the images of an Amazon ECR registry scanned, and tells what the scans found.

Three Lambda functions share this package; each has one handler:
`repositories_scanner.handler`, `images_scanner.handler` and `reporter.handler`.
"""
