"""Transformer-XL written from its equations, over a dictionary of parameters: no relative shift, no transposed batch.

Every score is that of one query and one key: its position part is looked up by the distance between the two.
"""

import math

import torch
from torch.nn.functional import layer_norm

EPS = 1e-5


def sinusoid(distance, width):
    frequency = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    return torch.cat([torch.sin(distance * frequency), torch.cos(distance * frequency)])


def no_dropout(place, shape, probability):
    return 1.0


def attention(p, layer, biases, config, h, memory, r, mask):
    """h is (B, T, H), memory (B, M, H), r (K, H) a row a distance, and mask (B, heads, T, K) the factors of dropout."""
    heads, width = config["n_head"], config["d_head"]
    (batch, length), start = h.shape[:2], memory.shape[1]
    u, v = p[biases + "r_w_bias"], p[biases + "r_r_bias"]
    q, k, x = p[layer + "qkv_net.weight"].chunk(3)
    every = torch.cat([memory, h], 1)
    q, k, x = (h @ q.T, every @ k.T, every @ x.T)
    q, k, x = (part.view(batch, -1, heads, width) for part in (q, k, x))
    r = (r @ p[layer + "r_net.weight"].T).view(-1, heads, width)
    rows = []
    for i in range(length):
        past = start + i + 1
        distances = torch.arange(past - 1, -1, -1)
        content = torch.einsum("bnd,bjnd->bnj", q[:, i] + u, k[:, :past])
        position = torch.einsum("bnd,jnd->bnj", q[:, i] + v, r[distances])
        weights = torch.softmax((content + position) / math.sqrt(width), -1)
        weights = weights * mask[:, :, i, :past]
        rows.append(torch.einsum("bnj,bjnd->bnd", weights, x[:, :past]).reshape(batch, -1))
    return torch.stack(rows, 1) @ p[layer + "o_net.weight"].T


def norm(p, name, x):
    return layer_norm(x, x.shape[-1:], p[name + ".layer_norm.weight"], p[name + ".layer_norm.bias"], EPS)


def log_probabilities(p, config, h):
    """(B, T, V)."""
    table = p.get("crit.out_layers.0.weight", p["transformer.word_emb.emb_layers.0.weight"])
    logits = h @ table.T + p["crit.out_layers.0.bias"]
    cuts = [*config["cutoffs"], config["vocab_size"]]
    if len(cuts) == 1:
        return torch.log_softmax(logits, -1)
    clusters = h @ p["crit.cluster_weight"].T + p["crit.cluster_bias"]
    head = torch.log_softmax(torch.cat([logits[..., : cuts[0]], clusters], -1), -1)
    parts = [head[..., : cuts[0]]]
    for i, (begin, end) in enumerate(zip(cuts, cuts[1:])):
        own = torch.log_softmax(logits[..., begin:end], -1)
        parts.append(head[..., cuts[0] + i, None] + own)
    return torch.cat(parts, -1)


def segment(p, config, tokens, targets, memory, factors=no_dropout):
    """The mean loss of a segment and the memory after it: one (B, M, H) a layer.

    `factors(place, shape, probability)` are those by which dropout multiplies at a place: 0 the embeddings, 1 the last
    states, 2 the positions (K, H) from the largest distance to 0, and 3 + 4i to 6 + 4i those of layer i: attention
    weights, attention, ReLU, feed-forward.
    """

    def drop(place, x):
        return x * factors(place, x.shape, config["dropout"])

    h = drop(0, p["transformer.word_emb.emb_layers.0.weight"][tokens] * math.sqrt(config["d_model"]))
    keys = memory[0].shape[1] + h.shape[1]
    r = drop(2, torch.stack([sinusoid(d, h.shape[-1]) for d in reversed(range(keys))])).flip(0)
    after = []
    for i, before in enumerate(memory):
        name = f"transformer.layers.{i}."
        layer = name + "dec_attn"
        biases = layer + "." if config["untie_r"] else "transformer."
        after.append(torch.cat([before, h], 1)[:, -config["mem_len"] :].detach())
        shape = (h.shape[0], config["n_head"], h.shape[1], keys)
        mask = torch.ones(shape) * factors(3 + 4 * i, shape, config["dropatt"])
        a = attention(p, layer + ".", biases, config, h, before, r, mask)
        h = norm(p, layer, h + drop(4 + 4 * i, a))
        f = torch.relu(h @ p[name + "pos_ff.CoreNet.0.weight"].T + p[name + "pos_ff.CoreNet.0.bias"])
        f = drop(5 + 4 * i, f) @ p[name + "pos_ff.CoreNet.3.weight"].T + p[name + "pos_ff.CoreNet.3.bias"]
        h = norm(p, name + "pos_ff", h + drop(6 + 4 * i, f))
    of_targets = log_probabilities(p, config, drop(1, h)).gather(-1, targets[..., None])
    return -of_targets.mean(), after
