"""Draw `docs/results.png`, the README's picture, from the reports of a demo.

python docs/results.py
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
WIDTH, EDGE = 1600, 16  # px of the picture, and of the gaps
ROWS = (
    ("ceph-landmarks/pictures/overlays.png", "pills-combo/pictures/photographs.png"),
    ("hemoglobin-nail/pictures/scatter.png", "spectra-bayer/pictures/spectra.png"),
)


def opened(name: str) -> Image.Image:
    """Return one of the demo's pictures on white."""
    picture = Image.open(ROOT / "reports" / name).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def row(names: tuple[str, ...]) -> Image.Image:
    """Return pictures side by side, of one height, as wide as all."""
    pictures = [opened(name) for name in names]
    shape = sum(picture.width / picture.height for picture in pictures)
    height = round((WIDTH - EDGE * (len(pictures) - 1)) / shape)
    whole, left = Image.new("RGB", (WIDTH, height), "white"), 0
    for picture in pictures:
        small = picture.resize((round(height * picture.width / picture.height), height))
        whole.paste(small, (left, 0))
        left += small.width + EDGE
    return whole


def main() -> None:
    """Write the picture: 256 colours are enough, and a third of the bytes."""
    rows = [row(names) for names in ROWS]
    whole = Image.new("RGB", (WIDTH, sum(each.height + EDGE for each in rows) - EDGE), "white")
    top = 0
    for each in rows:
        whole.paste(each, (0, top))
        top += each.height + EDGE
    whole.quantize(256).save(ROOT / "docs" / "results.png", optimize=True)


if __name__ == "__main__":
    main()
