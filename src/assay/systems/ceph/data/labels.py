"""What must be true of ceph labels: single columns by Great Expectations."""

from __future__ import annotations

from assay.contract.checks import Rule
from assay.systems.ceph.data.landmarks import STAGES
from assay.systems.ceph.data.layout import SPLITS

# mm a pixel: 0.089–0.144 in Aariz; half a millimetre and more where films were made smaller.
SPACING = (0.02, 2.0)


def rules() -> list[Rule]:
    """CVM is a class 0–5 (published 1–6), spacing is mm a pixel, the published split has a name."""
    low, high = SPACING
    return [
        Rule("cvm_class", "ExpectColumnValuesToBeBetween",
             {"column": "cvm", "min_value": 0, "max_value": STAGES - 1},
             f"a CVM stage is a class 0–{STAGES - 1} (CS1–CS{STAGES}), or not known", rows="all"),
        Rule("spacing_plausible", "ExpectColumnValuesToBeBetween",
             {"column": "spacing", "min_value": low, "max_value": high},
             f"a pixel measures {low:g}–{high:g} mm, or its size is not known", rows="all"),
        Rule("published_split", "ExpectColumnValuesToBeInSet",
             {"column": "subset", "value_set": list(SPLITS)},
             "a film stands in train, valid or test as published", rows="all"),
    ]  # fmt: skip
