# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reversible transformers: a vision transformer and a language model whose blocks are
couplings, attention as F and a perceptron as G.

Mangalam et al.: Reversible vision transformers (arXiv 2302.04869); Kitaev, Kaiser,
Levskaya: Reformer, the efficient transformer (arXiv 2001.04451).
"""

from .. import lax, nn
from .. import numpy as mnp

__all__ = ["AttentionBranch", "MLPBranch", "Reformer", "RevViT", "rev_vit_base",
           "rev_vit_small"]

_INIT = {"weight_init": nn.init.truncated_normal(0.02), "bias_init": nn.init.zeros}


class AttentionBranch(nn.Module):
    """attention(norm(x)): [batch, tokens, features] to the same."""

    def __init__(self, features: int, heads: int, causal: bool = False, dropout: float = 0.0):
        self.norm = nn.LayerNorm(features)
        self.attention = nn.MultiHeadAttention(features, heads, causal=causal, dropout=dropout,
                                               **_INIT)

    def __call__(self, x):
        return self.attention(self.norm(x))


class MLPBranch(nn.Module):
    """down(gelu(up(norm(x)))), where `up` has `expansion` times the features:
    [batch, tokens, features] to the same."""

    def __init__(self, features: int, expansion: int = 4, dropout: float = 0.0):
        self.norm = nn.LayerNorm(features)
        self.up = nn.Linear(features, expansion * features, **_INIT)
        self.down = nn.Linear(expansion * features, features, **_INIT)
        self.dropout = nn.Dropout(dropout)

    def __call__(self, x):
        return self.dropout(self.down(lax.gelu(self.up(self.norm(x)))))


class RevViT(nn.Module):
    """A reversible vision transformer (arXiv 2302.04869): [batch, height, width, 3] to
    logits [batch, classes].

    Patches of `patch` x `patch` pixels become tokens, to which learned positions are
    added; both streams begin with them. `depth` blocks x1 + attention(x2), x2 + MLP(x1)
    are one loop, undone in the backward pass: memory does not depend on `depth`. Then
    the streams side by side are normalised, averaged over tokens, and a linear layer
    gives the logits. Raises ValueError if `image` is no multiple of `patch`.
    """

    def __init__(self, image: int, patch: int, features: int, depth: int, heads: int,
                 classes: int = 1000, expansion: int = 4, dropout: float = 0.0):
        if image % patch:
            raise ValueError(f"RevViT expects images of a multiple of {patch} pixels, but got "
                             f"{image}")
        self.embed = nn.Conv2d(3, features, patch, patch, **_INIT)
        self.position = nn.Parameter(((image // patch)**2, features),
                                     nn.init.truncated_normal(0.02))
        self.blocks = nn.Repeat(nn.Coupling(AttentionBranch(features, heads, dropout=dropout),
                                            MLPBranch(features, expansion, dropout)), depth)
        self.norm = nn.LayerNorm(2 * features)
        self.head = nn.Linear(2 * features, classes, **_INIT)

    def __call__(self, x):
        x = self.embed(x)
        x = x.reshape(x.shape[0], -1, x.shape[-1]) + self.position
        x = mnp.concatenate(self.blocks((x, x)), axis=-1)
        return self.head(mnp.mean(self.norm(x), axis=1))


def rev_vit_small(classes: int = 1000, dropout: float = 0.0) -> RevViT:
    """RevViT-S/16: [batch, 224, 224, 3] to [batch, classes]; 22,434,664 parameters for 1000
    classes."""
    return RevViT(224, 16, 384, 12, 6, classes, dropout=dropout)


def rev_vit_base(classes: int = 1000, dropout: float = 0.0) -> RevViT:
    """RevViT-B/16: [batch, 224, 224, 3] to [batch, classes]; 87,335,656 parameters for 1000
    classes."""
    return RevViT(224, 16, 768, 12, 12, classes, dropout=dropout)


class Reformer(nn.Module):
    """A language model of reversible blocks (arXiv 2001.04451, section 3): integers
    [batch, tokens] in [0, vocabulary) to logits [batch, tokens, vocabulary] of the next.

    Both streams begin with the embedding and a learned position; `depth` blocks
    x1 + attention(x2), x2 + MLP(x1) with causal attention are one loop, undone in the
    backward pass. The average of the streams is normalised and compared with the
    embedding. Attention is exact: the hashing of the paper's section 2 is left out.
    """

    def __init__(self, vocabulary: int, context: int, features: int, depth: int, heads: int,
                 expansion: int = 4, dropout: float = 0.0):
        self.embed = nn.Embedding(vocabulary, features, nn.init.normal(0.02))
        self.position = nn.Parameter((context, features), nn.init.normal(0.02))
        self.blocks = nn.Repeat(
            nn.Coupling(AttentionBranch(features, heads, causal=True, dropout=dropout),
                        MLPBranch(features, expansion, dropout)), depth)
        self.norm = nn.LayerNorm(features)

    def __call__(self, tokens):
        x = self.embed(tokens) + self.position[:tokens.shape[-1]]
        x1, x2 = self.blocks((x, x))
        return self.embed.attend(self.norm((x1 + x2) * 0.5))
