"""Writing a VOTable: astropy's own header, and the rows between its halves as they come.

VOTable 1.4 (Ochsenbein et al. 2019, IVOA Recommendation 20191021), serialised as TABLEDATA, which
every reader knows. A cell that is not known is empty, which the standard allows of every type since
version 1.3.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa

from lensnet.data.table_writing.content import TableContent, described_as, is_text, texts_of

__all__ = ["write"]

# Arrow's type, and what VOTable calls one that holds its numbers.
_NUMBERS: tuple[tuple[pa.DataType, str], ...] = (
    (pa.bool_(), "boolean"),
    (pa.uint8(), "unsignedByte"),
    (pa.int8(), "short"),
    (pa.int16(), "short"),
    (pa.uint16(), "int"),
    (pa.int32(), "int"),
    (pa.uint32(), "long"),
    (pa.int64(), "long"),
    (pa.float32(), "float"),
    (pa.float64(), "double"),
)

# Unified Content Descriptors 1+ (IVOA), by which tools find the columns that they need.
_DESCRIPTORS = {
    "id": "meta.id;meta.main",
    "ra": "pos.eq.ra;meta.main",
    "dec": "pos.eq.dec;meta.main",
    "file": "meta.id;meta.file",
    "status": "meta.code.status",
}

# XML 1.0 has no way to write these.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(path: Path, content: TableContent) -> None:
    """Writes a VOTable.

    Args:
        path: the file.
        content: the table. Whole numbers above 2^63 are text.
    """
    table = content.plain()
    document = io.BytesIO()
    _without_rows(table).to_xml(document, tabledata_format="tabledata")
    before, end, after = document.getvalue().decode("utf-8").partition("</TABLE>")
    with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        stream.write(before)
        if table.rows:
            stream.write("<DATA>\n<TABLEDATA>\n")
            for piece in table.pieces():
                columns = [_cells(column) for column in piece.columns]
                stream.writelines(
                    f"<TR>{''.join(row)}</TR>\n" for row in zip(*columns, strict=True)
                )
            stream.write("</TABLEDATA>\n</DATA>\n")
        stream.write(end + after)


def _without_rows(table: TableContent) -> Any:
    """Returns the document that tells of the columns, by astropy."""
    from astropy.io.votable.tree import Field, Info, Resource, TableElement, VOTableFile

    document = VOTableFile(version="1.4")
    resource = Resource(type="results")
    document.resources.append(resource)
    for name, text in table.about.items():
        resource.infos.append(Info(name=name, value=_as_xml(text)))
    element = TableElement(document, name="scores")
    resource.tables.append(element)
    for one in table.schema:
        kind = next((name for arrow, name in _NUMBERS if arrow == one.type), "unicodeChar")
        size = {"arraysize": "*"} if kind == "unicodeChar" else {}
        column = Field(
            document,
            name=_as_xml(one.name),
            datatype=kind,
            unit=described_as(one, "unit"),
            ucd=_DESCRIPTORS.get(one.name),
            **size,
        )
        column.description = described_as(one, "description")
        element.fields.append(column)
    return document


def _cells(column: pa.ChunkedArray) -> list[str]:
    texts = texts_of(column)
    if is_text(column.type):
        return ["<TD/>" if not text else f"<TD>{escape(_as_xml(text))}</TD>" for text in texts]
    if pa.types.is_floating(column.type):
        texts = [_SPECIAL.get(text, text) if text else text for text in texts]
    return ["<TD/>" if text is None else f"<TD>{text}</TD>" for text in texts]


_SPECIAL = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}


def _as_xml(text: str) -> str:
    return _NOT_XML.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
