"""What a backbone that does not learn says of a photograph: made once, shared by all trainings.

Kept below `.assay/frozen/<key>/`, by everything that the numbers depend on: the first weights, the part
that thaws, augmentation and its seed, the number of views, the side of the images, the code that draws
and asks, libraries, threads, and the processor's instructions or the GPU. A photograph is known by its
stored pixels. Everything is computed in batches of one shape, since a matrix product of another shape
may be summed in another order: a photograph's numbers do not depend on its neighbours.

`photographs.json` lists the photographs, and the files of their numbers, which are named by content: who
reads while another writes has the old ones or the new ones, never some of each.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import timm
import torch
import torchvision
from torch import Tensor

from assay.learning import determinism, transforms
from assay.learning.determinism import reseed
from assay.learning.transforms import augmentation, normalise
from assay.runs.files import atomic_write, content_digest, file_digest, read_json, write_json
from assay.runs.lock import held
from assay.runs.places import FROZEN, named_lock
from assay.systems.hemoglobin.networks import parted

if TYPE_CHECKING:
    from assay.systems.hemoglobin.networks.parted import PartedBackbone

BATCH = 16  # views, always; of the last batch the rest is black
PHOTOGRAPHS = "photographs.json"

Floats = npt.NDArray[np.float32]
Images = npt.NDArray[np.uint8]
State = tuple[str, int, int, int]  # name, inode, bytes, time of change
NAMES = ("maps", "own", "late", "levels")


@dataclass(frozen=True)
class Frozen:
    """What the parts of a backbone say of views of photographs, view 0 the photograph as it is.

    Attributes:
        place: digest of a photograph's stored pixels → its row.
        maps: (n, views, c, h, w): what the trunk says.
        own: (n, views, k): the pooled levels of the trunk.
        late: (n, views, d): the network's features, as they are before its tail learns.
        levels: (n, views, m): all pooled levels, before the tail learns.
    """

    place: dict[str, int]
    maps: Floats
    own: Floats
    late: Floats
    levels: Floats

    def holds(self, digests: Iterable[str]) -> bool:
        return all(each in self.place for each in digests)

    def slots(self, digests: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the row of each photograph."""
        return np.array([self.place[each] for each in digests], dtype=np.int64)


@dataclass(frozen=True)
class Views:
    """Which views of a photograph are kept, and what else decides the numbers.

    Attributes:
        backbone: timm's name.
        first: digest of its first weights, or which seed drew them.
        unfreeze: how many last stages are the tail's.
        augment: names of augmentations.
        count: of views, the photograph itself among them.
        seed: of the augmentation.
        threads: of torch.
        device: `cpu` or `cuda`.
    """

    backbone: str
    first: str
    unfreeze: int
    augment: tuple[str, ...]
    count: int
    seed: int
    threads: int
    device: str

    def key(self, size: int) -> str:
        """Return the name of the folder, for images of this side (px)."""
        has_gpu = self.device == "cuda" and torch.cuda.is_available()
        chip = torch.cuda.get_device_name() if has_gpu else torch.backends.cpu.get_cpu_capability()
        versions = [each.__version__ for each in (torch, torchvision, timm)]
        return content_digest([vars(self), size, BATCH, chip, versions, _code()])


@cache
def _code() -> list[str]:
    """Return the digests of what draws views, parts a backbone and asks it."""
    files = (each.__file__ for each in (transforms, determinism, parted))
    return [file_digest(Path(str(each))) for each in (__file__, *files)]


def digests_of(images: Images) -> list[str]:
    """Return the digest of each stored image (n, h, w, 3)."""
    return [
        hashlib.md5(np.ascontiguousarray(each).data, usedforsecurity=False).hexdigest()
        for each in images
    ]


def frozen(
    root: Path, backbone: PartedBackbone, views: Views, photographs: Mapping[str, Images],
    is_checked: bool = False,
) -> Frozen:  # fmt: skip
    """Return what the backbone says of these photographs; made now, where it is not kept.

    Args:
        root: the repository.
        backbone: at its first weights, on the device.
        views: that are wanted.
        photographs: digest → stored image, (size, size, 3) uint8.
        is_checked: whether what is kept is read whole, and made anew where its bytes have changed.
    """
    folder = root / FROZEN / views.key(len(next(iter(photographs.values()))))
    if (found := known(folder, is_checked)) and found.holds(photographs):
        return found
    waiting = "another training asks its backbone; waiting"
    with held(named_lock(root, f"frozen-{folder.name}"), waiting):
        found = known(folder, is_checked)
        if found is None or not found.holds(photographs):
            _make(folder, backbone, views, photographs)
            found = known(folder)
    assert found is not None
    return found


