"""The part of every kit's interface that transformers ask for: tokens and attention.

A row of tokens is a map of height 1, whose pixels are the tokens. Pointwise convolutions,
normalisations over channels, layer scale and stochastic depth treat it as they treat any map, so
that a kit needs only what a row has and a map has not. It imports no Keras.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

__all__ = ["TokenKit"]


class TokenKit(ABC):
    """What `Kit` says of tokens."""

    @abstractmethod
    def tokens(self, x: Any, *, name: str) -> Any:
        """A map as a row of tokens, one a pixel, row by row."""

    @abstractmethod
    def token_map(self, x: Any, size: tuple[int, int], *, name: str) -> Any:
        """A row of tokens as the map of `size`, (height, width), that it was."""

    @abstractmethod
    def crop_tokens(self, x: Any, first: int, count: int, *, name: str) -> Any:
        """So many tokens of a row, from number `first` on."""

    @abstractmethod
    def join_tokens(self, rows: list[Any], *, name: str) -> Any:
        """Rows of tokens, one behind the other."""

    @abstractmethod
    def learned_tokens(self, x: Any, count: int, *, name: str) -> Any:
        """Tokens that are learnt, the same for every image, and that the symmetry leaves alone.

        Args:
            x: a map or row, from which the batch and the channels are taken.
            count: how many.
            name: of the layer, and of timm's parameter.
        """

    @abstractmethod
    def add_positions(
        self, x: Any, size: tuple[int, int], *, prefix_tokens: int = 0, name: str
    ) -> Any:
        """Adds to each token a learnt vector of its position.

        With a symmetry the vectors on the grid are those that the symmetry maps onto each other:
        of regular fields `P[x, h] = p(h^-1 x)`, with a free function p on the grid.

        Args:
            x: a row of tokens.
            size: (height, width) of the map that it was.
            prefix_tokens: how many tokens stand before those of the map; they have learnt vectors
                too, which the symmetry leaves alone.
            name: of the layer, and of timm's parameter.
        """

    @abstractmethod
    def position_bias(
        self, x: Any, size: tuple[int, int], heads: int, *, prefix_tokens: int = 0, name: str
    ) -> Any:
        """Learnt terms of the scores, one a head and a displacement from query to key.

        With a symmetry, displacements that it maps onto each other have the same. From a token
        before those of the map, to one, and between two of them, there is one term each.

        Args:
            x, size, prefix_tokens, name: as of `add_positions`.
            heads: of `attention`.

        Returns:
            what `attention` takes as `bias`.
        """

    def block_diagonal(self, channels: int) -> Any:
        """The kit with which rows of so many channels take the fewest multiply-adds.

        Where that is another basis of the channels than elsewhere, rows are brought into it by the
        `enter` of that kit and out of it by its `leave`; answers are the same. By itself this kit.
        """
        return self

    def enter(self, x: Any, *, name: str) -> Any:
        """A row in the basis of this kit, from that of the other layers."""
        return x

    def leave(self, x: Any, *, name: str) -> Any:
        """A row in the basis of the other layers."""
        return x

    @abstractmethod
    def pointwise(
        self,
        x: Any,
        channels: int,
        *,
        activation: str | None = None,
        heads_in: int = 1,
        heads_out: int = 1,
        name: str,
    ) -> Any:
        """A dense layer with a bias, of each token by itself, to `channels` of this network.

        It is a product of matrices of rows, with which TensorFlow computes the activation at once
        at inference: of GELU on a CPU that is a third of the layer's time. A token has no
        orientation but that of its channels, so that where the images themselves are rotated
        (`rot4_inputs`) this is the plain layer.

        Args:
            x: a row.
            channels: of the output.
            activation: pointwise, or None.
            heads_in: of the attention whose answer the row is.
            heads_out: of the attention that takes the output: three times its heads.
            name: of the layer.
        """

    @abstractmethod
    def attention(self, x: Any, heads: int, *, bias: Any = None, name: str) -> Any:
        """Scaled dot-product attention within a row of tokens.

        In each head, a token is answered with `sum_j softmax_j(q_i . k_j / sqrt(d) + bias_ij) v_j`
        (Vaswani et al. 2017, arXiv:1706.03762, equation 1). A head has d channels that stand
        together, which are whole fields: when the channels of all fields change places alike,
        the inner products stay, and the answers change places as the values do.

        Args:
            x: a row whose channels are queries, keys and values, in this order; each is cut into
                heads.
            heads: how many. The channels are wished for with `divisible_by=3 * heads`.
            bias: of `position_bias`, or None.
            name: of the layers. The weights of a head, which sum to 1 over the keys, are the output
                of the layer `<name>.softmax`, (batch, heads, queries, keys).
        """
