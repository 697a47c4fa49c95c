"""A BERT masked language model in plain float64 torch, written from the equations.

It uses no module, no fused kernel and no loss function of torch, only matrix products, sums,
exp, log and erf, so that it can disagree with Hugging Face if either is wrong.
It also runs what Hugging Face does not have: the attention-free twin.

Shapes: B batch, T tokens, H hidden, A heads, V vocabulary, M labelled positions.

    embeddings   h = LN(word[id] + position[t] + segment[s])
    attention    h = LN(h + W_o softmax(Q K^T / sqrt(H / A) + mask) V + b_o)   left out in the twin
    feed-forward h = LN(h + W_2 gelu(W_1 h + b_1) + b_2)
    head         logits = word LN(gelu(W h + b)) + bias                        word: the embedding matrix
    loss         mean over labelled positions of log sum exp(logits) - logits[label]

Linear weights are stored [out, in], as torch does. LN divides by the biased variance plus eps.

Devlin, Chang, Lee, Toutanova (2019), "BERT: Pre-training of Deep Bidirectional Transformers".
"""

import math

import torch

IGNORED = -100


def linear(p, name, x):
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def layer_norm(p, name, x, eps):
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred * centred).mean(-1, keepdim=True)
    return centred / (variance + eps).sqrt() * p[f"{name}.weight"] + p[f"{name}.bias"]


def gelu(x):
    return x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0)))


def self_attention(p, name, h, attention_mask, heads):
    """h is (B, T, H), attention_mask (B, T) with 1 at real tokens. Returns (B, T, H) before W_o."""
    batch, tokens, hidden = h.shape
    width = hidden // heads

    def split(x):  # (B, T, H) -> (B, A, T, H / A)
        return x.reshape(batch, tokens, heads, width).transpose(1, 2)

    query = split(linear(p, f"{name}.query", h))
    key = split(linear(p, f"{name}.key", h))
    value = split(linear(p, f"{name}.value", h))
    scores = query @ key.transpose(-1, -2) / math.sqrt(width)
    scores = scores.masked_fill(attention_mask[:, None, None, :] == 0, -math.inf)
    weights = (scores - scores.max(-1, keepdim=True).values).exp()
    weights = weights / weights.sum(-1, keepdim=True)
    return (weights @ value).transpose(1, 2).reshape(batch, tokens, hidden)


def encode(p, config, batch, attention=True, word_output=None):
    """The last hidden states (B, T, H).

    p: parameters by their Hugging Face name. batch: input_ids, attention_mask and token_type_ids, each (B, T).
    word_output (B, T, H), where given, stands in for word[id].
    attention=False is the twin: in each block the self-attention and its LayerNorm are left out.
    """
    eps = config["layer_norm_eps"]
    word = p["bert.embeddings.word_embeddings.weight"]
    x = word[batch["input_ids"]] if word_output is None else word_output
    x = x + p["bert.embeddings.position_embeddings.weight"][: x.shape[1]]
    x = x + p["bert.embeddings.token_type_embeddings.weight"][batch["token_type_ids"]]
    h = layer_norm(p, "bert.embeddings.LayerNorm", x, eps)

    for i in range(config["num_hidden_layers"]):
        block = f"bert.encoder.layer.{i}"
        if attention:
            heads = config["num_attention_heads"]
            mixed = self_attention(p, f"{block}.attention.self", h, batch["attention_mask"], heads)
            mixed = linear(p, f"{block}.attention.output.dense", mixed)
            h = layer_norm(p, f"{block}.attention.output.LayerNorm", h + mixed, eps)
        inner = gelu(linear(p, f"{block}.intermediate.dense", h))
        h = layer_norm(p, f"{block}.output.LayerNorm", h + linear(p, f"{block}.output.dense", inner), eps)
    return h


def logits_and_loss(p, config, batch, **options):
    """Logits (M, V) at the labelled positions in row-major order, and the mean loss.

    As encode, whose options these are; the batch has labels (B, T), too.
    """
    word = p["bert.embeddings.word_embeddings.weight"]
    h = encode(p, config, batch, **options)
    labelled = batch["labels"] != IGNORED
    z = gelu(linear(p, "cls.predictions.transform.dense", h[labelled]))
    z = layer_norm(p, "cls.predictions.transform.LayerNorm", z, config["layer_norm_eps"])
    logits = z @ word.T + p["cls.predictions.bias"]

    highest = logits.max(-1, keepdim=True).values
    log_sum = highest.squeeze(-1) + (logits - highest).exp().sum(-1).log()
    chosen = logits.gather(-1, batch["labels"][labelled][:, None]).squeeze(-1)
    return logits, (log_sum - chosen).mean()
