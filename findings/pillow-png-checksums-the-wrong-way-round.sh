#!/usr/bin/env bash
# Pillow 13.0.0 and the checksums of PNG, the wrong way round. A chunk that the pixels do not need (iCCP) with a
# wrong checksum: `Image.open` raises "cannot identify image file", though libpng, and so every viewer, leaves
# such a chunk out; what was wrong is swallowed with the plugin's error. The chunk of the pixels (IDAT) with a
# wrong checksum: opened and decoded without a word, though the specification calls such a file broken.
# The switch ImageFile.LOAD_TRUNCATED_IMAGES mends the first, for the whole process, and takes cut files too.
# So Assay looks at checksums itself, chunk by chunk (`manifest/png.py`), before Pillow decodes.
# Run and seen 2026-11-30, Python 3.11. Fails where any of this has changed. Needs python3, a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q pillow==13.0.0
"$folder/env/bin/python" - <<'PYTHON'
import io

from PIL import Image, ImageCms, UnidentifiedImageError

profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
stream = io.BytesIO()
Image.linear_gradient("L").convert("RGB").save(stream, "PNG", icc_profile=profile)
whole = stream.getvalue()


def wrong(kind):
    start = whole.index(kind)
    checksum = start + 4 + int.from_bytes(whole[start - 4 : start], "big")
    return whole[:checksum] + bytes([whole[checksum] ^ 1]) + whole[checksum + 1 :]


try:
    Image.open(io.BytesIO(wrong(b"iCCP")))
    raise SystemExit("iCCP: opened")
except UnidentifiedImageError as fault:
    print("iCCP:", str(fault).partition("<")[0])
    assert "checksum" not in str(fault)
pixels = Image.open(io.BytesIO(wrong(b"IDAT"))).convert("L")
print("IDAT: decoded, as the whole file is:", pixels.tobytes() == Image.linear_gradient("L").tobytes())
assert pixels.tobytes() == Image.linear_gradient("L").tobytes()
PYTHON
