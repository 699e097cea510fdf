"""The second oracle of jobs: gradients by formulas worked out by hand, in mpmath.

Every formula is written so that it loses no digits of its own; optimizers step as PyTorch
documents them (https://docs.pytorch.org/docs/stable/optim.html).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

import mpmath

from conformance.jobs import KERNEL, parameter_shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from fractions import Fraction

    from conformance.jobs import Optimizer
    from conformance.truth.job_problem import Floats, Problem

Row = list[mpmath.mpf]

GUARD_BITS = 64
"""Beyond the precision of the balls, so that it is they that are compared with the truth."""

_context = mpmath.MPContext()


def working(precision: int) -> AbstractContextManager[None]:
    """Within it, all is computed with GUARD_BITS more than ``precision`` bits."""
    found: AbstractContextManager[None] = _context.workprec(precision + GUARD_BITS)
    return found


class _Layer(NamedTuple):
    """The rows of a weight, each with its bias."""

    weights: list[Row]
    biases: Row


class _Hidden(NamedTuple):
    """What tanh units make of a sample.

    Attributes:
        places: What is seen, place by place: one for "mlp", those of a kernel for "conv".
        sums: By unit and place, what tanh is taken of.
    """

    places: list[Row]
    sums: list[Row]


class Oracle:
    """One problem, with the state that its optimizer has reached.

    Args:
        problem: Its numbers.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._steps = 0
        self._buffer: Row = []
        self._exp_avg = self._exp_avg_sq = [_context.zero] * len(problem.parameters)

    def number(self, value: Fraction) -> mpmath.mpf:
        """A fraction, rounded."""
        return _context.mpf(value.numerator) / value.denominator

    def loss(self, parameters: Row, samples: Sequence[int]) -> mpmath.mpf:
        """The loss of a batch."""
        layers = self._layers(parameters)
        inputs = [self._inputs(layers, image) for image in self._chosen(samples)]
        logits = [_dense(layers[-1], numbers) for numbers, _ in inputs]
        return _context.fsum(map(_context.fsum, self._of_elements(_loss_at, logits, samples)))

    def loss_and_gradient(self, parameters: Row, samples: Sequence[int]) -> tuple[mpmath.mpf, Row]:
        """The loss of a batch, with its gradient by the parameters."""
        layers = self._layers(parameters)
        inputs = [self._inputs(layers, image) for image in self._chosen(samples)]
        logits = [_dense(layers[-1], numbers) for numbers, _ in inputs]
        loss = _context.fsum(map(_context.fsum, self._of_elements(_loss_at, logits, samples)))
        deltas = self._of_elements(_slope_at, logits, samples)
        gradient = _of_weights(deltas, [numbers for numbers, _ in inputs])
        if len(layers) == 1:
            return loss, gradient
        columns = list(zip(*layers[-1].weights, strict=True))
        seen: list[Row] = []
        slopes: list[Row] = []
        for delta, (_, hidden) in zip(deltas, inputs, strict=True):
            behind = [_context.fdot(delta, column) / len(hidden.places) for column in columns]
            by_unit = [
                [slope * _sech_squared(value) for value in values]
                for slope, values in zip(behind, hidden.sums, strict=True)
            ]
            seen += hidden.places
            slopes += map(list, zip(*by_unit, strict=True))
        return loss, _of_weights(slopes, seen) + gradient

    def probabilities(self, parameters: Row, views: Sequence[Floats], *, by_logits: bool) -> Row:
        """The probability of each class of each sample: the mean over the views of the features.

        Args:
            parameters: Shape (P,).
            views: Features, each of shape (N, ...).
            by_logits: Whether the logits are averaged, and not the probabilities.
        """
        layers = self._layers(parameters)
        logits = [
            [z for image in view for z in _dense(layers[-1], self._inputs(layers, image)[0])]
            for view in views
        ]
        together = zip(*logits, strict=True)
        if by_logits:
            return [_sigmoid(_context.fsum(values) / len(values)) for values in together]
        return [_context.fsum(map(_sigmoid, values)) / len(values) for values in together]

    def step(self, parameters: Row, gradient: Row) -> Row:
        """The parameters after a step of the optimizer, whose state moves on."""
        optimizer = self._problem.optimizer
        gradient = self._clipped(gradient)
        self._steps += 1
        lr, weight_decay = _context.mpf(optimizer.lr), _context.mpf(optimizer.weight_decay)
        if optimizer.name == "adamw":
            parameters = [p * (1 - lr * weight_decay) for p in parameters]
        elif weight_decay:
            gradient = [g + weight_decay * p for g, p in zip(gradient, parameters, strict=True)]
        if optimizer.name == "sgd":
            gradient = self._with_momentum(optimizer, gradient)
            return [p - lr * g for p, g in zip(parameters, gradient, strict=True)]
        beta1, beta2 = map(_context.mpf, optimizer.betas)
        pairs = zip(self._exp_avg, gradient, strict=True)
        self._exp_avg = [m + (1 - beta1) * (g - m) for m, g in pairs]
        pairs = zip(self._exp_avg_sq, gradient, strict=True)
        self._exp_avg_sq = [beta2 * v + (1 - beta2) * g**2 for v, g in pairs]
        step_size = lr / (1 - beta1**self._steps)
        root = _context.sqrt(1 - beta2**self._steps)
        return [
            p - step_size * m / (_context.sqrt(v) / root + optimizer.eps)
            for p, m, v in zip(parameters, self._exp_avg, self._exp_avg_sq, strict=True)
        ]

    def _with_momentum(self, optimizer: Optimizer, gradient: Row) -> Row:
        momentum = _context.mpf(optimizer.momentum)
        if not momentum:
            return gradient
        if self._steps == 1:
            self._buffer = gradient
        else:
            pairs = zip(self._buffer, gradient, strict=True)
            self._buffer = [momentum * b + g for b, g in pairs]
        if not optimizer.nesterov:
            return self._buffer
        return [g + momentum * b for g, b in zip(gradient, self._buffer, strict=True)]

    def _clipped(self, gradient: Row) -> Row:
        job = self._problem.job
        if job.clip_value is not None:
            return [max(-job.clip_value, min(job.clip_value, g)) * _context.one for g in gradient]
        if job.clip_norm is None:
            return gradient
        norm = _context.sqrt(_context.fsum(gradient, squared=True)) + self._problem.clip_eps
        if norm <= job.clip_norm:
            return gradient
        return [g * job.clip_norm / norm for g in gradient]

    def _chosen(self, samples: Sequence[int]) -> Floats:
        return self._problem.features[list(samples)]

    def _layers(self, parameters: Row) -> list[_Layer]:
        problem = self._problem
        shapes = [shape for _, shape in parameter_shapes(problem.job, problem.features.shape)]
        start, layers = 0, []
        for rows, *columns in shapes[::2]:
            width = prod(columns)
            middle, end = start + rows * width, start + rows * (width + 1)
            weights = [parameters[at : at + width] for at in range(start, middle, width)]
            layers.append(_Layer(weights, parameters[middle:end]))
            start = end
        return layers

    def _inputs(self, layers: Sequence[_Layer], image: Floats) -> tuple[Row, _Hidden]:
        """What the last layer takes of a sample, and what it was made of."""
        if self._problem.job.model == "conv":
            _, height, width = image.shape
            places = [
                _numbers(image[:, y : y + KERNEL, x : x + KERNEL])
                for y in range(height - KERNEL + 1)
                for x in range(width - KERNEL + 1)
            ]
        else:
            places = [_numbers(image)]
        if len(layers) == 1:
            return places[0], _Hidden(places, [])
        sums = [list(row) for row in zip(*(_dense(layers[0], p) for p in places), strict=True)]
        units = [_context.fsum(map(_context.tanh, values)) / len(places) for values in sums]
        return units, _Hidden(places, sums)

    def _of_elements(
        self,
        formula: Callable[[mpmath.mpf, mpmath.mpf, mpmath.mpf], mpmath.mpf],
        logits: Sequence[Row],
        samples: Sequence[int],
    ) -> list[Row]:
        """A formula at every element of a batch, with its weight in the batch's loss."""
        problem = self._problem
        divisor = len(samples) * problem.job.classes if problem.reduction == "mean" else 1
        rows = zip(
            logits,
            problem.targets[list(samples)].tolist(),
            problem.factors("pos_weight", len(samples)),
            problem.factors("weight", len(samples)),
            strict=True,
        )
        return [
            [
                w * formula(z, _context.mpf(t), _context.mpf(p)) / divisor
                for z, t, p, w in zip(*row, strict=True)
            ]
            for row in rows
        ]


