"""Any numeric value, of any number of digits, is the number that PostgreSQL itself writes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Context, Decimal
from typing import Any

import pytest

from tests.connectors.postgresql_kit import ask, session

SEED = 20240229


@pytest.fixture(scope="module")
def opened(postgresql: Any) -> Iterator[Any]:
    with session(postgresql) as made:
        yield made


def numbers(precision: int, scale: int, count: int) -> list[str | None]:
    """Numbers of all lengths up to ``precision`` digits, ``scale`` of them behind the point, and NULLs."""
    chosen = random.Random(f"{SEED} {precision} {scale}")
    found: list[str | None] = [None, "0", "9" * (precision - scale) or "0"]
    for _ in range(count):
        digits = chosen.randrange(1, precision + 1)
        number = chosen.randrange(10 ** (digits - 1), 10**digits)
        if chosen.random() < 0.3:
            number -= number % 10 ** chosen.randrange(digits)  # zeros at the end are not sent
        sign = chosen.choice((0, 1))
        value = Decimal((sign, tuple(map(int, str(number))), -scale))
        found.append(f"{value:f}" if number else "0")
    chosen.shuffle(found)
    return found


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "plain"])
@pytest.mark.parametrize(
    ("precision", "scale"),
    [(1, 0), (1, 1), (4, 2), (9, 9), (15, 2), (18, 0), (18, 5), (19, 3), (19, 0), (28, 20), (38, 0), (38, 9),
     (38, 38), (39, 0), (50, 25), (76, 0), (76, 75), (76, 76)],
)  # fmt: skip
def test_a_number_is_the_one_that_the_database_writes(
    opened: Any, precision: int, scale: int, declared: bool
) -> None:
    texts = numbers(precision, scale, 300)
    cast = f"numeric({precision},{scale})" if declared else "numeric"
    table = ask(
        opened, f"SELECT x::{cast} AS n, x::{cast}::text AS t FROM unnest($xs::text[]) AS x", {"xs": texts}
    )
    assert str(table.schema.field("n").type).startswith("decimal")
    found = table.column("n").to_pylist()
    exact = Context(prec=100)
    expected = [
        None if text is None else exact.create_decimal(text) for text in table.column("t").to_pylist()
    ]
    assert found == expected
    assert sum(value is None for value in found) == 1
