"""Pages of ECR's lists."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws.basic_scanning import EcrError
from local_aws.paging import page


@given(st.lists(st.integers(), max_size=60), st.integers(min_value=1, max_value=20))
def test_the_pages_are_the_list_and_come_to_an_end(items: list[int], size: int) -> None:
    collected: list[int] = []
    request: dict[str, Any] = {"maxResults": size}
    while True:
        part, token = page(items, request, "DescribeImages app")
        assert len(part) <= size
        collected += part
        if not token:
            break
        request |= token
    assert collected == items


def test_a_page_has_100_items_by_default() -> None:
    assert len(page(range(101), {}, "ListImages app")[0]) == 100


@pytest.mark.parametrize("token", ["bogus", "bnVsbA==", "WzEsMl0=", "é"])
def test_a_token_that_ecr_did_not_give_is_refused(token: str) -> None:
    with pytest.raises(EcrError, match="InvalidParameterException"):
        page([1, 2], {"nextToken": token}, "ListImages app")


def test_a_token_of_another_list_is_refused() -> None:
    token = page([1, 2], {"maxResults": 1}, "ListImages app")[1]
    with pytest.raises(EcrError, match="InvalidParameterException"):
        page([1, 2], token, "ListImages other")


@pytest.mark.parametrize("size", [0, -1, 1001])
def test_page_sizes_out_of_bounds_are_refused_by_value(size: int) -> None:
    with pytest.raises(EcrError, match=str(size)):
        page([1], {"maxResults": size}, "ListImages app")