def _numbers(values: Floats) -> Row:
    return [_context.mpf(value) for value in values.reshape(-1).tolist()]


def _dense(layer: _Layer, numbers: Row) -> Row:
    return [
        _context.fdot(row, numbers) + bias
        for row, bias in zip(layer.weights, layer.biases, strict=True)
    ]


def _of_weights(deltas: Sequence[Row], inputs: Sequence[Row]) -> Row:
    """The gradient by a layer's weights, then its biases, from that by its outputs."""
    by_output = list(zip(*deltas, strict=True))
    by_input = list(zip(*inputs, strict=True))
    return [
        *(_context.fdot(delta, numbers) for delta in by_output for numbers in by_input),
        *map(_context.fsum, by_output),
    ]


def _sigmoid(z: mpmath.mpf) -> mpmath.mpf:
    if z < 0:
        power = _context.exp(z)
        return power / (1 + power)
    return 1 / (1 + _context.exp(-z))


def _sech_squared(z: mpmath.mpf) -> mpmath.mpf:
    """The slope of tanh."""
    power = _context.exp(-2 * abs(z))
    return 4 * power / (1 + power) ** 2


def _loss_at(z: mpmath.mpf, t: mpmath.mpf, p: mpmath.mpf) -> mpmath.mpf:
    """(1 - t) max(z, 0) + p t max(-z, 0) + (1 - t + p t) log(1 + exp(-|z|)).

    That of a probability is the same, of the logit that it is the sigmoid of, and for p = 1.
    """
    rest = (1 - t + p * t) * _context.log1p(_context.exp(-abs(z)))
    return (1 - t) * z + rest if z > 0 else rest - p * t * z


def _slope_at(z: mpmath.mpf, t: mpmath.mpf, p: mpmath.mpf) -> mpmath.mpf:
    """(1 - t) S(z) - p t S(-z)."""
    return (1 - t) * _sigmoid(z) - p * t * _sigmoid(-z)
