"""BERT's pretraining and span heads in plain float64 torch, written from their equations.

Shapes as in plain_bert.py, whose encoder and masked-LM head these use:

    pretraining  loss = masked LM + mean over sequences of CE(W_n tanh(W_p h[:, 0] + b_p) + b_n, is random)
    span         loss = mean over sequences of [CE(s[..., 0], start) + CE(s[..., 1], end)] / 2,  s = W h + b over T
"""

import torch

from plain_bert import encode, linear, logits_and_loss


def mean_cross_entropy(logits, labels):
    """Mean over the rows of logits (N, K) of log sum exp - logits[label]."""
    highest = logits.max(-1, keepdim=True).values
    log_sum = highest.squeeze(-1) + (logits - highest).exp().sum(-1).log()
    return (log_sum - logits.gather(-1, labels[:, None]).squeeze(-1)).mean()


def tanh(x):
    return 2.0 / (1.0 + (-2.0 * x).exp()) - 1.0


def pretraining(p, config, batch, following):
    """Logits (M V + B 2), token logits first, and the loss; following (B) is 0 where the second segment follows."""
    tokens, loss = logits_and_loss(p, config, batch)
    pooled = tanh(linear(p, "bert.pooler.dense", encode(p, config, batch)[:, 0]))
    pairs = linear(p, "cls.seq_relationship", pooled)
    logits = torch.cat([tokens.flatten(), pairs.flatten()])
    return logits, loss + mean_cross_entropy(pairs, following)


def span(p, config, batch, starts, ends):
    """Logits (B, T, 2) and the loss; starts and ends are (B)."""
    scores = linear(p, "qa_outputs", encode(p, config, batch))
    losses = mean_cross_entropy(scores[..., 0], starts), mean_cross_entropy(scores[..., 1], ends)
    return scores, sum(losses) / 2
