"""The models that bench_torch.py times, of PyTorch's own parts, each with the batch that it sees at every step.

As a good user would write them: packed projections, scaled_dot_product_attention where it can do the work, the masked
positions gathered before the head, torchvision's ResNets and AlexNet.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

VOCABULARY, LENGTH, MASKED = 8192, 128, 19
BERT = {
    "A": {"layers": 4, "hidden": 256, "heads": 4, "batch": 16},
    "B": {"layers": 2, "hidden": 768, "heads": 12, "batch": 4},
    "G": {"layers": 4, "hidden": 256, "heads": 4, "batch": 16, "head": "pretraining"},
    "H": {"layers": 6, "hidden": 384, "heads": 12, "batch": 4, "head": "span", "length": 384},
}
XL = {
    "D": {
        "layers": 6, "hidden": 410, "heads": 10, "width": 41, "inner": 2100,
        "batch": 8, "length": 128, "memory_len": 128, "vocabulary": 10_000,
    }
}
CLASSES = 10
IMAGES = {
    "C": {"name": "resnet18", "images": 32, "side": 32, "small": True},
    "E": {"name": "resnet50", "images": 16, "side": 64},
    "F": {"name": "alexnet", "images": 16, "side": 224},
}


class BertBlock(nn.Module):
    def __init__(self, hidden, heads, dropout, softmax):
        super().__init__()
        self.heads, self.dropout, self.softmax = heads, dropout, softmax
        self.qkv, self.out = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.up, self.down = nn.Linear(hidden, 4 * hidden), nn.Linear(4 * hidden, hidden)
        self.norm1, self.norm2 = nn.LayerNorm(hidden, eps=1e-12), nn.LayerNorm(hidden, eps=1e-12)

    def attend(self, h, mask):
        b, t, hidden = h.shape
        width = hidden // self.heads
        q, k, v = self.qkv(h).view(b, t, 3, self.heads, width).permute(2, 0, 3, 1, 4)
        if self.softmax:
            scores = q @ k.transpose(-1, -2) * width**-0.5 + mask
            mixed = F.dropout(F.softmax(scores, dim=-1), self.dropout) @ v
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=self.dropout)
        return self.out(mixed.transpose(1, 2).reshape(b, t, hidden))

    def forward(self, h, mask):
        h = self.norm1(h + F.dropout(self.attend(h, mask), self.dropout))
        return self.norm2(h + F.dropout(self.down(F.gelu(self.up(h))), self.dropout))


class Bert(nn.Module):
    """BERT with a head, which returns its loss. B batch, T tokens, H hidden, M masked in all."""

    def __init__(self, layers, hidden, heads, dropout, softmax, length, head):
        super().__init__()
        self.dropout, self.kind = dropout, head
        self.word, self.segment = nn.Embedding(VOCABULARY, hidden), nn.Embedding(2, hidden)
        self.position = nn.Parameter(torch.empty(length, hidden))
        self.blocks = nn.ModuleList(BertBlock(hidden, heads, dropout, softmax) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden, eps=1e-12)
        if head == "span":
            self.span = nn.Linear(hidden, 2)
        else:
            self.transform, self.bias = nn.Linear(hidden, hidden), nn.Parameter(torch.zeros(VOCABULARY))
            self.head_norm = nn.LayerNorm(hidden, eps=1e-12)
        if head == "pretraining":
            self.pooler, self.follows = nn.Linear(hidden, hidden), nn.Linear(hidden, 2)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def masked_loss(self, h, positions, labels):
        z = h.view(-1, h.shape[-1]).index_select(0, positions)  # (M, H)
        z = self.head_norm(F.gelu(self.transform(z)))
        return F.cross_entropy(F.linear(z, self.word.weight, self.bias), labels)

    def forward(self, tokens, segments, mask, *labels):
        h = self.norm(self.word(tokens) + self.position + self.segment(segments))
        h = F.dropout(h, self.dropout)
        for block in self.blocks:
            h = block(h, mask)
        if self.kind == "span":
            starts, ends = self.span(h).unbind(-1)
            return (F.cross_entropy(starts, labels[0]) + F.cross_entropy(ends, labels[1])) / 2
        loss = self.masked_loss(h, *labels[:2])
        if self.kind == "pretraining":
            loss = loss + F.cross_entropy(self.follows(torch.tanh(self.pooler(h[:, 0]))), labels[2])
        return loss


def bert(batch, dropout, softmax, head="masked-lm", length=LENGTH, **sizes):
    tokens = torch.randint(VOCABULARY, (batch, length))
    mask = torch.zeros(batch, 1, 1, length)  # added to the scores; every token is real
    inputs = [tokens, torch.zeros_like(tokens), mask]
    if head == "span":
        starts = torch.randint(length // 2, (batch,))
        inputs += [starts, starts + 3]
        guess = math.log(length)
    else:
        masked = torch.stack([torch.randperm(length)[:MASKED].sort().values for _ in range(batch)])
        positions = (masked + length * torch.arange(batch)[:, None]).flatten()
        inputs += [positions, torch.randint(VOCABULARY, (batch * MASKED,))]
        guess = math.log(VOCABULARY)
    if head == "pretraining":
        inputs.append(torch.arange(batch) % 2)
        guess += math.log(2)
    return Bert(**sizes, dropout=dropout, softmax=softmax, length=length, head=head), inputs, batch * length, guess


class XlBlock(nn.Module):
    """B segments of T positions after M remembered ones: K = M + T keys, N heads of width D."""

    def __init__(self, hidden, heads, width, inner, dropout):
        super().__init__()
        self.heads, self.width, self.dropout = heads, width, dropout
        self.q, self.kv = (nn.Linear(hidden, n * heads * width, bias=False) for n in (1, 2))
        self.r = nn.Linear(hidden, heads * width, bias=False)
        self.out = nn.Linear(heads * width, hidden, bias=False)
        self.up, self.down = nn.Linear(hidden, inner), nn.Linear(inner, hidden)
        self.norm1, self.norm2 = nn.LayerNorm(hidden), nn.LayerNorm(hidden)

    def split(self, x, parts=1):
        """(B, T, parts·N·D) to parts of (B, N, T, D)."""
        b, t, _ = x.shape
        return x.view(b, t, parts, self.heads, self.width).permute(2, 0, 3, 1, 4)

    def attend(self, h, every, positions, u, v, future):
        b, t, _ = h.shape
        keys = every.shape[1]
        (q,), (k, x) = self.split(self.q(h)), self.split(self.kv(every), 2)
        (r,) = self.split(self.r(positions)[None])
        by_content = (q + u) @ k.transpose(-1, -2)  # (B, N, T, K)
        by_distance = (q + v) @ r.transpose(-1, -2)
        # Column j holds distance K - 1 - j: shifting row i left by T - 1 - i brings each to its key.
        shifted = F.pad(by_distance, (1, 0)).view(b, self.heads, keys + 1, t)[:, :, 1:]
        scores = (by_content + shifted.reshape(b, self.heads, t, keys)) * self.width**-0.5
        mixed = F.softmax(scores.masked_fill(future, -math.inf), dim=-1) @ x
        return self.out(mixed.transpose(1, 2).reshape(b, t, -1))

    def forward(self, h, every, positions, u, v, future):
        h = self.norm1(h + F.dropout(self.attend(h, every, positions, u, v, future), self.dropout))
        f = self.down(F.dropout(F.relu(self.up(h)), self.dropout))
        return self.norm2(h + F.dropout(f, self.dropout))


class TransformerXl(nn.Module):
    """Transformer-XL with a full softmax tied to the embeddings, which returns its loss and keeps its memory."""

    def __init__(self, layers, hidden, heads, width, inner, batch, length, memory_len, vocabulary, dropout):
        super().__init__()
        self.dropout, self.memory_len = dropout, memory_len
        self.word, self.bias = nn.Embedding(vocabulary, hidden), nn.Parameter(torch.zeros(vocabulary))
        self.u, self.v = (nn.Parameter(torch.empty(heads, 1, width)) for _ in range(2))
        self.blocks = nn.ModuleList(XlBlock(hidden, heads, width, inner, dropout) for _ in range(layers))
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)
        keys = memory_len + length
        angles = torch.arange(keys - 1.0, -1.0, -1.0)[:, None] * 10_000 ** (-torch.arange(0.0, hidden, 2) / hidden)
        self.register_buffer("positions", torch.cat([angles.sin(), angles.cos()], 1))  # (K, H)
        self.register_buffer("future", torch.ones(length, keys, dtype=torch.bool).triu(memory_len + 1))
        self.memory = [torch.zeros(batch, memory_len, hidden) for _ in range(layers)]

    def forward(self, tokens, targets):
        h = F.dropout(self.word(tokens) * self.word.embedding_dim**0.5, self.dropout)
        positions = F.dropout(self.positions, self.dropout)
        after = []
        for block, memory in zip(self.blocks, self.memory):
            every = torch.cat([memory, h], 1)
            after.append(every[:, -self.memory_len :].detach())
            h = block(h, every, positions, self.u, self.v, self.future)
        self.memory = after
        logits = F.linear(F.dropout(h, self.dropout), self.word.weight, self.bias)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def transformer_xl(dropout, **sizes):
    model = TransformerXl(**sizes, dropout=dropout)
    stream = torch.randint(sizes["vocabulary"], (sizes["batch"], sizes["length"] + 1))
    tokens, targets = stream[:, :-1].contiguous(), stream[:, 1:].contiguous()
    return model, [tokens, targets], tokens.numel(), math.log(sizes["vocabulary"])


class Classifier(nn.Module):
    """A model of torchvision, which returns its loss."""

    def __init__(self, name, small):
        from torchvision import models

        super().__init__()
        self.model = models.get_model(name, weights=None, num_classes=CLASSES)
        if small:
            self.model.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
            nn.init.kaiming_normal_(self.model.conv1.weight, mode="fan_out", nonlinearity="relu")
            self.model.maxpool = nn.Identity()

    def forward(self, images, labels):
        return F.cross_entropy(self.model(images), labels)


def classifier(name, images, side, small=False, channels_last=True):
    layout = torch.channels_last if channels_last else torch.contiguous_format
    batch = [torch.randn(images, 3, side, side).to(memory_format=layout), torch.randint(CLASSES, (images,))]
    return Classifier(name, small).to(memory_format=layout), batch, images, math.log(CLASSES)


def build(config, dropout, options):
    """Of a configuration: the model, its batch, tokens or images in that, and the loss of a blind guess, in nats."""
    if config in BERT:
        return bert(**BERT[config], dropout=dropout, softmax="softmax" in options)
    if config in XL:
        return transformer_xl(**XL[config], dropout=dropout)
    return classifier(**IMAGES[config], channels_last="nchw" not in options)
