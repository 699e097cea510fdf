"""The models of jobs, each with its loss, forwards with the values, backwards with the gradient.

Everything is written for any array that has NumPy's operators: arrays of one dtype make it a
reference to read, those of ``rounding.Rounded`` make it an analysis of its own error. They are
Any to the type checker, since NumPy has no type for what merely behaves like an array.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from conformance.bounds import softplus
from conformance.jobs import KERNEL, parameter_shapes

if TYPE_CHECKING:
    from conformance.jobs import Job


def sigmoid(z: Any) -> Any:
    """1 / (1 + exp -z): all digits in both tails; 0 where exp -z overflows."""
    return 1 / (1 + np.exp(-z))


class Layer(Protocol):
    """A function that remembers what its derivative needs."""

    def forward(self, x: Any) -> Any:
        """Return y of x."""

    def backward(self, dy: Any) -> Any:
        """Return dL/dx of dL/dy."""


class Linear:
    """y = x W' + b over the last dimension, with W of shape (outputs, inputs)."""

    def __init__(self, weight: Any, bias: Any) -> None:
        self.weight = weight.reshape(len(bias), -1)
        self.bias = bias
        self.gradients: tuple[Any, ...] = ()

    def forward(self, x: Any) -> Any:
        """Return x W' + b."""
        self.x = x
        return x @ self.weight.T + self.bias

    def learn(self, dy: Any) -> None:
        """dL/dW = dy' x and dL/db = sum dy, both over all dimensions but the last."""
        outputs, inputs = self.weight.shape
        rows = dy.reshape(-1, outputs)
        self.gradients = (rows.T @ self.x.reshape(-1, inputs), rows.sum(axis=0))

    def backward(self, dy: Any) -> Any:
        """dL/dx = dy W."""
        return dy @ self.weight


class Tanh:
    """y = tanh x."""

    def forward(self, x: Any) -> Any:
        """Return tanh x."""
        self.y = np.tanh(x)
        return self.y

    def backward(self, dy: Any) -> Any:
        """dL/dx = dy (1 - y^2)."""
        return dy * (1 - self.y * self.y)


class Sigmoid:
    """y = 1 / (1 + exp -x)."""

    def forward(self, x: Any) -> Any:
        """Return the probability of a logit."""
        self.y = sigmoid(x)
        return self.y

    def backward(self, dy: Any) -> Any:
        """dL/dx = dy y (1 - y)."""
        return dy * self.y * (1 - self.y)


class ImageMean:
    """The mean over the image: (N, H, W, K) to (N, K)."""

    def forward(self, x: Any) -> Any:
        """Return the mean of each kernel's answers."""
        self.shape = x.shape
        return x.sum(axis=(1, 2)) / prod(self.shape[1:3])

    def backward(self, dy: Any) -> Any:
        """dL/dx = dy / (H W) at every place of the image."""
        _, height, width, _ = self.shape
        share = (dy / (height * width))[:, None, None, :]
        return share * np.ones((height, width, 1), np.int8)


def patches(images: Any) -> Any:
    """The squares of images that a kernel meets: (N, C, H, W) to (N, H - 2, W - 2, 9 C).

    Each is in the order (channel, row, column) of a kernel, so that a convolution without padding
    is a linear layer over them.
    """
    count, channels, height, width = images.shape
    offsets = np.arange(KERNEL)
    rows = np.arange(height - KERNEL + 1)[:, None] + offsets
    columns = np.arange(width - KERNEL + 1)[:, None] + offsets
    found = images[:, :, rows[:, None, :, None], columns[None, :, None, :]]
    ordered = found.transpose(0, 2, 3, 1, 4, 5)
    return ordered.reshape(count, len(rows), len(columns), channels * KERNEL**2)


