"""Cuts Shopify's published schema down to what this shop uses, so that the sandbox loads quickly.

    python -m sandbox.shopify.prune_schema            write sandbox/shopify/schema.graphql
    python -m sandbox.shopify.prune_schema --check    say whether that file is up to date

Shopify publishes the whole Admin schema inside an npm package; `npm pack` fetches it. Kept are the
fields and arguments that a document of ours visits: the client's, and those of the sandbox's own
tests. Everything else is absent, so a query for it is refused as Shopify refuses a field that does
not exist, instead of being answered with something invented.
"""

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from graphql import (
    FieldNode,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    NamedTypeNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_client_schema,
    get_named_type,
    parse,
    print_ast,
    print_type,
    validate,
    visit,
)
from graphql.language import (
    EnumTypeDefinitionNode,
    InputObjectTypeDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    TypeDefinitionNode,
)

API_VERSION = "2026-10"
NPM_PACKAGE = "@shopify/dev-mcp"
SCHEMA_MEMBER = f"package/dist/data/admin_{API_VERSION}.json.gz"

PROJECT = Path(__file__).parents[2]
PRUNED_FILE = Path(__file__).with_name("schema.graphql")
DOCUMENT_FOLDERS = (
    PROJECT / "layers/shared/giftcards/clients/shopify",
    PROJECT / "tests/sandbox/shopify/documents",
)

# Input fields the sandbox has no answer for. Left out, so that sending one is refused loudly:
# customers and recipients make Shopify send mail of its own, currencies other than the shop's
# need exchange rates.
UNSUPPORTED_INPUT_FIELDS = {
    "GiftCardCreateInput": frozenset(
        {"customerId", "recipientAttributes", "crossCurrencyRedemptionStrategy"}
    ),
    "GiftCardUpdateInput": frozenset(
        {"customerId", "recipientAttributes", "crossCurrencyRedemptionStrategy"}
    ),
}

HEADER = f"""\
# Shopify's Admin schema {API_VERSION}, cut down to what this project visits and its descriptions
# removed. Written by `python -m sandbox.shopify.prune_schema`; do not edit.
"""

type Kept = Mapping[str, Mapping[str, set[str]]]


def read_documents(folders: Iterable[Path] = DOCUMENT_FOLDERS) -> dict[Path, str]:
    """Every GraphQL document of ours, by its file; `FileNotFoundError` for an empty folder."""
    documents: dict[Path, str] = {}
    for folder in folders:
        found = sorted(folder.glob("*.graphql"))
        if not found:
            raise FileNotFoundError(f"{folder} holds no .graphql file")
        documents |= {file: file.read_text(encoding="utf-8") for file in found}
    return documents


