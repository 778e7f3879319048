"""Hold the module, its parts and the examples to the schema of the newest AWS provider.

That provider need not be installed: CDK Terrain publishes its schema on npm as type definitions. Each attribute and
each nested block that a .tf file sets has to exist there, and so has each attribute that an expression reads. The type
definitions do not say what is deprecated, so DEPRECATED does. For a newer provider, set VERSION and SHA512 to what
`npm view @cdktn/provider-aws version dist.integrity` prints.
"""

import re
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2
from npm_package import download

ROOT = Path(__file__).resolve().parent.parent
VERSION = "25.7.0"  # of provider 6.66.0
SHA512 = "E/nhu0yVZE4mXMgIPuI8tEFt1BExLkA7ARjihdG+/HmfDfzLr+OEF3dkFRvI6glRt30lrrBWQLwXqCJBxcmyUg=="

# "Deprecated" in the provider's upgrade guide for version 6 and in its documentation.
DEPRECATED = {
    ("data", "aws_region", "id"),
    ("data", "aws_region", "name"),
    ("resource", "aws_cloudwatch_event_rule", "is_enabled"),
    ("resource", "aws_iam_role", "inline_policy"),
    ("resource", "aws_iam_role", "managed_policy_arns"),
}
# Terraform's own, which no provider defines.
META_ARGUMENTS = {"count", "depends_on", "for_each", "lifecycle", "provider", "connection", "provisioner"}
MARKS = {"__is_block__", "__comments__"}

_INTERFACE = re.compile(r"^export interface (\w+)[^{\n]*\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_MEMBER = re.compile(r"/\*\*((?:(?!\*/).)*)\*/\s*readonly \w+\??: (\w*)", re.DOTALL)
_GETTER = re.compile(r"^    get (\w+)\(\)", re.MULTILINE)
_REFERENCE = re.compile(r"(?<![\w.])(data\.)?(aws_\w+)\.\w+(?:\[[^\]]*\])?\.(\w+)")


class Schema:
    """The schema of one resource or data source, read from its type definitions."""

    def __init__(self, definitions: str) -> None:
        self._interfaces = {
            name: dict(_attributes(body)) for name, body in _INTERFACE.findall(definitions) if "#" in body
        }
        resource = definitions[definitions.rindex("export declare class ") :]
        self.readable = set(_GETTER.findall(resource))
        # The first interface is the resource's own.
        self._root = next((name for name in self._interfaces if name.endswith("Config")), "")

    def problems(self, block: dict[str, Any], interface: str | None = None) -> Iterator[str]:
        """Yield what is wrong with the attributes of a block."""
        attributes = self._interfaces.get(self._root if interface is None else interface, {})
        for name, value in _set_attributes(block):
            if name not in attributes:
                yield f"{name} is not in the schema"
                continue
            for nested in _nested_blocks(value):
                yield from (f"{name}.{problem}" for problem in self.problems(nested, attributes[name]))


def _attributes(interface: str) -> Iterator[tuple[str, str]]:
    """Yield the attributes and nested blocks of an interface; with each block, the name of its own interface."""
    for comment, type_ in _MEMBER.findall(interface):
        if named := re.search(r"#(\w+) \w+#\w+\}", comment):
            yield named[1], type_


def _set_attributes(block: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a block sets; a dynamic block counts as the block that it makes."""
    for name, value in block.items():
        if name == "dynamic":
            for dynamic in value:
                for label, body in dynamic.items():
                    if label not in MARKS:
                        yield label.strip('"'), body["content"]
        elif name not in META_ARGUMENTS | MARKS:
            yield name, value


def _nested_blocks(value: Any) -> Iterator[dict[str, Any]]:
    for entry in value if isinstance(value, list) else []:
        if isinstance(entry, dict) and entry.get("__is_block__"):
            yield entry


class Provider:
    """All schemas of the provider.

    Args:
        tarball: the npm package.
        names: names of the resources and data sources to read, such as `sqs_queue` and `data_aws_region`.
    """

    def __init__(self, tarball: Path, names: set[str]) -> None:
        self._schemas: dict[str, Schema] = {}
        wanted = {f"package/lib/{name.replace('_', '-')}/index.d.ts": name for name in names}
        with tarfile.open(tarball) as package:
            for member in package:
                if member.name in wanted and (file := package.extractfile(member)):
                    self._schemas[wanted[member.name]] = Schema(file.read().decode())

    def schema(self, kind: str, type_: str) -> Schema | None:
        """Return the schema of a resource or data source; None if there is none."""
        return self._schemas.get(_key(kind, type_))


def _key(kind: str, type_: str) -> str:
    return ("data_aws_" if kind == "data" else "") + type_.removeprefix("aws_")


@dataclass(frozen=True, slots=True)
class Use:
    """A resource or data source of a file, or an attribute that is read from one."""

    file: str
    kind: str
    type: str
    name: str
    block: dict[str, Any]
    reads: str = ""


def uses(path: Path) -> Iterator[Use]:
    """Yield what a .tf file uses of the provider."""
    text = path.read_text()
    file = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    for kind in ("resource", "data"):
        for entry in hcl2.loads(text).get(kind, []):
            for type_, named in entry.items():
                if not type_.startswith('"aws_'):
                    continue
                for name, block in named.items():
                    if name not in MARKS:
                        yield Use(file, kind, type_.strip('"'), name.strip('"'), block)
    code = "\n".join(line.partition(" # ")[0] for line in text.splitlines() if not line.lstrip().startswith("#"))
    for data, type_, attribute in _REFERENCE.findall(code):
        yield Use(file, "data" if data else "resource", type_, "", {}, attribute)


def problems(found: list[Use], provider: Provider) -> Iterator[str]:
    """Yield one line for each attribute that the provider does not have or has deprecated."""
    for use in found:
        where = f"{use.file}: {use.type}{f'.{use.name}' if use.name else ''}"
        schema = provider.schema(use.kind, use.type)
        for name in sorted({use.reads, *use.block}):
            if (use.kind, use.type, name) in DEPRECATED:
                yield f"{where}: {name} is deprecated"
        if schema is None:
            yield f"{where}: {use.kind} is not in the schema"
        elif use.reads:
            camel = re.sub(r"_(\w)", lambda match: match[1].upper(), use.reads)
            if camel not in schema.readable:
                yield f"{where}: {use.reads}, which is read, is not in the schema"
        else:
            yield from (f"{where}: {problem}" for problem in schema.problems(use.block))


def files() -> list[Path]:
    """Return the .tf files of the module, its parts and the examples."""
    return sorted(path for pattern in ("*.tf", "modules/*/*.tf", "examples/*/*.tf") for path in ROOT.glob(pattern))


def main() -> None:
    """Check all .tf files; exit with a line for each problem."""
    found = [use for path in files() for use in uses(path)]
    tarball = download("@cdktn/provider-aws", VERSION, SHA512)
    wrong = list(dict.fromkeys(problems(found, Provider(tarball, {_key(use.kind, use.type) for use in found}))))
    if wrong:
        sys.exit("\n".join(wrong))
    resources = sum(not use.reads for use in found)
    print(f"{resources} resources and {len(found) - resources} references agree with {tarball.stem}")


if __name__ == "__main__":
    main()