class Network:
    """A job's model with its parameters.

    Args:
        job: Names the model.
        parameters: All of them, flat, in the order of ``jobs.parameter_shapes``.
        features: The shape of the features.
        training: Whether the model is in training mode.
    """

    def __init__(
        self, job: Job, parameters: Any, features: tuple[int, ...], *, training: bool
    ) -> None:
        given = []
        start = 0
        for _, shape in parameter_shapes(job, features):
            given.append(parameters[start : start + prod(shape)].reshape(shape))
            start += prod(shape)
        self.job, self.training = job, training
        self.linear = [Linear(*pair) for pair in zip(given[::2], given[1::2], strict=True)]
        between: list[Layer] = []
        if job.model == "conv":
            between = [Tanh(), ImageMean()]
        elif job.model.startswith("mlp"):
            between = [Tanh()]
        self.layers: list[Layer] = [self.linear[0], *between, *self.linear[1:]]
        self.last: list[Layer] = [Sigmoid()] if job.model.endswith("_sigmoid") else []

    def logits(self, features: Any) -> Any:
        """Logits of shape (N, classes)."""
        values = features
        if self.job.model == "conv":
            values = patches(features)
        elif self.job.model == "dropout_linear" and self.training:
            values = features * 0
        for layer in self.layers:
            values = layer.forward(values)
        return values

    def forward(self, features: Any) -> Any:
        """What the loss is given, of shape (N, classes): logits, or their probabilities."""
        values = self.logits(features)
        for layer in self.last:
            values = layer.forward(values)
        return values

    def backward(self, gradient: Any) -> Any:
        """The flat gradient of all parameters, from that of the last ``forward``'s result."""
        for layer in reversed([*self.layers[1:], *self.last]):
            if isinstance(layer, Linear):
                layer.learn(gradient)
            gradient = layer.backward(gradient)
        self.linear[0].learn(gradient)
        return np.concatenate(
            [part.reshape(-1) for layer in self.linear for part in layer.gradients]
        )


@dataclass(frozen=True)
class Criterion:
    """A loss, reduced.

    Attributes:
        name: "bce_with_logits", or "bce" of probabilities.
        reduction: "mean" over all elements, or "sum".
        weight: Multiplies the elements; it broadcasts.
        pos_weight: Of logits, multiplies the positive part of each element; it broadcasts.
    """

    name: str
    reduction: str
    weight: Any = None
    pos_weight: Any = None

    def loss(self, outputs: Any, targets: Any) -> Any:
        """The reduced loss.

        Raises:
            ValueError: If the targets have another shape than the outputs.
        """
        if outputs.shape != targets.shape:
            msg = f"targets have shape {targets.shape}, not {outputs.shape}"
            raise ValueError(msg)
        return self._share(self._weighted(self.elements(outputs, targets)).sum(), outputs)

    def gradient(self, outputs: Any, targets: Any) -> Any:
        """The derivative of the reduced loss with respect to each output."""
        return self._share(self._weighted(self.slopes(outputs, targets)), outputs)

    def _weighted(self, values: Any) -> Any:
        return values if self.weight is None else self.weight * values

    def _share(self, values: Any, outputs: Any) -> Any:
        return values / prod(outputs.shape) if self.reduction == "mean" else values

    def elements(self, outputs: Any, targets: Any) -> Any:
        """The loss of each element, for the weight 1.

        Of a logit x and target t, p t s(-x) + (1 - t) s(x) with pos_weight p and s(z) =
        log(1 + exp z): no term is larger than the sum. Of a probability q,
        -t log q - (1 - t) log1p(-q), where a factor 0 leaves nothing of an infinite logarithm.
        """
        t = targets
        if self.name == "bce_with_logits":
            positive = t if self.pos_weight is None else self.pos_weight * t
            return positive * softplus(-outputs) + (1 - t) * softplus(outputs)
        log_q, log_1q = np.log(outputs), np.log1p(-outputs)
        return -np.where(t == 0, 0, t * log_q) - np.where(t == 1, 0, (1 - t) * log_1q)

    def slopes(self, outputs: Any, targets: Any) -> Any:
        """The derivative of each element with respect to its output, for the weight 1.

        (1 - t) S(x) - p t S(-x) with the sigmoid S; (q - t) / (q (1 - q)).
        """
        t = targets
        if self.name == "bce_with_logits":
            positive = t if self.pos_weight is None else self.pos_weight * t
            return (1 - t) * sigmoid(outputs) - positive * sigmoid(-outputs)
        # At q = 0 and q = 1 the sigmoid behind it multiplies by 0: what counts is to be finite.
        smallest = np.finfo(outputs.dtype).tiny
        return (outputs - t) / np.maximum(outputs * (1 - outputs), smallest)
