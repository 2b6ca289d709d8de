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


def in_parts(network: nn.Module, unfreeze: int, name: str, size: int) -> PartedBackbone:
    """Return a network in its two parts, which do not learn.

    Args:
        network: from timm, `num_classes=0`; its modules become the parts'.
        unfreeze: how many of the last stages are the tail.
        name: timm's, for the error.
        size: side of an image that the network takes, px.

    Raises:
        MachineError: it is no row of modules: its parts would say something else than it does.
    """
    try:
        parted = PartedBackbone(network.eval(), unfreeze).eval()
        fault = _fault(network, parted, size)
    except (
        AssertionError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        fault = f"its modules cannot be run in a row: {str(error).partition(chr(10))[0]}"
    if fault:
        raise MachineError(
            f"backbone {name}", fault, f"a row of modules, the last {LEVELS} levels of which are maps",
            "dvc exp run -S 'hemoglobin-fusion.model.nail=[convnext_tiny]' (or .conjunctiva), or another"
            " of recipes/hemoglobin/backbones.txt",
        )  # fmt: skip
    return parted.requires_grad_(False)


@torch.no_grad()
def _fault(network: nn.Module, parted: PartedBackbone, size: int) -> str:
    """Return in what the parts differ from the network, shown an image; empty where in nothing."""
    image = torch.linspace(-1, 1, 3 * size * size).reshape(1, 3, size, size)
    maps, own = parted.trunk(image)
    late, behind = parted.tail(maps)
    if not torch.equal(late, network(image)) or late.shape[1] != parted.late:
        return "its modules in a row do not say what it says"
    if (own.shape[1], own.shape[1] + behind.shape[1]) != (parted.own, sum(parted.widths)):
        return "its levels, pooled, are not as wide as timm says"
    return ""
