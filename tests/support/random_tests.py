"""How random tests run: few examples, always the same, in `make test`; many new ones in `make fuzz` (FUZZ=1).

A test says how many examples `make fuzz` tries: `@settings(max_examples=examples(1000))`. No example has a time limit,
because a slow machine is no fault of the code.
"""

import os

from hypothesis import HealthCheck, settings

FUZZ = os.environ.get("FUZZ") == "1"


def examples(many: int) -> int:
    """Return how many examples to try: all in `make fuzz`, else one in 20, but at least 10."""
    return many if FUZZ else max(many // 20, 10)


settings.register_profile(
    "ecr-scan-reporter",
    max_examples=examples(500),
    deadline=None,
    derandomize=not FUZZ,
    database=None,
    print_blob=True,
    # Fixtures are shared by the examples of a test on purpose.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("ecr-scan-reporter")
