"""Elements of HTML and SVG. All text and attributes are escaped when they are written."""

import re
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

#: What an element may contain. None and empty text are left out.
Content = Element | str | None
LONGEST_NUMBER = 30  # characters, with a spread beside it
#: Words in heads of columns and beside numbers that are explained where they stand.
WORDS = {
    "p50": "half of all took no longer",
    "p90": "90 of 100 took no longer",
    "p99": "99 of 100 took no longer",
    "p99.9": "999 of 1,000 took no longer",
    "saturation": "the most users a second that go all the way",
    "lag": "how much later the second store has a user than the first",
    "speed-up": "how many times as much as one carries",
    "efficiency": "the speed-up for each: 100% if each were as good as the first",
    "fairness": "Jain's index: 1 if all had as many users",
    "due": "what the load asked for",
}


def element(tag: str, *contents: Content, **attributes: str | float | None) -> Element:
    """An element. `class_` becomes `class`, other underscores become hyphens, and None is left out."""
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip("_").replace("_", "-"), value if isinstance(value, str) else f"{value:g}")
    add(made, contents)
    return made


def add(to: Element, contents: Iterable[Content]) -> None:
    """Append text and elements to an element."""
    for content in contents:
        if isinstance(content, Element):
            to.append(content)
        elif content:
            _add_text(to, content)


def explained(name: str, what: str) -> Element:
    """A word, and what it means for whoever points at it."""
    return element("abbr", name, title=what)


def worded(name: Content) -> Content:
    """The name, explained where it has a word that needs it."""
    words = re.findall(r"[\w.-]*\w", name) if isinstance(name, str) else []
    what = "; ".join(f"{word}: {WORDS[word]}" for word in words if word in WORDS)
    return explained(name, what) if isinstance(name, str) and what else name


def _is_sentence(cell: Content) -> bool:
    return isinstance(cell, str) and len(cell) > LONGEST_NUMBER


def _add_text(to: Element, text: str) -> None:
    if len(to):
        to[-1].tail = (to[-1].tail or "") + text
    else:
        to.text = (to.text or "") + text


def table(caption: str, header: Sequence[Content], rows: Iterable[Sequence[Content]]) -> Element:
    """A table whose rows begin with their name. It scrolls if it is wider than the screen.

    Columns are aligned as numbers, unless one of their cells is a sentence.
    """
    cells = [list(row) for row in rows]
    styles = ["sentences" if any(map(_is_sentence, column)) else None for column in zip(*cells, strict=True)]
    head = element("tr", *(element("th", worded(name), scope="col") for name in header))
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", cell, class_=style) for cell, style in zip(row[1:], styles[1:], strict=True)),
        )
        for row in cells
    ]
    made = element("table", element("caption", caption), element("thead", head), element("tbody", *body))
    return element("div", made, class_="scroll", tabindex="0", role="region", aria_label=caption)


def section(name: str, title: str, *contents: Content) -> Element:
    """A part of a page with its title; `name` is where links lead to."""
    return element("section", element("h2", title), *contents, id=re.sub(r"[^\w-]+", "-", name))


def details(summary: str, *contents: Content) -> Element:
    """Contents that are hidden until the reader opens them."""
    return element("details", element("summary", summary), *contents)
