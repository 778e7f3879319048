"""Keeps the images of an Amazon ECR registry scanned and reports what the scans found.

Four Lambda functions share this package. Their handlers are `repositories_scanner.handler`, `images_scanner.handler`,
`reporter.handler` and `console_widget.handler`.

    handlers -> scanning | reporting -> messages -> memory -> aws -> settings -> models -> shared -> errors

Imports follow the arrows only; the import-linter contracts in pyproject.toml enforce them. All
datetimes are aware.

Lambda compiles every module at each cold start, because the zip has no byte code. So a module that few invocations need
is imported where it is needed, and values are NamedTuples: to create a frozen dataclass takes five times as long.
"""
