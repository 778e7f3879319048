"""Keeps the images of an Amazon ECR registry scanned and reports what the scans found.

Four Lambda functions share this package. Their handlers are `repositories_scanner.handler`, `images_scanner.handler`,
`reporter.handler` and `console_widget.handler`.

    handlers -> scanning | reporting -> memory -> aws -> settings -> models -> shared -> errors

Imports follow the arrows only; the import-linter contract in pyproject.toml enforces it.
"""
