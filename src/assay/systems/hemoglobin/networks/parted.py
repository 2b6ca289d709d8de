"""A timm network in two parts: a trunk that never learns, and the last stages, which thaw.

Every network of the study is a row of modules, each fed what the one before it says; timm's own `forward`
runs them so, and `features_only` keeps some of their outputs. Parted here instead of there: what
`features_only` leaves out (a final norm, convolution or stage's head) belongs to the late features, both
kinds of fusion then share one trunk, and weights keep the names that their files have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from assay.errors import MachineError

LEVELS = 4  # the last so many maps, at 1/4, 1/8, 1/16 and 1/32 of the image's side


class Steps(nn.Module):
    """Modules in a row, some of whose maps are pooled on the way.

    Args:
        steps: the modules by timm's names.
        levels: the names of those whose outputs (b, channels, h, w) are pooled.
    """

    def __init__(self, steps: dict[str, nn.Module], levels: Sequence[str]) -> None:
        super().__init__()
        self.names, self.levels = list(steps), list(levels)
        self.steps = nn.ModuleList(steps.values())
        self.pools = [name in levels for name in steps]

    def forward(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last output, and the pooled levels side by side (b, channels of all levels)."""
        pooled = []
        for step, pools in zip(self.steps, self.pools, strict=True):
            value = step(value)
            if pools:
                pooled.append(value.mean((2, 3)))
        return value, torch.cat(pooled, 1)

    def up_to_levels(self) -> Steps:
        """Return the same modules without what follows the last level, which no level learns from."""
        last = max(place for place, pools in enumerate(self.pools) if pools)
        steps = dict(zip(self.names[: last + 1], self.steps, strict=False))
        return Steps(steps, self.levels)


class PartedBackbone(nn.Module):
    """A timm network without its classifier, parted before its last stages.

    Attributes:
        trunk: normalised images (b, 3, h, w) → a map (b, c, h, w), and the levels before it.
        tail: that map → the network's own features (b, late), and the levels behind it.
        widths: channels of the last four levels.
        own: how many numbers of all levels are the trunk's.
        late: width of the network's features.

    Args:
        network: from timm, `num_classes=0`.
        unfreeze: how many of the last stages are the tail, 1 or 2.
    """

    def __init__(self, network: nn.Module, unfreeze: int) -> None:
        super().__init__()
        info: list[dict[str, Any]] = list(cast("Any", network).feature_info)[-LEVELS:]
        names = [str(each["module"]) for each in info]
        steps = steps_of(network, names)
        cut = list(steps).index(names[-1 - unfreeze]) + 1
        self.trunk = Steps(dict(list(steps.items())[:cut]), names)
        self.tail = Steps(dict(list(steps.items())[cut:]), names)
        self.widths = [int(each["num_chs"]) for each in info]
        self.own = sum(self.widths[: LEVELS - unfreeze])
        self.late = cast("int", network.head_hidden_size)


def steps_of(network: nn.Module, levels: Sequence[str]) -> dict[str, nn.Module]:
    """Return a network's modules in their order, as finely as the names of its levels are."""
    steps: dict[str, nn.Module] = {}
    for name, child in network.named_children():
        inner = isinstance(child, nn.Sequential) and any(
            level.startswith(f"{name}.") for level in levels
        )
        steps |= (
            {f"{name}.{key}": each for key, each in child.named_children()}
            if inner
            else {name: child}
        )
    return steps


@torch.no_grad()
def ensure_parted(network: nn.Module, parted: PartedBackbone, name: str, size: int) -> None:
    """Refuse a network that is no row of modules: its parts would say something else than it does.

    Raises:
        MachineError: with how far the two are apart.
    """
    learns = network.training
    image = torch.linspace(-1, 1, 3 * size * size).reshape(1, 3, size, size)
    whole = network.eval()(image)
    found, _ = parted.eval().tail(parted.trunk(image)[0])
    network.train(learns)
    if found.shape != whole.shape or not torch.equal(found, whole):
        raise MachineError(
            f"backbone {name}", "its modules in a row do not say what it says",
            "a network of timm that is a row of modules",
            "dvc exp run -S 'hemoglobin-fusion.model.nail=[convnext_tiny]', or another",
        )  # fmt: skip
