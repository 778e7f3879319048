"""Keeps the images of an Amazon ECR registry scanned and reports what the scans found.

Three Lambda functions share this package. Their handlers are `repositories_scanner.handler`,
`images_scanner.handler` and `reporter.handler`.

    handlers -> scanning | reporting -> aws -> settings -> models, errors, shared

Imports follow the arrows only; the import-linter contract in pyproject.toml enforces it.
"""
