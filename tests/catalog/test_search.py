"""Search over the names and comments of a catalog: what is found, in which order, and how fast."""

from __future__ import annotations

import time

import pytest

from aiser_jupyter.catalog.search import SearchIndex
from aiser_jupyter.models import Column, Table


def table(name, *columns, schema="public", comment=None):
    return Table(name, schema=schema, columns=columns, comment=comment)


def column(name, comment=None):
    return Column(name, "int", comment=comment)


def names(hits):
    return [hit.table.name if hit.column is None else f"{hit.table.name}.{hit.column.name}" for hit in hits]


def test_exact_then_prefix_then_start_of_a_word_then_inside_then_comments():
    index = SearchIndex(
        [
            table("notes", comment="what an order is"),
            table("reorder", column("id")),
            table("customer_order", column("order_id")),
            table("orders", column("id", comment="of the ORDER")),
            table("order", column("id")),
            table("lines", column("order")),
        ]
    )
    assert names(index.search("Order")) == [
        "order",
        "lines.order",
        "orders",
        "customer_order.order_id",
        "customer_order",
        "reorder",
        "notes",
        "orders.id",
    ]


def test_where_it_was_found_is_said():
    index = SearchIndex([table("t", column("a", comment="the euro amount"))])
    (hit,) = index.search("euro")
    assert (hit.table.name, hit.column.name, hit.where) == ("t", "a", "comment")


def test_a_name_and_its_comment_are_one_hit():
    index = SearchIndex([table("euro", comment="euro")])
    assert [hit.where for hit in index.search("euro")] == ["name"]


def test_the_limit_keeps_the_best():
    index = SearchIndex([*(table(f"my_{number}_x") for number in range(100)), table("x")])
    assert names(index.search("x", limit=1)) == ["x"]
    assert len(index.search("x", limit=30)) == 30


@pytest.mark.parametrize("word", ["", "  "])
def test_nothing_is_searched_for_nothing(word):
    assert SearchIndex([table("t")]).search(word) == []


def test_case_is_folded_as_in_unicode():
    index = SearchIndex([table("Straße", column("GRÖSSE"))])
    assert names(index.search("STRASSE")) == ["Straße"]
    assert names(index.search("grösse")) == ["Straße.GRÖSSE"]


def test_a_word_with_a_dot_names_its_owner_too():
    index = SearchIndex(
        [table("orders", column("amount"), schema="sales"), table("orders", column("amount"), schema="old")]
    )
    found = index.search("sales.ord")
    assert [(hit.table.schema, hit.column) for hit in found] == [("sales", None)]
    assert names(index.search("orders.amo")) == ["orders.amount"] * 2
    assert [hit.table.schema for hit in index.search("old.orders.amount")] == ["old"]


def test_characters_of_patterns_mean_themselves():
    index = SearchIndex([table("a%b"), table("a_b"), table("axb")])
    assert names(index.search("a_b")) == ["a_b"]
    assert names(index.search("%")) == ["a%b"]


def test_a_table_without_columns_is_found_by_its_name():
    assert names(SearchIndex([Table("t")]).search("t")) == ["t"]


@pytest.mark.long
def test_10_000_tables_of_10_columns_are_searched_in_100_ms():
    index = SearchIndex(
        [
            table(
                f"table_{number}", *(column(f"column_{number}_{place}", "a comment") for place in range(10))
            )
            for number in range(10_000)
        ]
    )
    took = []
    for word in ("column_9999_9", "o", "comment", "nothing of the kind", "table_77.column"):
        began = time.perf_counter()
        index.search(word)
        took.append(time.perf_counter() - began)
    print(f"\nsearch of 110,000 names: {max(took) * 1000:.0f} ms at most")
    assert max(took) < 0.1
