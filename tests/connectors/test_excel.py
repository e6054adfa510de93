"""Workbooks as tables. The workbooks are written here, part by part, as the format has them."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from aiser_jupyter.connectors import excel
from aiser_jupyter.errors import DataError, UnknownTable

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
DAY, MOMENT = 1, 2  # styles of a cell: number formats 14 (date) and 22 (date and time)


def cell(value: object) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, dt.date):
        moment = value if isinstance(value, dt.datetime) else dt.datetime(value.year, value.month, value.day)
        serial = (moment - dt.datetime(1899, 12, 30)) / dt.timedelta(days=1)
        return f'<c s="{MOMENT if isinstance(value, dt.datetime) else DAY}"><v>{serial}</v></c>'
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def write(path: Path, **sheets: list[list[object]]) -> Path:
    """Write a workbook of the smallest form that is one."""
    names = "".join(f'<sheet name="{n}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(sheets, 1))
    links = "".join(
        f'<Relationship Id="r{i}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i in range(1, len(sheets) + 1)
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" '
        'ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{links}'
        f'<Relationship Id="s" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/>'
        '<xf numFmtId="22"/></cellXfs></styleSheet>',
    }
    for number, rows in enumerate(sheets.values(), 1):
        data = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData></worksheet>'
        )
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, HEAD + text)
    return path


def test_columns_have_the_types_of_their_cells(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["n", "f", "s", "b", "d", "t", "mix", "empty", "n", None],
        [1, 1.5, "é", True, dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 12, 30), 7, None, 1, "x"],
        [None, 2, None, False, None, None, "seven", None, None, None],
    ]
    table, notices = excel.read(str(write(tmp_path / "book.xlsx", S=rows)))
    assert [(field.name, str(field.type)) for field in table.schema] == [
        ("n", "int64"),
        ("f", "double"),
        ("s", "string"),
        ("b", "bool"),
        ("d", "date32[day]"),
        ("t", "timestamp[us]"),
        ("mix", "string"),
        ("empty", "string"),
        ("n_2", "int64"),
        ("column_10", "string"),
    ]
    assert table.column("n").to_pylist() == [1, None]
    assert table.column("d").to_pylist() == [dt.date(2024, 2, 29), None]
    assert table.column("t").to_pylist() == [dt.datetime(2024, 2, 29, 12, 30), None]
    assert table.column("mix").to_pylist() == ["7", "seven"]
    assert [notice.message.split()[1] for notice in notices] == ["'mix'"]


def test_a_sheet_is_named_after_the_hash(tmp_path: Path) -> None:
    write(tmp_path / "book.xlsx", First=[["a"], [1]], Second=[["b"], [2]])
    assert excel.read("book.xlsx", tmp_path)[0].to_pylist() == [{"a": 1}]
    assert excel.read("book.xlsx#Second", tmp_path)[0].to_pylist() == [{"b": 2}]
    with pytest.raises(UnknownTable, match="has no sheet 'Secnd'") as caught:
        excel.read("book.xlsx#Secnd", tmp_path)
    assert caught.value.hint == "Did you mean 'Second'?"


def test_a_sheet_with_a_header_only_has_no_rows(tmp_path: Path) -> None:
    write(tmp_path / "book.xlsx", S=[["a", "b"]])
    table, _ = excel.read("book.xlsx", tmp_path)
    assert (table.num_rows, table.column_names) == (0, ["a", "b"])


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "bad.xlsx").write_bytes(b"PK\3\4 this is no archive")
    with pytest.raises(DataError, match=r"The workbook 'bad.xlsx' cannot be read"):
        excel.read("bad.xlsx", tmp_path)
    write(tmp_path / "empty.xlsx", S=[])
    with pytest.raises(DataError, match="is empty"):
        excel.read("empty.xlsx", tmp_path)
    with pytest.raises(UnknownTable) as caught:
        excel.read("emty.xlsx", tmp_path)
    assert caught.value.hint == "Did you mean 'empty.xlsx'?"
