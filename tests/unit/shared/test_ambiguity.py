"""Expressions that take exponential time are refused, and no others."""

import re
from collections import Counter
from itertools import product
from re import _parser
from typing import Any

import pytest
from ecr_scan_reporter.errors import SettingError
from ecr_scan_reporter.settings import compile_regexp
from ecr_scan_reporter.shared import ambiguity
from ecr_scan_reporter.shared.ambiguity import is_exponential
from hypothesis import given, settings
from hypothesis import strategies as st
from support.random_tests import examples

SEMVER = (
    r"^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
    r"(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$"
)
# What Docker's own reference grammar accepts as a name.
DOCKER = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$"


@pytest.mark.parametrize(
    "expression",
    [
        *("^(a+)+$", "(.*a){20}", "(a|aa)+$", "(a*)*b", r"([a-z]+)*\d", r"(\w+-?)+$", "([a-z]+[0-9]*)+$", "(.*)*x"),
        *("((ab)+)+$", "(x+x+)+y", "^(?!(a+)+$)b", "(a{1,30}){1,30}$", "(?:[a-z]+|[a-y]+z)*$", "(?P<t>(a|b|ab)*)c"),
        *("(a+|b+)*$", "(.*?a?)+$", "(?:.*,){10,}", "((a|b)*c?)*$", "(?i:(A|aa)+)$", r"(?:\S+\D)*$", "(?s)(.+)+$"),
        *("(?:a|b(?:c|cc)*)*(a{2}|b)$", "([^b]a?|c)+$", "(?:ab|ab)*$"),
    ],
)
def test_ambiguous_repetition_is_exponential(expression: str) -> None:
    assert is_exponential(expression)
    with pytest.raises(SettingError, match="expected a Python regular expression.* two ways"):
        compile_regexp("GROUP_BY", expression)


@pytest.mark.parametrize(
    "expression",
    [
        *("^([^/]+)/", "^(?!sandbox/)", ".*", "(team-[^/]+)/", r"v?[0-9]+\.", "production/(mirror|cache)/", ""),
        *("^(?!sandbox/)(?=.*-app)(?:team-a|team-b)/", r"(?P<team>[a-z]+)/(?P=team)(?<!-)(?<=a)\Z", r"^(a|b)/\1(?#c)"),
        *(SEMVER, DOCKER, r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$"),
        *("(?:foo|bar|baz|prod|production)*$", ".*.*.*.*=", ".+-.+-.+-.+$", "(a+)b+(a+)$", "(?:[a-z]+-)*[a-z]+$"),
        *(
            "^(?:(?:team|group)-[a-z]{1,3}/)+",
            "(.*a){2}",
            r"((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}\d+$",
            "a{5}b{2,}(c{3})+$",
        ),
        *(r"^20\d\d-(0[1-9]|1[0-2])-\d{2}T?", r"(?:[0-9]+\.?){1,3}$", r"(?a)(?>v+)+([a-z]{1,100}-){1,20}[0-9]{1001}"),
        *("(?:a|[ab])+c", r"(a)?(?(1)b+|c)+$", "(?>a+b?)*c", "(?:a+b)*+c", r"(?:\Aa|\bb)*$", "(?:(?#none))*"),
        *("(a){0}", "(|)(|)(" * 30 + "a" + ")" * 30, "a{5}b{2,}(c{3})+$"),
        "(?:" + "|".join(f"w{number}" for number in range(200)) + ")*$",
    ],
)
def test_ordinary_expressions_are_accepted(expression: str) -> None:
    assert not is_exponential(expression)
    assert compile_regexp("GROUP_BY", expression) == re.compile(expression)


def test_what_is_too_large_to_tell_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    ambiguous = "(?:" + "x?" * 200 + "(a+)+)+$"
    assert is_exponential("(?:x?(a+)+)+$")
    monkeypatch.setattr(ambiguity, "_MAX_STATES", 100)
    assert not is_exponential(ambiguous)
    monkeypatch.setattr(ambiguity, "_MAX_STEPS", 0)
    assert not is_exponential("(?:ab|cd)+(a+b|c)+$")


def ways(nodes: Any, word: str, starts: Counter[int]) -> Counter[int]:
    """Count the ways to match a sequence of nodes from positions in a word, by the position where each ends."""
    for code, value in nodes:
        starts = ways_of_node(str(code), value, word, starts)
    return starts


def ways_of_node(code: str, value: Any, word: str, starts: Counter[int]) -> Counter[int]:
    if code == "SUBPATTERN":
        return ways(value[3], word, starts)
    if code == "BRANCH":
        return sum((ways(nodes, word, starts) for nodes in value[1]), Counter())
    if code == "MAX_REPEAT":
        least, most, nodes = value
        ends = Counter[int]() if least else Counter(starts)
        for _ in range(min(most, len(word))):
            # An iteration that reads nothing is the last one.
            starts = sum((Counter({end: number * each for end, each in ways(nodes, word, Counter([start])).items()
                                   if end > start}) for start, number in starts.items()), Counter())  # fmt: skip
            ends += starts
        return ends
    read = {chr(item) for _, item in value} if code == "IN" else {chr(value)}
    return Counter({start + 1: number for start, number in starts.items() if word[start : start + 1] in read})


def grows_exponentially(expression: str) -> bool:
    """Return whether a word that is repeated twice as often has far more ways: for a polynomial, at most 2^degree."""
    parsed = list(_parser.parse(expression))
    words = ["".join(letters) for size in (1, 2, 3) for letters in product("ab", repeat=size)]
    for prefix, word in product(["", "a", "b"], words):
        few, many = (ways(parsed, prefix + word * times, Counter([0])).total() for times in (7, 14))
        if many > 2**6 * max(few, 1):
            return True
    return False


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "[ab]"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda parts: f"(?:a{parts[0]}|{parts[1]}b)"),
        st.tuples(inner, st.sampled_from("*+?")).map(lambda parts: f"(?:{parts[0]}){parts[1]}"),
    ),
    max_leaves=4,
)


@settings(max_examples=examples(400))
@given(EXPRESSIONS)
def test_exactly_expressions_with_exponentially_many_ways_are_refused(expression: str) -> None:
    assert is_exponential(expression) == grows_exponentially(expression)
