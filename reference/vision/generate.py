"""Writes golden.json: losses, scores, gradients and running statistics of torchvision's models in float64.

Parameters, images and running statistics are not stored: both sides make them by the formula of `numbers`. Of each
gradient three entries are stored, its norm, and its inner product with other numbers of the formula, in which a
transposed layout would show.

Run: python generate.py
"""

import json
import platform
from pathlib import Path

import numpy
import torch
import torchvision
from torch import nn

# name, stem, channels, classes, images (N, H, W)
CASES = [
    ("resnet18", "small", 3, 7, (3, 13, 11)),
    ("resnet18", "large", 3, 7, (3, 65, 49)),
    ("resnet34", "small", 1, 6, (3, 12, 10)),
    ("resnet50", "small", 3, 7, (3, 13, 11)),
    ("resnet50", "large", 3, 7, (3, 65, 49)),
    ("alexnet", "small", 1, 8, (3, 28, 33)),
    ("alexnet", "large", 3, 8, (2, 95, 127)),
]
# The first stream of: parameters, running statistics, images, directions, places.
PARAMETERS, STATISTICS, IMAGES, DIRECTIONS, PLACES = 1, 1000, 2000, 3000, 4000
GAMMA = numpy.uint64(0x9E3779B97F4A7C15)


def mix(z):
    """The finalizer of SplitMix64 (Steele, Lea, Flood 2014), on uint64 arrays."""
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return z ^ (z >> numpy.uint64(31))


def bits(stream, n):
    """n words: word i of stream s is mix(mix(s) + (i + 1) GAMMA), modulo 2^64."""
    start = mix(numpy.array([stream], dtype=numpy.uint64))
    return mix(start + numpy.arange(1, n + 1, dtype=numpy.uint64) * GAMMA)


def numbers(stream, shape):
    """Numbers in [-1, 1): the upper 53 bits of each word over 2^52, less 1. Exact."""
    flat = (bits(stream, int(numpy.prod(shape))) >> numpy.uint64(11)).astype(numpy.float64)
    return torch.from_numpy(flat / 2.0**52 - 1.0).reshape(*shape)


def build(name, stem, channels, classes):
    """torchvision's model, with another stem for small images or another number of channels."""
    model = torchvision.models.get_model(name, weights=None, num_classes=classes)
    if name == "alexnet":
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        if stem == "small":
            model.features[0] = nn.Conv2d(channels, 64, 3, 1, 1)
            for i in (2, 5, 12):
                model.features[i] = nn.MaxPool2d(2, 2)
            model.avgpool = nn.AdaptiveAvgPool2d((4, 4))
            model.classifier[1] = nn.Linear(256 * 4 * 4, 4096)
    elif stem == "small":
        model.conv1 = nn.Conv2d(channels, 64, 3, 1, 1, bias=False)
        model.maxpool = nn.Identity()
    return model.double()


def fill(model):
    """Parameters and running statistics by the formula."""
    with torch.no_grad():
        for i, (name, p) in enumerate(model.named_parameters()):
            u = numbers(PARAMETERS + i, p.shape)
            if p.dim() > 1:
                p.copy_(u * (6.0 / p[0].numel()) ** 0.5)
            elif name.endswith(".weight"):
                p.copy_(1.0 + 0.3 * u)
            else:
                p.copy_(0.2 * u)
        for i, (name, b) in enumerate(running(model)):
            u = numbers(STATISTICS + i, b.shape)
            b.copy_(0.2 * u if name.endswith(".running_mean") else 4.0 + 2.0 * u)


def running(model):
    return [(n, b) for n, b in model.named_buffers() if not n.endswith("num_batches_tracked")]


def digest(stream, x):
    """Norm, and inner product with the numbers of a stream."""
    return [x.norm().item(), (x * numbers(stream, x.shape)).sum().item()]


def gradients(model, images, labels):
    """The loss, the scores, and of each parameter's gradient three entries and the digest."""
    model.zero_grad()
    scores = model(images)
    loss = nn.functional.cross_entropy(scores, labels)
    loss.backward()
    all = []
    for i, p in enumerate(model.parameters()):
        places = bits(PLACES + i, 3) % numpy.uint64(p.numel())
        entries = [p.grad.flatten()[int(j)].item() for j in places]
        all.append(entries + digest(DIRECTIONS + i, p.grad))
    return loss.item(), scores.tolist(), all


def case(name, stem, channels, classes, size):
    model = build(name, stem, channels, classes)
    n, height, width = size
    images = 2.0 * numbers(IMAGES, (n, height, width, channels)).permute(0, 3, 1, 2).contiguous()
    labels = torch.arange(n) * 3 % classes
    result = {
        "name": name,
        "stem": stem,
        "channels": channels,
        "classes": classes,
        "size": size,
        "labels": labels.tolist(),
        "parameters": [[name, list(p.shape)] for name, p in model.named_parameters()],
        "statistics": [[name, list(b.shape)] for name, b in running(model)],
    }
    fill(model)
    model.eval()
    loss, scores, all = gradients(model, images, labels)
    result["frozen"] = {"loss": loss, "scores": scores, "gradients": all}
    model.train()
    loss, _, all = gradients(model, images, labels)
    moved = [digest(DIRECTIONS + i, b) for i, (_, b) in enumerate(running(model))]
    result["batch"] = {"loss": loss, "gradients": all, "statistics": moved}
    return result


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    golden = {
        "generator": "reference/vision/generate.py",
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__.split("+")[0],
            "torchvision": torchvision.__version__.split("+")[0],
            "numpy": numpy.__version__,
        },
        "numbers": numbers(5, (4,)).tolist(),
        "cases": [],
    }
    for arguments in CASES:
        result = case(*arguments)
        print(*arguments, result["frozen"]["loss"], result["frozen"]["scores"][0], result["batch"]["loss"])
        golden["cases"].append(result)
    text = json.dumps(golden, separators=(",", ":")).replace('{"name"', '\n{"name"')
    Path(__file__).with_name("golden.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
