"""An invocation stops before Lambda ends it: a tenth of its time before, and 20 seconds at most."""

import pytest
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.errors import DeadlineExceededError
from support.invocations import Context
from support.virtual_time import TIME


@pytest.mark.parametrize(("remaining", "seconds"), [(10, 9), (200, 180), (300, 280), (900, 880)])
def test_time_is_left_for_calls_in_flight(remaining: float, seconds: float) -> None:
    deadline = Deadline.of_invocation(Context(remaining))
    assert deadline.seconds == pytest.approx(seconds)
    TIME.sleep(seconds - 1)
    deadline.check("listing")
    TIME.sleep(1)
    with pytest.raises(DeadlineExceededError, match="no time left for listing"):
        deadline.check("listing")


def test_half_of_the_remaining_time() -> None:
    deadline = Deadline(100)
    TIME.sleep(40)
    assert deadline.halfway().remaining == pytest.approx(30)
