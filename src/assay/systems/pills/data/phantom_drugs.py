"""The drugs of the phantom: shape, colours, imprint, score line; and what their labels say of them."""

from __future__ import annotations

from dataclasses import dataclass

from assay.systems.pills.data.annotation import DRUG

Colour = tuple[float, float, float]
COLOURS: dict[str, Colour] = {
    "하양": (0.93, 0.93, 0.90), "노랑": (0.93, 0.82, 0.30), "분홍": (0.92, 0.60, 0.66),
    "파랑": (0.35, 0.50, 0.80), "초록": (0.42, 0.68, 0.42), "갈색": (0.55, 0.36, 0.24),
    "빨강": (0.78, 0.22, 0.22), "청록": (0.25, 0.62, 0.62),
}  # fmt: skip
FIRST, STEP = 990017, 37  # K-codes with gaps, as the published ones have
MADE_OF = "phantom: nobody swallows it"


@dataclass(frozen=True)
class Drug:
    """One drug.

    Attributes:
        shape: 원형 (round), 타원형 (oval), 장방형 (oblong), 팔각형 (octagon).
        length: mm, and `breadth`.
        colours: of both halves; one name where they are one.
        prints: on its front and its back.
        is_scored: whether a line crosses its front.
        edi: its EDI codes as published, joined by commas; two drugs may share one, one has none.
    """

    shape: str
    length: float
    breadth: float
    colours: tuple[str, ...]
    prints: tuple[str, str]
    is_scored: bool
    edi: str


# Two pairs differ by their imprint alone, one pair by its score line and imprint.
DRUGS = (
    Drug("원형", 9.0, 9.0, ("하양",), ("AX", "5"), False, "640000010"),
    Drug("장방형", 17.6, 6.1, ("갈색", "청록"), ("CKD", "250"), False, "640000020,A00000020"),
    Drug("원형", 9.0, 9.0, ("하양",), ("HM", "20"), False, "640000030"),
    Drug("타원형", 14.0, 7.5, ("노랑",), ("D7", "D7"), True, "640000040,640000041"),
    Drug("팔각형", 10.5, 10.5, ("분홍",), ("K", "3"), False, "640000050"),
    Drug("원형", 7.5, 7.5, ("파랑",), ("10", "P"), True, "640000060"),
    Drug("장방형", 16.0, 6.0, ("빨강", "하양"), ("YH", "YH"), False, "640000070,A00000020"),
    Drug("타원형", 14.0, 7.5, ("노랑",), ("TS", "1"), True, "640000080"),
    Drug("원형", 11.0, 11.0, ("초록",), ("G4", ""), False, ""),
    Drug("타원형", 12.0, 8.0, ("분홍",), ("R", "50"), False, "640000100"),
    Drug("장방형", 18.0, 6.3, ("파랑", "노랑"), ("NO", "8"), False, "640000110"),
    Drug("팔각형", 10.0, 10.0, ("하양",), ("E2", "E2"), True, "640000120"),
)


def k_code(number: int) -> str:
    """Return the K-code of a drug."""
    return f"K-{FIRST + STEP * number:06d}"


def told_of(number: int) -> dict[str, str | int | float]:
    """Return what every label says of a drug: the published keys, those not drawn left empty."""
    drug, code = DRUGS[number], k_code(number)
    is_capsule = len(drug.colours) > 1
    line = "-" if drug.is_scored else ""
    said: dict[str, str | int | float] = dict.fromkeys(DRUG, "")
    return said | {
        "drug_N": code, "dl_idx": str(FIRST + STEP * number - 1),
        "dl_name": f"모형정 {number + 1}호", "dl_name_en": f"Phantom Tab. No. {number + 1}",
        "img_key": f"http://phantom.invalid/{code}.jpg", "dl_material": MADE_OF,
        "dl_custom_shape": "경질캡슐제" if is_capsule else "정제",
        "dl_company": "모형제약", "dl_company_en": "Phantom Pharma", "item_seq": 209900000 + number,
        "di_etc_otc_code": "일반의약품", "di_edi_code": drug.edi, "drug_shape": drug.shape,
        "thick": 4.5, "leng_long": drug.length, "leng_short": drug.breadth,
        "print_front": drug.prints[0], "print_back": drug.prints[1],
        "color_class1": drug.colours[0], "color_class2": "".join(drug.colours[1:2]),
        "line_front": line, "line_back": "",
        "form_code_name": "경질캡슐제, 산제" if is_capsule else "나정",
    }  # fmt: skip
