"""Golden images for crates/acclip-data (tests/images.rs, src/images/resize.rs, src/images/augment.rs).

Written by Pillow 12.3.0 and torchvision 0.28.0 (torch 2.13.0, numpy 2.4.6):

* `*.jpg` and `*.decoded.png`: JPEG files of several kinds, and the pixels that Pillow reads from them;
* `source.png` and `resized_*.png`: `resized_crop(source, top, left, height, width, size)`, named by these numbers;
* `wide.png`, `tall.png` and `*_fit_*.png`, `*_center_*.png`: shorter side resized to the size, or to
  round(256/224 size), then the middle of size x size;
* `windows.json`: statistics of `RandomResizedCrop.get_params`.

Run: python reference/images/generate.py
"""

import json
import math
import pathlib

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import CenterCrop, InterpolationMode, RandomResizedCrop, Resize
from torchvision.transforms.functional import resized_crop

VERSIONS = {"pillow": "12.3.0", "torchvision": "0.28.0"}
HERE = pathlib.Path(__file__).parent
BILINEAR = InterpolationMode.BILINEAR


def picture(height, width, seed):
    """Smooth colours, edges and some noise: (height, width, 3) bytes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (3 + c) + c) + np.cos(y / (4 - c)) + ((x + 2 * y) // 9 % 2) for c in range(3)]
    values = 50 + 45 * np.stack(waves, axis=-1) + rng.normal(0, 12, (height, width, 3))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def jpegs():
    kinds = {
        "full": (picture(20, 17, 1), dict(quality=95, subsampling=0)),
        "half": (picture(33, 29, 2), dict(quality=85, subsampling=2)),
        "progressive": (picture(24, 40, 3), dict(quality=90, subsampling=2, progressive=True)),
        "grey": (picture(18, 22, 4).convert("L"), dict(quality=90)),
    }
    for name, (image, options) in kinds.items():
        path = HERE / f"{name}.jpg"
        image.save(path, **options)
        Image.open(path).convert("RGB").save(HERE / f"{name}.decoded.png")


def resizes():
    source = picture(41, 57, 5)
    source.save(HERE / "source.png")
    crops = [
        (0, 0, 41, 57, 16, 16),
        (3, 5, 20, 30, 32, 32),
        (7, 11, 34, 9, 10, 33),
        (40, 56, 1, 1, 4, 5),
        (0, 1, 40, 56, 40, 56),
        (1, 2, 39, 51, 1, 1),
        (0, 0, 41, 57, 100, 3),
    ]
    for crop in crops:
        top, left, height, width, *size = crop
        image = resized_crop(source, top, left, height, width, size, BILINEAR)
        image.save(HERE / ("resized_" + "_".join(map(str, crop)) + ".png"))


def fits():
    for name, height, width in [("wide", 37, 64), ("tall", 50, 21)]:
        image = picture(height, width, height)
        image.save(HERE / f"{name}.png")
        for size in [16, 32, 45]:
            fit = CenterCrop(size)(Resize(size, BILINEAR)(image))
            fit.save(HERE / f"{name}_fit_{size}.png")
            larger = math.floor(size * 256 / 224 + 0.5)
            center = CenterCrop(size)(Resize(larger, BILINEAR)(image))
            center.save(HERE / f"{name}_center_{size}.png")


def windows():
    """Means over `draws` windows: share of area, log of aspect, place between the margins."""
    torch.manual_seed(0)
    draws = 100_000
    table = []
    for height, width in [(37, 64), (224, 224), (10, 90)]:
        image = torch.zeros(1, height, width)
        found = []
        for _ in range(draws):
            top, left, h, w = RandomResizedCrop.get_params(image, (0.08, 1.0), (3 / 4, 4 / 3))
            # A window as high as the image has no place to choose: count it as in the middle.
            y = top / (height - h) if h < height else 0.5
            x = left / (width - w) if w < width else 0.5
            found.append((h * w / (height * width), math.log(w / h), y, x))
        found = np.array(found)
        table.append(
            {
                "height": height,
                "width": width,
                "mean": found.mean(0).tolist(),
                "std": found.std(0).tolist(),
            }
        )
    golden = {"versions": VERSIONS, "draws": draws, "quantities": ["area", "log_aspect", "y", "x"], "windows": table}
    (HERE / "windows.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    assert PIL.__version__ == VERSIONS["pillow"], PIL.__version__
    assert torchvision.__version__.startswith(VERSIONS["torchvision"]), torchvision.__version__
    jpegs()
    resizes()
    fits()
    windows()
