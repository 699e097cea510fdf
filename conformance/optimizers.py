"""The updates of the optimizers, as PyTorch's documentation defines them.

Source: https://docs.pytorch.org/docs/stable/optim.html, the pages of SGD, Adam and AdamW. Written,
like ``networks``, for any array that has NumPy's operators; all arrays are flat, of shape (P,).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from conformance.jobs import Job, Optimizer


class Sgd:
    """g += lambda p; v = momentum v + g; p -= lr v, or lr (g + momentum v) with Nesterov."""

    def __init__(self, settings: Optimizer) -> None:
        self.settings = settings
        self.velocity: Any = None

    def step(self, parameters: Any, gradient: Any) -> Any:
        """Return the parameters after one step."""
        given = self.settings
        if given.weight_decay:
            gradient = gradient + given.weight_decay * parameters
        step = gradient
        if given.momentum:
            if self.velocity is None:
                self.velocity = gradient
            else:
                self.velocity = given.momentum * self.velocity + gradient
            step = self.velocity
            if given.nesterov:
                step = gradient + given.momentum * self.velocity
        return parameters - given.lr * step


class Adam:
    """m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; p -= lr m^ / (sqrt v^ + eps).

    In the n-th step m^ = m / (1 - b1^n) and v^ = v / (1 - b2^n). Adam adds lambda p to g; AdamW
    ("decoupled") first multiplies p by 1 - lr lambda.
    """

    def __init__(self, settings: Optimizer) -> None:
        self.settings = settings
        self.steps = 0
        self.first: Any = 0
        self.second: Any = 0

    def step(self, parameters: Any, gradient: Any) -> Any:
        """Return the parameters after one step."""
        given = self.settings
        if given.weight_decay and given.name == "adamw":
            parameters = parameters * (1 - given.lr * given.weight_decay)
        elif given.weight_decay:
            gradient = gradient + given.weight_decay * parameters
        b1, b2 = given.betas
        self.steps += 1
        self.first = b1 * self.first + (1 - b1) * gradient
        self.second = b2 * self.second + (1 - b2) * (gradient * gradient)
        first = self.first / (1 - b1**self.steps)
        second = self.second / (1 - b2**self.steps)
        return parameters - given.lr * (first / (np.sqrt(second) + given.eps))


def optimizer_of(settings: Optimizer) -> Sgd | Adam:
    """The optimizer that the settings describe, before its first step."""
    return Sgd(settings) if settings.name == "sgd" else Adam(settings)


def clipped(gradient: Any, job: Job, eps: float) -> Any:
    """The gradient, clipped as the job asks.

    Args:
        gradient: Of all parameters.
        job: Its ``clip_norm`` c multiplies by min(1, c / (norm + eps)), its ``clip_value`` limits
            each element.
        eps: Added to the norm.
    """
    if job.clip_norm is not None:
        norm = np.sqrt((gradient * gradient).sum())
        gradient = gradient * np.minimum(job.clip_norm / (norm + eps), 1)
    if job.clip_value is not None:
        gradient = np.maximum(np.minimum(gradient, job.clip_value), -job.clip_value)
    return gradient
