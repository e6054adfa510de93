"""A small shop to try queries on: the same rows on every machine.

``create()`` writes ``orders.parquet`` (200 000 rows) and ``customers.csv`` (10 000 rows) and returns
``events`` (300 000 rows), a DataFrame that is on no disk. Some customers have no city or segment, half of
the events have no duration, and names are written as their owners write them.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = ["create", "customers", "events", "orders"]

CUSTOMERS, ORDERS, EVENTS = 10_000, 200_000, 300_000
START, END = np.datetime64("2024-01-01", "s"), np.datetime64("2026-01-01", "s")

PLACES = {
    "Germany": ["Berlin", "Köln", "München"],
    "France": ["Paris", "Lyon", "Besançon"],
    "Spain": ["Madrid", "A Coruña", "Cádiz"],
    "Poland": ["Warszawa", "Łódź", "Kraków"],
    "Sweden": ["Stockholm", "Göteborg", "Malmö"],
    "Greece": ["Αθήνα", "Θεσσαλονίκη"],
    "Japan": ["東京", "大阪", "札幌"],
    "United Kingdom": ["London", "Leeds", "Edinburgh"],
}
FIRST_NAMES = (
    "Aïcha Anna Björn Chloé Dmytro Élise Fatma Giorgos Hana Íñigo João Kasia Liam Мария Nora Óscar 健 Zoë"
)
LAST_NAMES = (
    "Andersson Brontë Çelik Dvořák Eriksen Fernández Größ Hughes Ivanova Jansen Łukasik Müller O'Brien 佐藤"
)
PRODUCTS = {  # name: (category, price, how often it is bought)
    "espresso beans": ("coffee", 14.90, 9),
    "filter beans": ("coffee", 12.50, 8),
    "paper filters": ("coffee", 3.20, 6),
    "hand grinder": ("equipment", 64.00, 2),
    "kettle": ("equipment", 89.90, 2),
    "scale": ("equipment", 39.50, 2),
    "green tea": ("tea", 8.40, 5),
    "black tea": ("tea", 6.90, 5),
    "teapot": ("equipment", 34.00, 1),
    "gift card": ("other", 25.00, 3),
}


def create(folder: str | Path = "data") -> pd.DataFrame:
    """Write the two files where they are missing, and return ``events``.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there.

    Returns
    -------
    pandas.DataFrame
        ``events``: customer_id, kind, happened_at, page, duration_ms.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, write in (("orders.parquet", _write_orders), ("customers.csv", _write_customers)):
        if not (folder / name).exists():
            part = folder / f"{name}.part"  # an interrupted run leaves no half file behind
            write(part)
            part.replace(folder / name)
    return events()


def orders() -> pa.Table:
    """Return the orders: order_id, customer_id, ordered_at, status, product, category, quantity, amount."""
    rng = np.random.default_rng(1)
    names = np.array(list(PRODUCTS))
    often = np.array([weight for _, _, weight in PRODUCTS.values()], dtype=float)
    product = rng.choice(len(names), ORDERS, p=often / often.sum())
    quantity = rng.geometric(0.6, ORDERS).clip(max=12)
    cents = np.array([round(price * 100) for _, price, _ in PRODUCTS.values()])[product] * quantity
    cents = cents * (100 - rng.choice([0, 0, 0, 5, 10], ORDERS)) // 100  # some have a discount
    return pa.table(
        {
            "order_id": pa.array(np.arange(1, ORDERS + 1)),
            "customer_id": pa.array(_customer_ids(rng, ORDERS)),
            "ordered_at": pa.array(np.sort(_times(rng, ORDERS)), pa.timestamp("us")),
            "status": rng.choice(
                ["paid", "shipped", "returned", "cancelled"], ORDERS, p=[0.2, 0.7, 0.06, 0.04]
            ),
            "product": names[product],
            "category": np.array([category for category, _, _ in PRODUCTS.values()])[product],
            "quantity": pa.array(quantity, pa.int32()),
            "amount": _decimal(cents),
        }
    )


def customers() -> pd.DataFrame:
    """Return the customers: customer_id, name, city, country, segment, signed_up."""
    rng = np.random.default_rng(2)
    country = rng.choice(list(PLACES), CUSTOMERS)
    nth = rng.integers(0, 60, CUSTOMERS)
    city = [PLACES[name][n % len(PLACES[name])] for name, n in zip(country, nth, strict=True)]
    first = rng.choice(FIRST_NAMES.split(), CUSTOMERS)
    last = rng.choice(LAST_NAMES.split(), CUSTOMERS)
    segment = rng.choice(["home", "office", "café"], CUSTOMERS, p=[0.7, 0.2, 0.1])
    days = rng.integers(0, 1675, CUSTOMERS)  # all before the first order
    return pd.DataFrame(
        {
            "customer_id": np.arange(1, CUSTOMERS + 1),
            "name": [f"{a} {b}" for a, b in zip(first, last, strict=True)],
            "city": np.where(rng.random(CUSTOMERS) < 0.02, None, city),
            "country": country,
            "segment": np.where(rng.random(CUSTOMERS) < 0.08, None, segment),
            "signed_up": np.datetime64("2019-06-01") + days,
        }
    )


def events() -> pd.DataFrame:
    """Return what customers did on the site; a click has no duration."""
    rng = np.random.default_rng(3)
    kind = rng.choice(["view", "click", "search", "basket"], EVENTS, p=[0.45, 0.4, 0.1, 0.05])
    pages = np.array(["/", "/coffee", "/tea", "/equipment", "/basket", "/help"])
    duration = pd.array(rng.lognormal(8, 1, EVENTS).astype(np.int64), dtype="Int64")
    duration[(kind == "click") | (rng.random(EVENTS) < 0.1)] = pd.NA
    return pd.DataFrame(
        {
            "customer_id": _customer_ids(rng, EVENTS),
            "kind": kind,
            "happened_at": np.sort(_times(rng, EVENTS)),
            "page": rng.choice(pages, EVENTS),
            "duration_ms": duration,
        }
    )


def _write_orders(path: Path) -> None:
    pq.write_table(orders(), path, row_group_size=50_000)


def _write_customers(path: Path) -> None:
    customers().to_csv(path, index=False)


def _customer_ids(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return ids of which a few come often and some never."""
    return 1 + (CUSTOMERS * rng.random(count) ** 2).astype(np.int64)


def _times(rng: np.random.Generator, count: int) -> np.ndarray:
    return (START + rng.integers(0, int((END - START).astype(int)), count)).astype("datetime64[us]")


def _decimal(cents: np.ndarray) -> pa.Array:
    whole = pa.array(cents).cast(pa.decimal128(19, 0))
    return pc.multiply(whole, pa.scalar(Decimal("0.01"))).cast(pa.decimal128(10, 2))
