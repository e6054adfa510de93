"""A notebook's values as BigQuery takes them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as day_time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from aiser_jupyter.connectors.bigquery.parameters import bound
from aiser_jupyter.errors import (
    UsageError,
)


@pytest.mark.parametrize(
    ("value", "type_", "sent"),
    [
        (True, "BOOL", "true"),
        (2**63 - 1, "INT64", str(2**63 - 1)),
        (2**63, "NUMERIC", str(2**63)),
        (10**30, "BIGNUMERIC", str(10**30)),
        (1.5, "FLOAT64", 1.5),
        (float("nan"), "FLOAT64", "nan"),
        (Decimal("1.10"), "NUMERIC", "1.10"),
        (Decimal("0.1234567891"), "BIGNUMERIC", "0.1234567891"),
        ("o'hara 🦆", "STRING", "o'hara 🦆"),
        (None, "STRING", None),
        (b"\x00\xff", "BYTES", "AP8="),
        (date(2024, 2, 29), "DATE", "2024-02-29"),
        (day_time(1, 2, 3, 4), "TIME", "01:02:03.000004"),
        (datetime(2024, 2, 29, 1, 2, 3, 4), "DATETIME", "2024-02-29T01:02:03.000004"),
        (datetime(2024, 2, 29, tzinfo=UTC), "TIMESTAMP", "2024-02-29 00:00:00+00:00"),
        (
            datetime(2024, 2, 29, 5, 30, tzinfo=timezone(timedelta(hours=5.5))),
            "TIMESTAMP",
            "2024-02-29 00:00:00+00:00",
        ),
        (timedelta(days=-1, seconds=3661, microseconds=5), "INTERVAL", "0-0 -1 1:1:1.000005"),
        (UUID(int=1), "STRING", "00000000-0000-0000-0000-000000000001"),
        ({"a": 1}, "JSON", '{"a": 1}'),
    ],
    ids=str,
)
def test_a_value_is_bound_with_the_type_of_its_literal(value: Any, type_: str, sent: Any) -> None:
    (parameter,) = bound([value])
    made = parameter.to_api_repr()
    assert made["parameterType"]["type"] == type_
    assert made["parameterValue"].get("value") == sent
    assert "name" not in made


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([1, 2], "INT64"),
        ([], "INT64"),
        ([1, 2.5], "FLOAT64"),
        ([1, Decimal("1.5")], "NUMERIC"),
        (["a"], "STRING"),
        ([date(2024, 1, 1)], "DATE"),
    ],
)
def test_a_list_is_an_array_of_one_type(values: list[Any], type_: str) -> None:
    (parameter,) = bound([values])
    made = parameter.to_api_repr()
    assert made["parameterType"] == {"type": "ARRAY", "arrayType": {"type": type_}}
    assert len(made["parameterValue"]["arrayValues"]) == len(values)


@pytest.mark.parametrize(
    "value",
    [
        Decimal("NaN"),
        10**39,
        Decimal("1e-39"),
        "\ud800",
        day_time(1, tzinfo=UTC),
        [None],
        [[1]],
        [1, "a"],
        object(),
    ],
    ids=ascii,
)
def test_what_bigquery_has_no_value_for_is_refused(value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        bound([value])
    assert caught.value.hint