def fetch_schema() -> GraphQLSchema:
    """The whole Admin schema, out of the npm package; needs `npm` and its registry.

    Raises `FileNotFoundError` without npm, `subprocess.CalledProcessError` when npm fails.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is needed to fetch Shopify's schema; install Node.js")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(  # noqa: S603 - a fixed command, nothing in it comes from outside
            [npm, "pack", "--silent", NPM_PACKAGE],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as package:
            member = package.extractfile(SCHEMA_MEMBER)
            if member is None:
                raise FileNotFoundError(f"{NPM_PACKAGE} holds no {SCHEMA_MEMBER}")
            introspection = json.loads(gzip.decompress(member.read()))
    return build_client_schema(introspection["data"])


class _Visits(Visitor):
    """Notes the fields, arguments and types one document touches."""

    def __init__(self, type_info: TypeInfo) -> None:
        super().__init__()
        self._type_info = type_info
        self.fields: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.named: set[str] = set()

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent = self._type_info.get_parent_type()
        if parent is not None and not node.name.value.startswith("__"):
            arguments = {argument.name.value for argument in node.arguments}
            self.fields[parent.name][node.name.value] |= arguments

    def enter_named_type(self, node: NamedTypeNode, *_: object) -> None:
        self.named.add(node.name.value)


def prune(schema: GraphQLSchema, documents: Mapping[Path, str]) -> str:
    """The part of `schema` that `documents` visit, as SDL without descriptions.

    Raises `ValueError` naming the file when a document does not fit the schema.
    """
    fields: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    types: set[str] = set()
    for file, text in documents.items():
        document = parse(text)
        problems = validate(schema, document)
        if problems:
            raise ValueError(f"{file.name}: {problems[0].message}")
        type_info = TypeInfo(schema)
        visits = _Visits(type_info)
        visit(document, TypeInfoVisitor(type_info, visits))
        types |= visits.named
        for name, visited in visits.fields.items():
            for field, arguments in visited.items():
                fields[name][field] |= arguments
    kept_types = _types_mentioned(schema, fields, types)
    while _complete_interfaces(schema, fields, kept_types):
        kept_types = _types_mentioned(schema, fields, types)
    return _write(schema, fields, kept_types)


def _complete_interfaces(
    schema: GraphQLSchema, fields: dict[str, dict[str, set[str]]], types: set[str]
) -> bool:
    """Give every kept type the fields of its kept interfaces, or the schema would not be valid.

    Returns whether anything was added.
    """
    before = {name: set(kept) for name, kept in fields.items()}
    for name in sorted(types):
        kept = schema.type_map[name]
        if isinstance(kept, GraphQLInterfaceType) and not fields[name]:
            # Reached by fragments only, as Node is; an interface needs a field.
            fields[name][next(iter(kept.fields))] |= set()
        if isinstance(kept, GraphQLObjectType):
            for interface in kept.interfaces:
                for field, arguments in fields.get(interface.name, {}).items():
                    fields[name][field] |= arguments
    return before != {name: set(kept) for name, kept in fields.items()}


def _types_mentioned(
    schema: GraphQLSchema, fields: Mapping[str, Mapping[str, set[str]]], named: set[str]
) -> set[str]:
    """The types of kept fields, of their arguments, those named, and all below input objects."""
    waiting = [*named, *fields]
    for name, kept in fields.items():
        parent = schema.type_map[name]
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            raise TypeError(f"{name} has no fields")
        for field, arguments in kept.items():
            definition = parent.fields[field]
            waiting.append(get_named_type(definition.type).name)
            waiting += [get_named_type(definition.args[each].type).name for each in arguments]
    types: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in types:
            continue
        types.add(name)
        below = schema.type_map[name]
        if isinstance(below, GraphQLInputObjectType):
            unsupported = UNSUPPORTED_INPUT_FIELDS.get(name, frozenset())
            waiting += [
                get_named_type(field.type).name
                for key, field in below.fields.items()
                if key not in unsupported
            ]
    return types


def _write(schema: GraphQLSchema, fields: Kept, types: set[str]) -> str:
    built_in = {"String", "Int", "Float", "Boolean", "ID"}
    definitions = [
        print_ast(_cut(schema, name, fields, types)) for name in sorted(types - built_in)
    ]
    roots = [
        f"  {operation}: {root.name}"
        for operation, root in (("query", schema.query_type), ("mutation", schema.mutation_type))
        if root is not None and root.name in types
    ]
    opening = "schema {\n" + "\n".join(roots) + "\n}"
    return "\n\n".join([HEADER.rstrip(), opening, *definitions]) + "\n"


def _cut(schema: GraphQLSchema, name: str, fields: Kept, types: set[str]) -> TypeDefinitionNode:
    (node,) = parse(print_type(schema.type_map[name])).definitions
    if not isinstance(node, TypeDefinitionNode):
        raise TypeError(f"{name} is no type definition")
    node.description = None
    if isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
        kept = fields.get(name, {})
        node.interfaces = tuple(each for each in node.interfaces if each.name.value in types)
        node.fields = tuple(each for each in node.fields if each.name.value in kept)
        for field in node.fields:
            wanted = kept[field.name.value]
            field.description = None
            field.arguments = tuple(each for each in field.arguments if each.name.value in wanted)
            for argument in field.arguments:
                argument.description = None
    elif isinstance(node, InputObjectTypeDefinitionNode):
        unsupported = UNSUPPORTED_INPUT_FIELDS.get(name, frozenset())
        node.fields = tuple(each for each in node.fields if each.name.value not in unsupported)
        for input_field in node.fields:
            input_field.description = None
    elif isinstance(node, EnumTypeDefinitionNode):
        for value in node.values:
            value.description = None
    return node


def main(arguments: list[str] | None = None) -> int:
    """Write the pruned schema, or with `--check` compare it; 1 when it is out of date."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    chosen = parser.parse_args(arguments)
    pruned = prune(fetch_schema(), read_documents())
    if not chosen.check:
        PRUNED_FILE.write_text(pruned, encoding="utf-8")
        print(f"wrote {PRUNED_FILE.relative_to(PROJECT)}")  # noqa: T201 - this is a command
        return 0
    up_to_date = PRUNED_FILE.read_text(encoding="utf-8") == pruned
    print("up to date" if up_to_date else "out of date: run it without --check")  # noqa: T201 - as above
    return 0 if up_to_date else 1


if __name__ == "__main__":
    sys.exit(main())
