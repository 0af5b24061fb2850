"""Shapes and texts of SVG pictures that stand in a page or alone, as markup.

It refuses what needs a second file: no script, style sheet or font is loaded. Every text is escaped here, so that no
value of the data becomes markup.
"""

import unicodedata
from xml.sax.saxutils import escape

INK, SOFT, RULE = "#1d2b24", "#4f5f57", "#dcdfd9"
FONT = "system-ui, 'Noto Sans', 'Noto Sans CJK JP', 'Hiragino Sans', 'Yu Gothic', sans-serif"
HALO = " stroke='#fff' stroke-width='3' stroke-linejoin='round' paint-order='stroke'"
"""A white rim that keeps figures readable where they cross a line."""


def document(
    *, ident: str, language: str, width: int, height: int, title: str, description: str, parts: list[str]
) -> str:
    """An `<svg>` element with a name and a description for readers who do not see it; ids begin with `ident`."""
    opening = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' "
        f"height='{height}' style='max-width:100%;height:auto' role='img' xml:lang='{language}' "
        f"lang='{language}' aria-labelledby='{ident}-t' aria-describedby='{ident}-d' font-family=\"{FONT}\">"
    )
    lines = [
        opening,
        f"<title id='{ident}-t'>{safe(title)}</title>",
        f"<desc id='{ident}-d'>{safe(description)}</desc>",
        # A ground of its own: a page in dark mode would swallow dark ink.
        f"<rect width='{width}' height='{height}' fill='#fff'/>",
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def safe(text: str) -> str:
    """Text for an XML element: escaped, and signs that XML has no room for replaced."""
    return escape("".join(sign if _in_xml(sign) else "\N{REPLACEMENT CHARACTER}" for sign in text))


def _in_xml(sign: str) -> bool:
    """Whether a character is one of XML 1.0's production Char; control characters and surrogates are not."""
    code = ord(sign)
    return sign in "\t\n\r" or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


def text(
    x: float,
    y: float,
    content: str,
    *,
    size: int = 12,
    anchor: str = "start",
    weight: int = 400,
    fill: str = INK,
    halo: bool = False,
) -> str:
    """One line of text, its baseline at `y`."""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' text-anchor='{anchor}' font-weight='{weight}' "
        f"fill='{fill}'{HALO if halo else ''}>{safe(content)}</text>"
    )


def line(x1: float, y1: float, x2: float, y2: float, colour: str = RULE) -> str:
    """A straight line."""
    return f"<path d='M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}' stroke='{colour}' fill='none'/>"


def box(x: float, y: float, width: float, height: float, *, fill: str, outline: str | None = None) -> str:
    """A rectangle; nothing where it has no extent."""
    # An outline would show a bar of width 0 as a line: a share of nothing must look like nothing.
    if width <= 0 or height <= 0:
        return ""
    edge = "" if outline is None else f" stroke='{outline}' stroke-width='0.8'"
    return f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}' fill='{fill}'{edge}/>"


def pointer_area(x: float, y: float, width: float, height: float) -> str:
    """Where the pointer may rest, unseen."""
    return (
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}' fill='none' "
        "pointer-events='all'/>"
    )


def group(title: str, *shapes: str) -> str:
    """Shapes that belong together, with a sentence that shows where the pointer rests."""
    return f"<g><title>{safe(title)}</title>{''.join(shapes)}</g>"


def width_of(content: str) -> int:
    """The room a text takes, in half-width characters (Unicode Standard Annex 11, as Japanese fonts draw it)."""
    # Ambiguous signs count as wide: too much room is a gap, too little is an overlap.
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WFA" else 1
        for sign in content
    )


def shortened(content: str, width_max: int) -> str:
    """The text within a width, its middle left out: names of places and jobs differ at both ends."""
    if width_of(content) <= width_max:
        return content
    head, tail = content, content[len(content) // 2 :]
    # The ellipsis is an ambiguous sign and takes 2. The head gets three fifths: Japanese addresses begin coarse.
    while width_of(tail) > (width_max - 2) * 2 // 5:
        tail = tail[1:]
    while width_of(head) > width_max - 2 - width_of(tail):
        head = head[:-1]
    return f"{head.rstrip()}…{tail.lstrip()}"
