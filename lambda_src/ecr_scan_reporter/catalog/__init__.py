"""The catalog of known exploited vulnerabilities: reads it, and believes it only if it looks like one.

It comes from outside, so nothing of it but ids, days and a flag is kept, and a copy that is wrong in anything is wrong
as a whole: the one before stays.
"""
