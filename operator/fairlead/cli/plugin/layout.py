"""Lines with a label in front, and tables: columns as wide as their widest cell, two spaces between."""

from collections.abc import Sequence

from rich.text import Text

LABEL_WIDTH = 11


def row(label: str, *parts: Text | str | tuple[str, str]) -> Text:
    """One line. A part is a text, a string, or a string and its style; further lines have an empty label."""
    return Text.assemble((f"{label:<{LABEL_WIDTH}}", "bold"), *parts)


def table(head: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> list[Text]:
    """The head and the rows; nothing when there are no rows."""
    if not rows:
        return []
    cells = [[item if isinstance(item, Text) else Text(item) for item in line] for line in rows]
    widths = [max(len(name), *(len(line[at].plain) for line in cells)) for at, name in enumerate(head)]
    lines = [[Text(name, style="dim") for name in head], *cells]
    return [_joined(line, widths) for line in lines]


def _joined(cells: Sequence[Text], widths: Sequence[int]) -> Text:
    joined = Text()
    for cell, width in zip(cells, widths, strict=True):
        joined.append_text(cell).append(" " * (width - len(cell.plain) + 2))
    joined.rstrip()
    return joined


def indented(lines: Sequence[Text]) -> list[Text]:
    """The lines, two spaces in."""
    return [Text("  ").append_text(line) for line in lines]
