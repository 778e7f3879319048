"""Which regular expressions are rejected: those that would take exponential time on some texts.

A setting is checked before it is ever matched.

Python's `re` tries every way in which an expression can match a text: `(a+)+$` has 2^n ways for n letters and a digit.
An expression has exponentially many ways if it can come back to the same place by two ways that read the same text.
So it becomes an automaton with one state per character of the expression (Glushkov's), and pairs of states that read
the same text are followed.

https://link.springer.com/chapter/10.1007/978-3-642-22256-6_20 has the criterion (EDA).
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from functools import lru_cache

# Private, but in the standard library of each runtime: Python 3.11 to 3.14.
from re import IGNORECASE, _constants, _parser
from typing import Any, NamedTuple

# The characters of names and tags are among these.
_CHARACTERS = frozenset(map(chr, range(33, 127)))
_CATEGORIES = {
    _constants.CATEGORY_DIGIT: frozenset(filter(str.isdigit, _CHARACTERS)),
    _constants.CATEGORY_SPACE: frozenset[str](),
    _constants.CATEGORY_WORD: frozenset(c for c in _CHARACTERS if c.isalnum() or c == "_"),
}
_CATEGORIES |= {
    _constants.CATEGORY_NOT_DIGIT: _CHARACTERS - _CATEGORIES[_constants.CATEGORY_DIGIT],
    _constants.CATEGORY_NOT_SPACE: _CHARACTERS,
    _constants.CATEGORY_NOT_WORD: _CHARACTERS - _CATEGORIES[_constants.CATEGORY_WORD],
}
# A repetition that is allowed this often counts as one without a bound: (.*a){20} takes as long as (.*a)*.
_UNBOUNDED_FROM = 10
# An expression for which this is not enough is taken for one that is not ambiguous. Inputs have at most 1,024
# characters.
_MAX_STATES, _MAX_STEPS = 1500, 200_000


class _Part(NamedTuple):
    """A part of an expression: the states that it can begin and end with, and in how many ways it matches no text.

    A state that it can begin or end with in several ways is there several times.
    """

    first: tuple[int, ...] = ()
    last: tuple[int, ...] = ()
    empty: int = 1


class _TooLargeError(Exception):
    pass


@lru_cache(maxsize=4096)
def is_exponential(expression: str) -> bool:
    """Return whether a valid regular expression has exponentially many ways to match some text.

    False does not promise that it is fast: it may still have polynomially many, or contain a construct that is not
    looked into, such as a backreference.
    """
    parsed = _parser.parse(expression)
    automaton = _Automaton()
    try:
        automaton.add(parsed, parsed.state.flags)
    except (RecursionError, _TooLargeError):
        return False
    return automaton.is_ambiguous()


class _Automaton:
    """The states of an expression: the characters that each reads, and how often it is followed by each other."""

    def __init__(self) -> None:
        self._reads: list[frozenset[str]] = []
        self._next: list[Counter[int]] = []
        self._loops: set[int] = set()

    def add(self, nodes: Iterable[tuple[Any, Any]], flags: int) -> _Part:
        """Add a sequence of nodes of the parser."""
        whole = _Part()
        for code, value in nodes:
            whole = self._join(whole, self._node(code, value, flags))
        return whole

    def _node(self, code: Any, value: Any, flags: int) -> _Part:
        match str(code):
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                return self._state(_characters(code, value, flags))
            case "SUBPATTERN":
                _, added, removed, nodes = value
                return self.add(nodes, flags & ~removed | added)
            case "BRANCH":
                return _either([self.add(nodes, flags) for nodes in value[1]])
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self._repeat(value, flags)
            case "ASSERT" | "ASSERT_NOT":
                self.add(value[1], flags)
                return _Part()
            case "ATOMIC_GROUP":
                self.add(value, flags)
            case "POSSESSIVE_REPEAT":
                self.add(value[2], flags)
            case "AT":
                return _Part()
        # The text that it reads is not known here: no text takes two ways through it.
        return self._state(frozenset())

    def _state(self, reads: frozenset[str]) -> _Part:
        if len(self._reads) == _MAX_STATES:
            raise _TooLargeError
        self._reads.append(reads)
        self._next.append(Counter())
        state = (len(self._reads) - 1,)
        return _Part(state, state, empty=0)

    def _join(self, before: _Part, after: _Part) -> _Part:
        self._connect(before.last, after.first)
        return _Part(
            _at_most_twice(before.first + after.first * before.empty),
            _at_most_twice(after.last + before.last * after.empty),
            min(before.empty * after.empty, 2),
        )

    def _repeat(self, repetition: tuple[int, int, Any], flags: int) -> _Part:
        """Add a repetition: at most three times after each other, the last of them in a loop if it may be often."""
        least, most, nodes = repetition
        whole, copies = _Part(), min(most, max(least, 1), 2) + (1 < most < _UNBOUNDED_FROM and most > least)
        for number in range(copies):
            part = self.add(nodes, flags)
            if number == copies - 1 and most >= _UNBOUNDED_FROM:
                self._connect(part.last, part.first)
                self._loops.update(part.first)
            whole = self._join(whole, part._replace(empty=max(part.empty, number >= least)))
        return whole

    def _connect(self, before: Iterable[int], after: Sequence[int]) -> None:
        for state in before:
            self._next[state].update(after)

    def is_ambiguous(self) -> bool:
        """Return whether a state comes back to itself by two ways that read the same text."""
        steps = 0
        for start in self._loops:
            pairs, seen = deque([(start, start, False)]), {(start, start, False)}
            while pairs:
                one, other, apart = pairs.popleft()
                for after, often in self._next[one].items():
                    for its in self._next[other]:
                        steps += 1
                        pair = after, its, apart or after != its or (one == other and often > 1)
                        if pair in seen or not self._reads[after] & self._reads[its]:
                            continue
                        if pair == (start, start, True):
                            return True
                        seen.add(pair)
                        pairs.append(pair)
                if steps > _MAX_STEPS:
                    return False
        return False


def _at_most_twice(states: Iterable[int]) -> tuple[int, ...]:
    return tuple(state for state, often in Counter(states).items() for _ in range(min(often, 2)))


def _either(parts: Sequence[_Part]) -> _Part:
    first = tuple(state for part in parts for state in part.first)
    last = tuple(state for part in parts for state in part.last)
    return _Part(first, last, min(sum(part.empty for part in parts), 2))


def _characters(code: Any, value: Any, flags: int) -> frozenset[str]:
    """Return the characters of names that a node for one character matches."""
    items = value if code is _constants.IN else [(code, value)]
    found, negated = set[str](), False
    for kind, item in items:
        match str(kind):
            case "NEGATE":
                negated = True
            case "LITERAL":
                found.add(chr(item))
            case "NOT_LITERAL":
                found.add(chr(item))
                negated = True
            case "RANGE":
                found |= {c for c in _CHARACTERS if item[0] <= ord(c) <= item[1]}
            case "CATEGORY":
                found |= _CATEGORIES.get(item, _CHARACTERS)
            case "ANY":
                found |= _CHARACTERS
    if flags & IGNORECASE:
        found |= {c.swapcase() for c in found}
    return _CHARACTERS - found if negated else _CHARACTERS & found
