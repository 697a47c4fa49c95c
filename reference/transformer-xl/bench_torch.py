"""Tokens per second of a training step (forward and backward) of transformers' TransfoXLLMHeadModel on the CPU.

With a full memory, the full softmax and dropout, in float32, at the sizes of `TransformerXlConfig::named`.

Run: python bench_torch.py [lab|paper] [batch] [vocabulary]
"""

import sys
import time
import warnings

import torch
from transformers import TransfoXLConfig, TransfoXLLMHeadModel

SIZES = {
    # layers, hidden, heads, head width, feed-forward, segment, memory
    "lab": (3, 128, 4, 32, 512, 64, 64),
    "paper": (6, 410, 10, 41, 2100, 128, 150),
}
STEPS = 5


def main():
    warnings.simplefilter("ignore")
    name = sys.argv[1] if len(sys.argv) > 1 else "lab"
    batch = int(sys.argv[2]) if len(sys.argv) > 2 else 16
    vocabulary = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000
    layers, hidden, heads, width, inner, length, memory = SIZES[name]
    config = TransfoXLConfig(
        vocab_size=vocabulary, cutoffs=[], div_val=1, d_model=hidden, d_embed=hidden, n_head=heads, d_head=width,
        d_inner=inner, n_layer=layers, mem_len=memory, dropout=0.1, dropatt=0.0, clamp_len=-1, same_length=False,
        pre_lnorm=False, untie_r=False,
    )
    torch.manual_seed(1)
    model = TransfoXLLMHeadModel(config).train()
    tokens = torch.randint(vocabulary, (batch, length + 1))
    mems = [torch.randn(memory, batch, hidden) for _ in range(layers)]
    times = []
    for _ in range(STEPS + 1):
        begin = time.perf_counter()
        model.zero_grad()
        h = model.transformer(tokens[:, :-1], mems=mems).last_hidden_state
        # `crit` drops the last position and the first label: give it one of each to drop.
        losses = model.crit(torch.cat([h, h[:, -1:]], 1), tokens)
        losses.mean().backward()
        times.append(time.perf_counter() - begin)
    best = min(times[1:])
    rate = batch * length / best
    print(f"{name}, {batch} × {length}, V {vocabulary}, {torch.get_num_threads()} threads: {best:.3f} s, {rate:.0f} tokens/s")


if __name__ == "__main__":
    main()
