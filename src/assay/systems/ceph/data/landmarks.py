"""The 29 landmarks of Aariz, in the published order; everywhere in this system they are numbered by it.

Aariz: Sci Data 12:1336 (2025). The paper's own table has another order: join by id, never by place.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Landmark:
    """One landmark: its published id, its title, and the symbol that orthodontists write."""

    id: str
    title: str
    symbol: str


LANDMARKS = tuple(
    Landmark(*fields)
    for fields in (
        ("ckr20ld7v4a4r0za3gqkydid2", "A-point", "A"),
        ("ckr6rysyb3jyi0y303gbq84ks", "Anterior Nasal Spine", "ANS"),
        ("ckr6rysyb3jyk0y301dcyhf9q", "B-point", "B"),
        ("ckr6rysyc3jym0y307w5s1g4a", "Menton", "Me"),
        ("ckr6rysyc3jyo0y3083er4fow", "Nasion", "N"),
        ("ckr6rysyc3jyq0y306afa3t9a", "Orbitale", "Or"),
        ("ckr6rysyd3jys0y30gd1rahjp", "Pogonion", "Pog"),
        ("ckr6rysyd3jyu0y30ah3205y8", "Posterior Nasal Spine", "PNS"),
        ("ckr6rysyd3jyw0y30hbbkfcb2", "Pronasale", "Pn"),
        ("ckr6rysye3jyy0y30h8n07rrl", "Ramus", "R"),
        ("ckr6rysye3jz00y30fzx36g43", "Sella", "S"),
        ("ckr6rysye3jz20y303mmleb3m", "Articulare", "Ar"),
        ("ckr6rysye3jz40y309hjl6dp2", "Condylion", "Co"),
        ("ckr6rysyf3jz60y30d6ir73i6", "Gnathion", "Gn"),
        ("ckr6rysyf3jz80y308ruj39bx", "Gonion", "Go"),
        ("ckr6rysyf3jza0y3010od7lu3", "Porion", "Po"),
        ("ckr6rysyf3jzc0y30bjsl17p5", "Lower 2nd PM Cusp Tip", "LPM"),
        ("ckr6rysyf3jze0y308g246gqv", "Lower Incisor Tip", "LIT"),
        ("ckr6rysyf3jzg0y3004pzauxj", "Lower Molar Cusp Tip", "LMT"),
        ("ckr6rysyf3jzi0y303zh895ny", "Upper 2nd PM Cusp Tip", "UPM"),
        ("ckr6rysyg3jzk0y303unk9msw", "Upper Incisor Apex", "UIA"),
        ("ckr6rysyg3jzm0y30e4r55szn", "Upper Incisor Tip", "UIT"),
        ("ckr6rysyg3jzo0y309pc56jgb", "Upper Molar Cusp Tip", "UMT"),
        ("ckr6rysyg3jzq0y309625913x", "Lower Incisor Apex", "LIA"),
        ("ckr6rysyg3jzs0y30533sccfw", "Labrale inferius", "Li"),
        ("ckr6rysyg3jzu0y308e25br5c", "Labrale superius", "Ls"),
        ("ckr6rysyg3jzw0y30cnaufc5r", "Soft Tissue Nasion", "N`"),
        ("ckr6rysyh3jzy0y30dqpoar9x", "Soft Tissue Pogonion", "Pog`"),
        ("ckr6rysyh3k000y302tpa6jn2", "Subnasale", "Sn"),
    )
)
SYMBOLS = tuple(landmark.symbol for landmark in LANDMARKS)
COUNT = len(LANDMARKS)
PLACE = {symbol: place for place, symbol in enumerate(SYMBOLS)}
STAGES = 6  # CVM: CS1–CS6, numbered 0–5 here and 1–6 as published
STAGE_IDS = (
    "cl9ci0iy22jm807w12q3331m3",
    "cl9ci0iy22jma07w1fb137cme",
    "cl9ci0iy22jmc07w1fq1o53mi",
    "cl9ci0iy22jme07w142e7coez",
    "cl9ci0iy22jmg07w1eiu566n8",
    "cl9ci0iy22jmi07w13ibffvlh",
)
