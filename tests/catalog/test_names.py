"""Names of tables as people write them."""

from __future__ import annotations

import pytest

from aiser_jupyter.catalog.names import table_ref
from aiser_jupyter.models import TableRef


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("orders", TableRef("orders")),
        ("sales.orders", TableRef("orders", "sales")),
        ("shop.sales.orders", TableRef("orders", "sales", "shop")),
        ('"odd name"', TableRef("odd name")),
        ("odd name", TableRef("odd name")),
        ('sales."a.b"', TableRef("a.b", "sales")),
        ('"my schema" . "my ""table"""', TableRef('my "table"', "my schema")),
        ("`odd ``name`", TableRef("odd `name")),
        ('"Ünïcode🦆"', TableRef("Ünïcode🦆")),
    ],
)
def test_a_name_is_read(written, meant):
    assert table_ref(written) == meant


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", "a.b.c.d", 'a"b', '"open', '"a"b', '""'])
def test_what_cannot_be_read_is_one_name_as_it_stands(name):
    assert table_ref(name) == TableRef(name)
