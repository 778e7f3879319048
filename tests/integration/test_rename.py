"""Another name replaces everything, but the memory can be kept. See replacements.py."""

from concurrent.futures import Future

import pytest
from replacements import Renamed


def test_renamed_module_keeps_its_memory(renamed: Future[Renamed] | None) -> None:
    if renamed is None:
        pytest.skip("the endpoint may not have an account for each access key")
    item, lifetime, plan = renamed.result()
    assert item == {"pk": {"S": "OVERVIEWS"}, "sk": {"S": "LAST"}}
    assert lifetime == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    assert "No changes" in plan
