"""What of a landmark network learns when, and how fast: the head at once, the backbone perhaps later."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from torch import nn

from assay.errors import MachineError
from assay.learning.schedules import after, warmup_cosine
from assay.learning.training_spec import ParamGroup
from assay.learning.vision.blocks import SmallEncoder, TimmEncoder
from assay.systems.ceph.tasks import landmarks_networks

if TYPE_CHECKING:
    from assay.systems.ceph.tasks.params import LandmarkTrain


def make_parts(network: landmarks_networks.Network, params: LandmarkTrain) -> list[ParamGroup]:
    """Return backbone and head, each with its rate; the backbone may stand still at first.

    The head's cosine runs over all epochs, the backbone's, with a warm-up of its own, over those in
    which it learns; both end at the same share of their peak. With `unfreeze: top` the backbone's is its
    top alone, and the rest is in no part: frozen for good, batch norm's statistics too.
    """
    whole, ratio = landmarks_networks.backbone(network), params.backbone_lr / params.lr
    own = {id(value) for value in whole.parameters()}
    slow = whole
    if params.unfreeze == "top":
        slow = top(whole)
        whole.eval().requires_grad_(False)
        slow.train().requires_grad_(True)
    learning = warmup_cosine(
        params.epochs - params.freeze_epochs,
        params.warmup_epochs,
        params.backbone_lr,
        params.lr_final * ratio,
    )
    backbone = ParamGroup(
        "backbone",
        list(slow.parameters()),
        after(params.freeze_epochs, learning),
        params.backbone_lr,
        slow if params.freeze_epochs else None,
    )
    backbone.enter(0)
    head = [value for value in network.parameters() if id(value) not in own]
    schedule = warmup_cosine(params.epochs, params.warmup_epochs, params.lr, params.lr_final)
    return [backbone, ParamGroup("head", head, schedule, params.lr)]


def top(backbone: nn.Module) -> nn.Module:
    """Return all that comes behind the last features but one, finest first: `layer4` of a ResNet.

    timm registers its modules in the order in which they are run, and says where features are taken.

    Raises:
        MachineError: there is nothing to be learned: a VGG ends its features with a pooling.
    """
    if isinstance(backbone, SmallEncoder):
        return backbone.stages[-1]
    if isinstance(backbone, TimmEncoder):
        backbone = cast("nn.Module", backbone.backbone)
    before = cast("list[dict[str, str]]", backbone.feature_info)[-2]["module"]
    modules = list(backbone.named_modules())
    within = [name == before or name.startswith(f"{before}.") for name, _ in modules]
    behind = len(modules) - within[::-1].index(True)
    found = nn.ModuleList(module for _, module in modules[behind:])
    if not any(True for _ in found.parameters()):
        raise MachineError(
            "train.unfreeze", f"no weights behind {before} of the backbone", "a last stage that learns",
            "dvc exp run -S ceph-landmarks.train.unfreeze=all",
        )  # fmt: skip
    return found
