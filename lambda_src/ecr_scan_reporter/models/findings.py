"""Findings: vulnerabilities of packages in an image."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One vulnerability of one package in an image.

    A package may be installed in several versions and places; `installed_versions` and `paths` name them. `aliases` are
    other ids of the same vulnerability, such as the GHSA id of a CVE. Aliases, fixed versions, `fix_available` and
    `exploit_available` are known with enhanced scanning only. `cvss_score` is 0 to 10; 0 if it is unknown.
    """

    id: str
    severity: str
    package: str = ""
    installed_versions: tuple[str, ...] = ()
    fixed_versions: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    fix_available: bool = False
    exploit_available: bool = False
    cvss_score: float = 0.0
    url: str = ""
    aliases: tuple[str, ...] = ()
