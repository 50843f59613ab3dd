"""What a PromQL expression asks for, as far as ours go: no strings outside selectors, no offsets, no `@`."""

import re

_SELECTOR = re.compile(r"(\b[a-z_]\w*)\b(?!\s*\()\s*(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
_RANGE = re.compile(r"\[[^\]\s]*\](?=\s*\))")
_OPERATORS = {"and", "or", "unless"}

Series = list[tuple[str, dict[str, str]]]


def not_found(expression: str, series: Series) -> set[str]:
    """Selectors that match none of `series`, and labels grouped by that none of the matched ones has."""
    matched: Series = []
    missing: set[str] = set()
    for name, matchers in _SELECTOR.findall(_RANGE.sub("", _GROUPING.sub("", expression))):
        if name in _OPERATORS:
            continue
        found = [one for one in series if one[0] == name and _matches(one[1], matchers)]
        matched += found
        if not found:
            missing.add(f"{name}{{{matchers}}}")
    grouped = {label.strip() for labels in _GROUPING.findall(expression) for label in labels.split(",")}
    return missing | {label for label in grouped if not any(label in labels for _, labels in matched)}


def _matches(labels: dict[str, str], matchers: str) -> bool:
    return all(_holds(labels.get(name, ""), sign, value) for name, sign, value in _MATCHER.findall(matchers))


def _holds(label: str, sign: str, value: str) -> bool:
    is_equal = label == value if sign in ("=", "!=") else re.fullmatch(value, label) is not None
    return is_equal if sign in ("=", "=~") else not is_equal
