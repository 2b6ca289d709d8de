"""Spellings of one text: what cannot be seen, and what other keyboards and systems write for it."""

from __future__ import annotations

import re

# Blanks of every kind, and characters without a width: soft hyphen, Hangul fillers, marks of direction.
BLANK = (
    "[\\s\u00ad\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2800\u3164\ufeff\uffa0]"
)
_ENDS = re.compile(f"^{BLANK}+|{BLANK}+$")


def stripped(text: str) -> str:
    """Return a text without blanks, seen or not, at its ends."""
    return text.strip() if text.isascii() else _ENDS.sub("", text)
