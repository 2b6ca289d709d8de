"""A phantom set in the published tree: photographs, a label a pill with all 50 fields, planted faults."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from rich.progress import track

from assay.systems.pills.data.names import TEST
from assay.systems.pills.data.phantom import GROUNDS, LIGHTS, photograph, shots
from assay.systems.pills.data.phantom_drugs import k_code, told_of

if TYPE_CHECKING:
    from assay.systems.pills.data.params import Phantom
    from assay.systems.pills.data.phantom import Shot

FOLDERS = {
    "english": ("data/{}/images/{}/{}S_1_{}", "data/{}/labels/{}/{}L_1_{}",
                ("train", "val"), ("single", "combination"), ("single", "combo")),
    "korean": ("{}/원천데이터/{}/{}S_1_{}", "{}/라벨링데이터/{}/{}L_1_{}",
               ("1.Training", "2.Validation"), ("단일경구약제 5000종", "경구약제조합 5000종"),
               ("단일", "조합")),
}  # fmt: skip
Label = dict[str, Any]
# Faults of single photographs and of combinations; each takes the next photographs in turn.
ANY = ("outside", "empty", "unlabelled", "imageless", "truncated", "unknown", "broken")
COMBINED = ("doubled", "missing")


def write_set(folder: Path, params: Phantom) -> None:
    """Write the set into the empty `folder`; the last photographs carry the faults asked for."""
    listed = list(shots(params))
    planted = dict(_planted(listed, params))
    for shot in track(listed, "phantom photographs"):
        _write(folder, shot, params, planted.get(shot, ""))
    for part in {_part(shot, params) for shot in listed}:  # contact sheets, which nobody reads
        for drugs in sorted((folder / part[0]).iterdir()):
            (drugs / f"{drugs.name}_index.png").write_bytes(b"a contact sheet")


def _planted(listed: list[Shot], params: Phantom) -> Iterator[tuple[Shot, str]]:
    """Say which photograph carries which fault."""
    trained = [shot for shot in listed if shot.subset != TEST]
    combined = iter([shot for shot in trained if len(shot.drugs) > 1])
    single = iter([shot for shot in reversed(trained) if len(shot.drugs) == 1])
    for names, pool in ((COMBINED, combined), (ANY, single)):
        for name in names:
            for _ in range(getattr(params, name)):
                yield next(pool), name


def _part(shot: Shot, params: Phantom) -> tuple[str, str]:
    images, labels, halves, modes, words = FOLDERS[params.folders]
    is_test, is_combined = shot.subset == TEST, len(shot.drugs) > 1
    told = halves[is_test], modes[is_combined], "V" if is_test else "T", words[is_combined]
    return images.format(*told), labels.format(*told)


def _write(folder: Path, shot: Shot, params: Phantom, fault: str) -> None:
    images, labels = (folder / place for place in _part(shot, params))
    codes = shot.stem.partition("_")[0]
    picture, boxes = photograph(shot, params)
    path = images / codes / f"{shot.stem}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    if fault != "imageless":
        # PNG is stored, not deflated: compressors give other bytes on other processors.
        Image.fromarray(picture).save(path, compress_level=0)
    if fault == "broken":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    pills = [
        _label(shot, drug, box, picture.shape) for drug, box in zip(shot.drugs, boxes, strict=True)
    ]
    for drug, label in zip(shot.drugs, _spoilt(pills, fault), strict=False):
        place = labels / f"{codes}_json"
        place = place if len(shot.drugs) == 1 else place / k_code(drug)
        place.mkdir(parents=True, exist_ok=True)
        text = json.dumps(label, ensure_ascii=False, indent=2)
        text = text[: len(text) // 2] if fault == "truncated" else text
        (place / f"{shot.stem}.json").write_text(text, encoding="utf-8")


def _spoilt(pills: list[Label], fault: str) -> Iterable[Label]:
    """Return the labels of a photograph with its planted fault, in the way the real set has it."""
    first = pills[0]
    if fault == "outside":
        first["annotations"][0]["bbox"][0] += 10 * first["images"][0]["width"]
    elif fault == "empty":
        first["annotations"][0]["bbox"][2] = 0
    elif fault == "unknown":
        first["images"][0]["dl_mapping_code"] = "K-16548"
    elif fault == "doubled":
        first["annotations"][0]["bbox"] = pills[1]["annotations"][0]["bbox"]
    if fault == "missing":
        return pills[:-1]
    return [] if fault == "unlabelled" else pills


def _label(shot: Shot, drug: int, box: list[int], shape: tuple[int, ...]) -> Label:
    name, (latitude, longitude) = f"{shot.stem}.png", shot.camera
    image = {
        "file_name": name, "width": shape[1], "height": shape[0], "imgfile": name,
        "drug_S": "정상알약", "back_color": GROUNDS[shot.session % len(GROUNDS)][0],
        "drug_dir": "앞면" if shot.is_front else "뒷면",
        "light_color": LIGHTS[shot.session // 2 % 2][0],
        "camera_la": latitude, "camera_lo": longitude, "size": 200,
        "dl_mapping_code": k_code(drug), **told_of(drug), "id": 1,
    }  # fmt: skip
    annotation = {
        "area": box[2] * box[3], "iscrowd": 0, "bbox": box, "category_id": 1, "ignore": 0,
        "segmentation": [], "id": 1, "image_id": 1,
    }  # fmt: skip
    category = {"supercategory": "pill", "id": 1, "name": "Drug"}
    return {"images": [image], "type": "instances", "annotations": [annotation],
            "categories": [category]}  # fmt: skip
