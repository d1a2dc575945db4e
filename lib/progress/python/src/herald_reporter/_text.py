"""Texts, and how many bytes they have in JSON."""

import json


def json_bytes(value: object) -> int:
    """Return how many bytes value has in JSON. Go writes line separators as six bytes, not three."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode()) + 3 * (text.count("\u2028") + text.count("\u2029"))


def cut(text: str, limit: int) -> str:
    """Return text as valid Unicode of at most so many bytes in JSON. A text that was cut ends in an ellipsis."""
    text = text[: limit + 1].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if json_bytes(text) - 2 <= limit:
        return text
    room = limit - len("…".encode())
    for i, char in enumerate(text):
        room -= json_bytes(char) - 2
        if room < 0:
            return text[:i] + "…"
    return text


def valid(text: str) -> bool:
    """Report whether text is valid Unicode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