def known(folder: Path, is_checked: bool = False) -> Frozen | None:
    """Return what is kept in a folder, mapped; None where that is nothing, or not whole."""
    try:
        names, files = _listed(folder, _state(folder / PHOTOGRAPHS))
        found = _opened(folder, names, tuple(_state(folder / files[name]) for name in NAMES))
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None
    if is_checked and any(files[name] != _file_of(name, getattr(found, name)) for name in NAMES):
        print(f"{folder} is damaged, and is made anew", flush=True)
        return None
    return found


def _state(path: Path) -> State:
    now = path.stat()
    return path.name, now.st_ino, now.st_size, now.st_mtime_ns


@lru_cache(maxsize=16)
def _listed(folder: Path, _: State) -> tuple[tuple[str, ...], dict[str, str]]:
    kept = read_json(folder / PHOTOGRAPHS)
    return tuple(kept["photographs"]), kept["files"]


@lru_cache(maxsize=16)
def _opened(folder: Path, names: tuple[str, ...], states: tuple[State, ...]) -> Frozen:
    """Return what is kept; mapped once for each state of the files."""
    arrays = {
        name: np.load(folder / state[0], mmap_mode="r")
        for name, state in zip(NAMES, states, strict=True)
    }
    return Frozen({name: row for row, name in enumerate(names)}, **arrays)


def _make(
    folder: Path, backbone: PartedBackbone, views: Views, photographs: Mapping[str, Images]
) -> None:
    """Write what is said of all views of photographs; last their list, which tells that all is there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shown = [
        view for name in sorted(photographs) for view in draw_views(views, name, photographs[name])
    ]
    said = ask_backbone(backbone, np.stack(shown))
    files = {}
    for name, values in zip(NAMES, said, strict=True):
        array = values.reshape(len(photographs), views.count, *values.shape[1:])
        files[name] = _file_of(name, array)
        atomic_write(folder / files[name], partial(_save, array))
    write_json(folder / PHOTOGRAPHS, {"photographs": sorted(photographs), "files": files})


def _file_of(name: str, array: Floats) -> str:
    """Return the name of an array's file, which has its digest."""
    digest = hashlib.md5(str(array.shape).encode(), usedforsecurity=False)
    digest.update(np.ascontiguousarray(array).data)
    return f"{name}-{digest.hexdigest()}.npy"


def _save(array: Floats, path: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, array)


def draw_views(views: Views, digest: str, image: Images) -> Iterator[Images]:
    """Yield a photograph as it is, and its augmented views; each depends on the photograph alone."""
    yield image
    augment: Callable[[Tensor], Tensor] = augmentation(views.augment, len(image))
    for number in range(1, views.count):
        reseed(views.seed, int(digest[:8], 16), number)
        seen = augment(torch.from_numpy(np.array(image)).permute(2, 0, 1))
        yield seen.permute(1, 2, 0).numpy()


@torch.no_grad()
def ask_backbone(backbone: PartedBackbone, images: Images) -> list[Floats]:
    """Return what trunk and tail say of images (n, h, w, 3), in the order of `NAMES`."""
    backbone.eval()
    parts: list[list[Tensor]] = [[] for _ in NAMES]
    for start in range(0, len(images), BATCH):
        maps, own = run_trunk(backbone, torch.from_numpy(images[start : start + BATCH]))
        late, behind = backbone.tail(_filled(maps))
        count = len(maps)
        said = (maps, own, late[:count], torch.cat([own, behind[:count]], 1))
        for part, values in zip(parts, said, strict=True):
            part.append(values.cpu())
    return [torch.cat(part).numpy() for part in parts]


@torch.no_grad()
def run_trunk(backbone: PartedBackbone, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return map and pooled levels of uint8 images (b, h, w, 3), in batches of the one shape, fp32."""
    trunk = backbone.trunk.eval()
    device = next(trunk.parameters()).device
    said = []
    with torch.autocast(device.type, enabled=False):
        for part in torch.split(images, BATCH):
            maps, own = trunk(normalise(_filled(part).to(device)))
            said.append((maps[: len(part)], own[: len(part)]))
    maps, own = zip(*said, strict=True)
    # Convolutions hand their memory format on; of two formats a tail's sums differ in the last bit.
    return torch.cat(maps).contiguous(), torch.cat(own)


def run_trunk_once(backbone: PartedBackbone, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the same; an image that stands several times is shown once."""
    digests = digests_of(images.cpu().numpy())
    rows = {digest: row for row, digest in enumerate(digests)}
    place = {digest: number for number, digest in enumerate(rows)}
    back = torch.tensor([place[digest] for digest in digests], device=images.device)
    maps, own = run_trunk(backbone, images[list(rows.values())])
    return maps[back], own[back]


def _filled(batch: Tensor) -> Tensor:
    """Return a batch of `BATCH`, zeros behind."""
    return torch.cat([batch, batch.new_zeros(BATCH - len(batch), *batch.shape[1:])])
