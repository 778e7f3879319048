"""Reads the catalog of known exploited vulnerabilities, and decides whether to believe it.

It comes from outside: only ids, days and a flag are kept, and one error rejects the copy. The last one stays.
"""
