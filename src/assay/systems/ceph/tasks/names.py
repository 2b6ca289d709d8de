"""The landmarks by symbol, and the CVM stages, in the data's order; tests hold the lists together.

Tasks do not import data: a changed phantom must not make a trained model stale.
"""

SYMBOLS = (
    "A", "ANS", "B", "Me", "N", "Or", "Pog", "PNS", "Pn", "R", "S", "Ar", "Co", "Gn", "Go", "Po",
    "LPM", "LIT", "LMT", "UPM", "UIA", "UIT", "UMT", "LIA", "Li", "Ls", "N`", "Pog`", "Sn",
)  # fmt: skip
COUNT = len(SYMBOLS)
STAGES = ("CS1", "CS2", "CS3", "CS4", "CS5", "CS6")  # of classes 0–5
