"""The pruned schema is Shopify's own, holds what our documents need, and nothing more."""

from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from sandbox.shopify import prune_schema
from sandbox.shopify.answers import ROOT
from sandbox.shopify.prune_schema import prune, read_documents
from sandbox.shopify.schema import pruned_schema

WHOLE = build_schema(
    '''
    """The root."""
    type QueryRoot { card(id: ID!, "unused" theme: String): Card, node(id: ID!): Node, shop: Shop }
    type Mutation { make(input: MakeInput!): Card, drop(id: ID!): Card }
    interface Node { id: ID! }
    interface Moved { amount: Decimal!, id: ID!, when: String }
    "A card."
    type Card implements Node { id: ID!, "held" balance: Money!, moves: [Moved!]!, kind: Kind }
    type Up implements Moved & Node { amount: Decimal!, id: ID!, when: String, up: Int }
    type Down implements Moved & Node { amount: Decimal!, id: ID!, when: String, down: Int }
    type Shop { name: String }
    type Money { amount: Decimal!, currency: Kind! }
    enum Kind { "paid" PAID FREE }
    input MakeInput { amount: Decimal!, deep: DeepInput }
    input DeepInput { kind: Kind }
    scalar Decimal
    schema { query: QueryRoot, mutation: Mutation }
    '''
)


def pruned(text: str) -> str:
    return prune(WHOLE, {Path("ours.graphql"): text})


def test_only_what_is_visited_stays_and_without_descriptions() -> None:
    sdl = pruned("query($id: ID!) { card(id: $id) { balance { amount } } }")
    assert sdl == prune_schema.HEADER + "\n" + (
        "schema {\n  query: QueryRoot\n}\n\n"
        "type Card {\n  balance: Money!\n}\n\n"
        "scalar Decimal\n\n"
        "type Money {\n  amount: Decimal!\n}\n\n"
        "type QueryRoot {\n  card(id: ID!): Card\n}\n"
    )


def test_types_of_an_interface_keep_its_fields_and_inputs_stay_whole() -> None:
    sdl = pruned(
        """
        mutation Make($input: MakeInput!) {
          make(input: $input) { moves { amount ... on Up { up } } }
        }
        query Look($id: ID!) { node(id: $id) { ... on Down { down } } }
        """
    )
    schema = build_schema(sdl)
    up, down = schema.type_map["Up"], schema.type_map["Down"]
    assert set(getattr(up, "fields", ())) == {"amount", "id", "up"}
    assert set(getattr(down, "fields", ())) == {"amount", "id", "down"}
    assert {"MakeInput", "DeepInput", "Kind"} <= set(schema.type_map)
    assert "Shop" not in schema.type_map
    assert "drop" not in sdl


def test_a_document_that_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match=r"ours\.graphql: .*nothing"):
        pruned("{ shop { nothing } }")


def test_a_folder_without_documents_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_documents([tmp_path])


def test_every_document_of_ours_is_valid_against_the_pruned_schema() -> None:
    documents = read_documents()
    assert len(documents) > 10
    for file, text in documents.items():
        assert validate(pruned_schema(), parse(text)) == [], file


def test_every_root_field_of_the_schema_is_answered() -> None:
    schema = pruned_schema()
    assert schema.query_type is not None
    assert schema.mutation_type is not None
    assert set(schema.query_type.fields) | set(schema.mutation_type.fields) == set(ROOT)


def test_the_pruned_schema_holds_nothing_that_no_document_visits() -> None:
    """Pruning it once more changes nothing. (`--check` compares it with Shopify's own.)"""
    kept = prune_schema.PRUNED_FILE.read_text(encoding="utf-8")
    assert prune(build_schema(kept), read_documents()) == kept
