"""Prints images per second of a training step in PyTorch: ResNet-18, ResNet-50 and AlexNet, 32 images of 32 x 32.

A step is forward, loss, backward, AdamW (fused) and zero_grad, in f32 and channels_last, on one fixed random batch. The
models are those of generate.py with the stem for small images. The time is the median of the steps.

Run: python bench_torch.py [--threads 2] [--steps 10]
"""

import argparse
import statistics
import time

import torch
from torch import nn

from generate import build

IMAGES, SIDE, CLASSES, WARM_UP = 32, 32, 10, 3


def milliseconds(name, steps):
    """The median over the steps."""
    torch.manual_seed(0)
    model = build(name, "small", 3, CLASSES).float().to(memory_format=torch.channels_last).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.5
    images = torch.rand(IMAGES, 3, SIDE, SIDE).mul(2).sub(1).to(memory_format=torch.channels_last)
    labels = torch.arange(IMAGES) % CLASSES
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    times = []
    for _ in range(WARM_UP + steps):
        start = time.perf_counter()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[WARM_UP:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {arguments.threads} threads, {IMAGES} images of {SIDE} x {SIDE}")
    for name in ("resnet18", "resnet50", "alexnet"):
        time_of_step = milliseconds(name, arguments.steps)
        print(f"{name:9} {time_of_step:8.1f} ms a step {1e3 * IMAGES / time_of_step:8.1f} images/s")


if __name__ == "__main__":
    main()
