"""Trainers whose optimizer is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import ml_dtypes
import numpy as np

from conformance.optimizers import Adam, Sgd

from .trainers import OtherOptimizer, WrongTrainer

if TYPE_CHECKING:
    from conformance.jobs import Optimizer


class _OtherSteps(WrongTrainer):
    """Steps by an optimizer of its own in place of one of the two."""

    sgd: ClassVar[type[Sgd]] = Sgd
    adam: ClassVar[type[Adam]] = Adam

    def optimizer(self, settings: Optimizer) -> Sgd | Adam:
        return (self.sgd if settings.name == "sgd" else self.adam)(settings)


class MomentumIgnored(OtherOptimizer):
    """There is no momentum."""

    def settings(self, given: Optimizer) -> dict[str, Any]:
        return {"momentum": 0.0, "nesterov": False}


class MomentumOfAnEpoch(WrongTrainer):
    """What the optimizer remembers is lost at the start of each epoch."""

    def epoch(self, epoch: int) -> None:
        self.optimum = self.optimizer(self.optimum.settings)
        super().epoch(epoch)


class MomentumDampened(_OtherSteps):
    """The new gradient enters the velocity times 1 - momentum."""

    class sgd(Sgd):  # noqa: N801
        def step(self, parameters: Any, gradient: Any) -> Any:
            first = self.velocity is None
            share = 1 if first else 1 - self.settings.momentum
            return super().step(parameters, share * gradient)


class NesterovIgnored(OtherOptimizer):
    """Nesterov's momentum is a plain one."""

    def settings(self, given: Optimizer) -> dict[str, Any]:
        return {"nesterov": False}


class NesterovUnasked(OtherOptimizer):
    """A plain momentum is Nesterov's."""

    def settings(self, given: Optimizer) -> dict[str, Any]:
        return {"nesterov": given.momentum > 0}


class DecayIgnored(OtherOptimizer):
    """Nothing decays."""

    def settings(self, given: Optimizer) -> dict[str, Any]:
        return {"weight_decay": 0.0}


class DecayOfPenalty(OtherOptimizer):
    """The decay is that of the penalty lambda p^2, twice as large."""

    def settings(self, given: Optimizer) -> dict[str, Any]:
        return {"weight_decay": 2 * given.weight_decay}


class DecayDecoupled(_OtherSteps):
    """SGD's decay multiplies the parameters and never enters the velocity."""

    class sgd(Sgd):  # noqa: N801
        def __init__(self, settings: Optimizer) -> None:
            super().__init__(replace(settings, weight_decay=0.0))
            self.kept = 1 - settings.lr * settings.weight_decay

        def step(self, parameters: Any, gradient: Any) -> Any:
            return super().step(parameters * self.kept, gradient)


class DecayOfBatches(WrongTrainer):
    """The weights decay once for each batch of a window."""

    def begin(self) -> None:
        super().begin()
        self.decay = self.optimum.settings.weight_decay

    def update(self) -> None:
        decay = self.decay * len(self.window)
        self.optimum.settings = replace(self.optimum.settings, weight_decay=decay)
        super().update()


class DecaySparesBiases(WrongTrainer):
    """Biases do not decay, as many recipes have it unasked."""

    def begin(self) -> None:
        super().begin()
        settings = self.optimum.settings
        self.without_decay = self.optimizer(replace(settings, weight_decay=0.0))

    def step(self, gradient: Any) -> Any:
        spared = self.without_decay.step(self.parameters, gradient)
        return np.where(self.are_biases, spared, super().step(gradient))


class AdamwCoupled(OtherOptimizer):
    """AdamW is Adam with the decay in its gradient."""

    def settings(self, given: Optimizer) -> dict[str, Any]:
        return {"name": "adam"} if given.name == "adamw" else {}


class AdamDecoupled(OtherOptimizer):
    """Adam's decay multiplies the parameters, as AdamW's does."""

    def settings(self, given: Optimizer) -> dict[str, Any]:
        return {"name": "adamw"} if given.name == "adam" else {}


class AdamBetasSwapped(OtherOptimizer):
    """The two betas of Adam change places."""

    def settings(self, given: Optimizer) -> dict[str, Any]:
        return {"betas": given.betas[::-1]}


class AdamWithUsualEps(OtherOptimizer):
    """Whatever the eps of Adam, it is 1e-8."""

    def settings(self, given: Optimizer) -> dict[str, Any]:
        return {"eps": 1e-8}


