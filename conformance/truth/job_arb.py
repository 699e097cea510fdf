"""The first oracle of jobs: Arb balls, which differentiate by a tape.

Losses and models are written down as values only; optimizers step as their publications say:
Polyak's displacement, Kingma and Ba's algorithm 1 (arXiv:1412.6980), Loshchilov and Hutter's
algorithm 2 (arXiv:1711.05101).
"""

from __future__ import annotations

from itertools import islice, product
from math import prod
from typing import TYPE_CHECKING

from flint import arb, ctx, fmpq

from conformance.jobs import KERNEL, parameter_shapes
from conformance.truth.job_tape import Variable, affine, bilinear, gradient, total

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from fractions import Fraction

    from conformance.jobs import Optimizer
    from conformance.truth.job_problem import Floats, Problem


def working(precision: int) -> AbstractContextManager[None]:
    """Within it, all balls are computed with ``precision`` bits."""
    found: AbstractContextManager[None] = ctx.workprec(precision)
    return found


class Oracle:
    """One problem, with the state that its optimizer has reached.

    Args:
        problem: Its numbers.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._steps = 0
        zeros = [arb(0)] * len(problem.parameters)
        self._displacement = zeros
        self._mean = zeros
        self._square = zeros

    def number(self, value: Fraction) -> arb:
        """A ball around a fraction."""
        return arb(fmpq(value.numerator, value.denominator))

    def loss(self, parameters: Sequence[arb], samples: Sequence[int]) -> arb:
        """The loss of a batch."""
        return self._loss([Variable(value) for value in parameters], samples).value

    def loss_and_gradient(
        self, parameters: Sequence[arb], samples: Sequence[int]
    ) -> tuple[arb, list[arb]]:
        """The loss of a batch, with its gradient by the parameters."""
        leaves = [Variable(value) for value in parameters]
        loss = self._loss(leaves, samples)
        return loss.value, gradient(loss, leaves)

    def probabilities(
        self, parameters: Sequence[arb], views: Sequence[Floats], *, by_logits: bool
    ) -> list[arb]:
        """The probability of each class of each sample: the mean over the views of the features.

        Args:
            parameters: Shape (P,).
            views: Features, each of shape (N, ...).
            by_logits: Whether the logits are averaged, and not the probabilities.
        """
        leaves = [Variable(value) for value in parameters]
        logits = [
            [z.value for row in _outputs(self._problem, leaves, v) for z in row] for v in views
        ]
        if by_logits:
            return [_sigmoid(_mean(values)) for values in zip(*logits, strict=True)]
        return [
            _mean([_sigmoid(value) for value in values]) for values in zip(*logits, strict=True)
        ]

    def step(self, parameters: Sequence[arb], slopes: Sequence[arb]) -> list[arb]:
        """The parameters after a step of the optimizer, whose state moves on."""
        optimizer = self._problem.optimizer
        slopes = self._clipped(slopes)
        self._steps += 1
        lr, decay = arb(optimizer.lr), arb(optimizer.weight_decay)
        if optimizer.name != "adamw":
            slopes = [g + decay * p for g, p in zip(slopes, parameters, strict=True)]
        if optimizer.name == "sgd":
            momentum = arb(optimizer.momentum)
            self._displacement = [
                momentum * d - lr * g for d, g in zip(self._displacement, slopes, strict=True)
            ]
            moves = self._displacement
            if optimizer.nesterov:
                moves = [momentum * d - lr * g for d, g in zip(moves, slopes, strict=True)]
            return [p + move for p, move in zip(parameters, moves, strict=True)]
        moves = self._adam_directions(optimizer, slopes)
        if optimizer.name == "adamw":
            moves = [d + decay * p for d, p in zip(moves, parameters, strict=True)]
        return [p - lr * d for p, d in zip(parameters, moves, strict=True)]

    def _adam_directions(self, optimizer: Optimizer, slopes: Sequence[arb]) -> list[arb]:
        """The corrected first moment over the root of the corrected second one plus eps."""
        first, second = map(arb, optimizer.betas)
        eps = arb(optimizer.eps)
        self._mean = [first * m + (1 - first) * g for m, g in zip(self._mean, slopes, strict=True)]
        self._square = [
            second * v + (1 - second) * g * g for v, g in zip(self._square, slopes, strict=True)
        ]
        first_correction = 1 - first**self._steps
        second_correction = 1 - second**self._steps
        return [
            (m / first_correction) / (_root(v / second_correction) + eps)
            for m, v in zip(self._mean, self._square, strict=True)
        ]

    def _clipped(self, slopes: Sequence[arb]) -> Sequence[arb]:
        job = self._problem.job
        if job.clip_value is not None:
            largest = arb(job.clip_value)
            return [g.min(largest).max(-largest) for g in slopes]
        if job.clip_norm is not None:
            divisor = _root(sum((g * g for g in slopes), arb(0))) + arb(self._problem.clip_eps)
            if divisor.is_zero():
                return slopes
            factor = (arb(job.clip_norm) / divisor).min(arb(1))
            return [g * factor for g in slopes]
        return slopes

    def _loss(self, leaves: Sequence[Variable], samples: Sequence[int]) -> Variable:
        problem = self._problem
        logits = _outputs(problem, leaves, problem.features[list(samples)])
        element = _bce if problem.job.loss == "bce" else _bce_with_logits
        terms = [
            element(z, arb(t), arb(p)).times(arb(w))
            for zs, ts, ps, ws in zip(
                logits,
                problem.targets[list(samples)].tolist(),
                problem.factors("pos_weight", len(samples)),
                problem.factors("weight", len(samples)),
                strict=True,
            )
            for z, t, p, w in zip(zs, ts, ps, ws, strict=True)
        ]
        loss = total(terms)
        return loss.times(arb(1) / len(terms)) if problem.reduction == "mean" else loss


def _root(value: arb) -> arb:
    """The square root of a square, whose ball may reach below 0."""
    return value.sqrt() if value > 0 else arb(0).union(value.abs_upper().sqrt())


def _mean(values: Sequence[arb]) -> arb:
    return sum(values, arb(0)) / len(values)


def _sigmoid(z: arb) -> arb:
    return 1 / (1 + (-z).exp())


def _bce_with_logits(z: Variable, t: arb, p: arb) -> Variable:
    """The loss p t log(1 + exp(-z)) + (1 - t) log(1 + exp z)."""
    return (-z).exp().log1p().times(p * t) + z.exp().log1p().times(1 - t)


def _bce(z: Variable, t: arb, _: arb) -> Variable:
    """-(t log q + (1 - t) log(1 - q)), of the probability q = 1/(1 + exp(-z))."""
    q = (-z).exp().plus(arb(1)).reciprocal()
    return q.log().times(-t) + (-q).log1p().times(t - 1)


def _outputs(
    problem: Problem, leaves: Sequence[Variable], features: Floats
) -> list[list[Variable]]:
    """The logits of each sample: of a model that ends in a sigmoid, what the sigmoid takes."""
    rest = iter(leaves)
    *hidden, last = [
        (_matrix(rest, *shape), list(islice(rest, shape[0])))
        for _, shape in parameter_shapes(problem.job, problem.features.shape)[::2]
    ]
    rows = []
    for sample in features:
        if not hidden:
            numbers = list(map(arb, sample.tolist()))
            rows.append([affine(w, numbers, b) for w, b in zip(*last, strict=True)])
            continue
        unit = _kernel_unit if problem.job.model == "conv" else _unit
        units = [unit(w, sample, b) for w, b in zip(*hidden[0], strict=True)]
        rows.append([bilinear(w, units, b) for w, b in zip(*last, strict=True)])
    return rows


def _matrix(rest: Iterator[Variable], rows: int, *columns: int) -> list[list[Variable]]:
    """The next parameters, as ``rows`` rows of the product of ``columns``."""
    return [list(islice(rest, prod(columns))) for _ in range(rows)]


def _unit(weights: Sequence[Variable], sample: Floats, bias: Variable) -> Variable:
    return affine(weights, list(map(arb, sample.tolist())), bias).tanh()


def _kernel_unit(weights: Sequence[Variable], image: Floats, bias: Variable) -> Variable:
    """The mean over the image of tanh of what a kernel sees."""
    _, height, width = image.shape
    seen = [
        _unit(weights, image[:, y : y + KERNEL, x : x + KERNEL].reshape(-1), bias)
        for y, x in product(range(height - KERNEL + 1), range(width - KERNEL + 1))
    ]
    return total(seen).times(arb(1) / len(seen))
