#!/usr/bin/env bash
# timm 1.0.31's `features_only` leaves out what a network has behind its last stage. Where that is a norm alone
# (convnext, coatnet), the last map, pooled, has the width of the network's features and other values: a head that
# was trained on the features takes it without an error or a warning. `feature_info` tells width and reduction, and
# of the norm nothing. Where a convolution is left out (efficientnet) the width tells; a resnet has nothing there.
# Seen in timm/models/_features.py, `FeatureDictNet`: modules behind the last one asked for are not taken along.
# Run and seen 2026-12-01, Python 3.11. Fails where any of this has changed. Needs uv and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv -q --python 3.11 "$folder/env"
uv pip install -q --python "$folder/env/bin/python" timm==1.0.31 torch==2.13.0 torchvision==0.28.0
cd "$folder"
"$folder/env/bin/python" -W error::UserWarning - <<'CODE'
import sys

import timm
import torch

SIDES = {"test_resnet": 64, "test_efficientnet": 64, "test_convnext": 64, "coatnet_0_rw_224": 224}


@torch.no_grad()
def found(name: str, side: int) -> str:
    """How the last map, pooled, stands to the network's features, both at the same weights."""
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=0).eval()
    maps = timm.create_model(name, features_only=True).eval()
    own = {key.replace(".", "_"): value for key, value in network.state_dict().items()}
    maps.load_state_dict({key: own[key.replace(".", "_")] for key in maps.state_dict()})
    image = torch.randn(1, 3, side, side)
    features, pooled = network(image), maps(image)[-1].mean((2, 3))
    if features.shape != pooled.shape:
        return "another width"
    return "equal" if torch.allclose(features, pooled, atol=1e-5) else "same width, other values"


said = {name: found(name, side) for name, side in SIDES.items()}
print(f"timm {timm.__version__}: the last map of features_only, pooled, against the network's features")
for name, each in said.items():
    print(f"{name}: {each}")
sys.exit(list(said.values()) != ["equal", "another width", *["same width, other values"] * 2])
CODE