class AdamWithKerasEps(OtherOptimizer):
    """The eps of Adam is at least 1e-7, Keras' epsilon."""

    def settings(self, given: Optimizer) -> dict[str, Any]:
        return {"eps": max(given.eps, 1e-7)}


class _AdamByHand(Adam):
    """Adam whose step, from corrected moments, is written anew."""

    def step(self, parameters: Any, gradient: Any) -> Any:
        given = self.settings
        if given.weight_decay and given.name == "adamw":
            parameters = parameters * (1 - given.lr * given.weight_decay)
        elif given.weight_decay:
            gradient = gradient + given.weight_decay * parameters
        b1, b2 = given.betas
        self.steps += 1
        self.first = b1 * self.first + (1 - b1) * gradient
        self.second = b2 * self.second + (1 - b2) * (gradient * gradient)
        return parameters - given.lr * self.quotient(1 - b1**self.steps, 1 - b2**self.steps)

    def quotient(self, first: float, second: float) -> Any:
        """The step for the learning rate 1, where the moments are corrected by division."""
        raise NotImplementedError


class AdamUncorrected(_OtherSteps):
    """Adam's moments are not corrected for their start at zero."""

    class adam(_AdamByHand):  # noqa: N801
        def quotient(self, first: float, second: float) -> Any:
            return self.first / (np.sqrt(self.second) + self.settings.eps)


class AdamHalfCorrected(_OtherSteps):
    """Only Adam's first moment is corrected."""

    class adam(_AdamByHand):  # noqa: N801
        def quotient(self, first: float, second: float) -> Any:
            return self.first / first / (np.sqrt(self.second) + self.settings.eps)


class AdamEpsInsideRoot(_OtherSteps):
    """Adam's eps is added under the root."""

    class adam(_AdamByHand):  # noqa: N801
        def quotient(self, first: float, second: float) -> Any:
            return self.first / first / np.sqrt(self.second / second + self.settings.eps)


class AdamEpsUncorrected(_OtherSteps):
    """Adam's eps is added before the correction: the epsilon hat of TensorFlow."""

    class adam(_AdamByHand):  # noqa: N801
        def quotient(self, first: float, second: float) -> Any:
            return self.first / first / ((np.sqrt(self.second) + self.settings.eps) / second**0.5)


class AdamOfLargest(_OtherSteps):
    """Adam divides by the largest second moment so far, as AMSGrad does."""

    class adam(_AdamByHand):  # noqa: N801
        largest: Any = 0

        def quotient(self, first: float, second: float) -> Any:
            self.largest = np.maximum(self.largest, self.second / second)
            return self.first / first / (np.sqrt(self.largest) + self.settings.eps)


class AdamCountsBatches(WrongTrainer):
    """Adam's correction counts batches and not steps."""

    def train_batch(self, batch: int, *, last: bool) -> None:
        if isinstance(self.optimum, Adam) and self.window:
            self.optimum.steps += 1
        super().train_batch(batch, last=last)


class RateInFloat32(OtherOptimizer):
    """The learning rate is rounded to float32."""

    def settings(self, given: Optimizer) -> dict[str, Any]:
        return {"lr": float(np.float32(given.lr))}


class BiasesFrozen(WrongTrainer):
    """Biases stay as they are."""

    def step(self, gradient: Any) -> Any:
        return np.where(self.are_biases, self.parameters, super().step(gradient))


class FirstLayerFrozen(WrongTrainer):
    """Of two layers the first is not given to the optimizer."""

    def step(self, gradient: Any) -> Any:
        after = super().step(gradient)
        first, *others = self.work.network(self.parameters, training=True).linear
        size = first.weight.size + first.bias.size if others else 0
        return np.concatenate([self.parameters[:size], after[size:]])


class _RoundedParameters(WrongTrainer):
    """Keeps parameters in fewer bits."""

    kept: ClassVar[Any]

    def step(self, gradient: Any) -> Any:
        after = super().step(gradient)
        return after.astype(self.kept).astype(after.dtype)


class ParametersInBfloat16(_RoundedParameters):
    """Parameters are kept in bfloat16."""

    kept = ml_dtypes.bfloat16


class ParametersInFloat16(_RoundedParameters):
    """Parameters are kept in float16."""

    kept = np.float16


class ParametersInFloat32(_RoundedParameters):
    """Parameters are kept in float32, whatever they were."""

    kept = np.float32
