"""Trainers whose model or loss is not that of the job."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from conformance.networks import Criterion, ImageMean, Tanh, sigmoid

from .trainers import OtherData, WrongTrainer

if TYPE_CHECKING:
    from conformance.loops import Indices
    from conformance.networks import Network


class _OtherCriterion(WrongTrainer):
    """Trains and evaluates with another loss."""

    loss_class: ClassVar[type[Criterion]]

    def criterion(self, criterion: Criterion) -> Criterion:
        given = criterion
        return self.loss_class(given.name, given.reduction, given.weight, given.pos_weight)


class _OnNegatives(Criterion):
    def elements(self, outputs: Any, targets: Any) -> Any:
        if self.pos_weight is None:
            return super().elements(outputs, targets)
        return super().elements(-outputs, 1 - targets)

    def slopes(self, outputs: Any, targets: Any) -> Any:
        if self.pos_weight is None:
            return super().slopes(outputs, targets)
        return -super().slopes(-outputs, 1 - targets)


class PosWeightOfNegatives(_OtherCriterion):
    """The pos_weight multiplies the loss of negatives."""

    loss_class = _OnNegatives


class _WithoutSlope(Criterion):
    def slopes(self, outputs: Any, targets: Any) -> Any:
        return Criterion(self.name, self.reduction, self.weight).slopes(outputs, targets)


class PosWeightInLossOnly(_OtherCriterion):
    """The pos_weight is in the loss, and not in its gradient."""

    loss_class = _WithoutSlope


class _Rescaled(Criterion):
    """Multiplies loss and gradient by a factor."""

    def loss(self, outputs: Any, targets: Any) -> Any:
        return super().loss(outputs, targets) * self.factor(outputs)

    def gradient(self, outputs: Any, targets: Any) -> Any:
        return super().gradient(outputs, targets) * self.factor(outputs)

    def factor(self, outputs: Any) -> Any:
        raise NotImplementedError


class _ByWeights(_Rescaled):
    def factor(self, outputs: Any) -> Any:
        weighted = self.weight is not None and self.reduction == "mean"
        return 1 / np.mean(np.broadcast_to(self.weight, outputs.shape)) if weighted else 1


class MeanByWeights(_OtherCriterion):
    """A weighted mean is divided by the sum of the weights."""

    loss_class = _ByWeights


class _OverSamples(_Rescaled):
    def factor(self, outputs: Any) -> Any:
        return outputs.size / len(outputs) if self.reduction == "mean" else 1


class MeanBySamples(_OtherCriterion):
    """A mean is divided by the samples, and not by all elements."""

    loss_class = _OverSamples


class _OfSigmoid(Criterion):
    def elements(self, outputs: Any, targets: Any) -> Any:
        given = sigmoid(outputs) if self.name == "bce_with_logits" else outputs
        return super().elements(given, targets)

    def slopes(self, outputs: Any, targets: Any) -> Any:
        if self.name == "bce":
            return super().slopes(outputs, targets)
        q = sigmoid(outputs)
        return super().slopes(q, targets) * q * (1 - q)


class SigmoidBeforeLogits(_OtherCriterion):
    """The loss of logits is given probabilities."""

    loss_class = _OfSigmoid


class _Clipping(Criterion):
    def elements(self, outputs: Any, targets: Any) -> Any:
        return np.minimum(super().elements(outputs, targets), 16)


class LossOfSampleLimited(_OtherCriterion):
    """The loss of a sample is limited to 16."""

    loss_class = _Clipping


class _Broadcasting(Criterion):
    def loss(self, outputs: Any, targets: Any) -> Any:
        if outputs.ndim > 1:
            return super().loss(outputs, targets)
        return self.elements(outputs[:, None], targets).mean()

    def gradient(self, outputs: Any, targets: Any) -> Any:
        if outputs.ndim > 1:
            return super().gradient(outputs, targets)
        return self.slopes(outputs[:, None], targets).mean(axis=1) / len(outputs)


class SqueezeForgotten(_OtherCriterion):
    """Outputs (B, 1) meet labels (B,), of which broadcasting makes B x B losses."""

    loss_class = _Broadcasting


class SumAsMean(WrongTrainer):
    """A sum is taken for a mean."""

    def criterion(self, criterion: Criterion) -> Criterion:
        return replace(criterion, reduction="mean")


class MeanAsSum(WrongTrainer):
    """A mean is taken for a sum."""

    def criterion(self, criterion: Criterion) -> Criterion:
        return replace(criterion, reduction="sum")


class _OtherImage(OtherData):
    """Works on images in another position, as if the kernels were in it."""

    def data(self, inputs: dict[str, Any]) -> dict[str, Any]:
        features = inputs["features"]
        return {"features": self.turned(features)} if features.ndim == 4 else {}

    def turned(self, images: Any) -> Any:
        raise NotImplementedError


class KernelTurned(_OtherImage):
    """Kernels are turned by half a turn: the convolution of mathematics."""

    def turned(self, images: Any) -> Any:
        return images[..., ::-1, ::-1]


class KernelTransposed(_OtherImage):
    """Rows and columns of kernels change places."""

    def turned(self, images: Any) -> Any:
        return images.swapaxes(-1, -2)


class KernelChannelsReversed(_OtherImage):
    """The channels of kernels are in reverse order: blue, green and red."""

    def turned(self, images: Any) -> Any:
        return images[:, ::-1]


class _OtherLayer(WrongTrainer):
    """Has another layer in the place of each one of a class."""

    right: ClassVar[type[Any]]
    wrong: ClassVar[type[Any]]

    def network(self, network: Network) -> Network:
        network.layers = [
            self.wrong() if type(layer) is self.right else layer for layer in network.layers
        ]
        return network


class _ImageSum(ImageMean):
    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return x.sum(axis=(1, 2))

    def backward(self, dy: Any) -> Any:
        return dy[:, None, None, :] * np.ones((*self.shape[1:3], 1), np.int8)


class ImageSummed(_OtherLayer):
    """The answers of a kernel are summed up over the image."""

    right, wrong = ImageMean, _ImageSum


class _TanhOfSlopeOne(Tanh):
    def backward(self, dy: Any) -> Any:
        return dy


class TanhNotDifferentiated(_OtherLayer):
    """The derivative of tanh is 1."""

    right, wrong = Tanh, _TanhOfSlopeOne


class _TanhOfWrongSlope(Tanh):
    def backward(self, dy: Any) -> Any:
        return dy * (1 - self.y)


class TanhSlopeWithoutSquare(_OtherLayer):
    """The derivative of tanh is 1 - y and not 1 - y^2."""

    right, wrong = Tanh, _TanhOfWrongSlope


class _Sigmoidal(Tanh):
    def forward(self, x: Any) -> Any:
        self.y = sigmoid(x)
        return self.y

    def backward(self, dy: Any) -> Any:
        return dy * self.y * (1 - self.y)


class SigmoidForTanh(_OtherLayer):
    """Hidden units have a sigmoid in place of tanh."""

    right, wrong = Tanh, _Sigmoidal


class DropoutNeverActive(WrongTrainer):
    """Dropout is off in training, too."""

    def mode(self, *, training: bool) -> bool:
        return False


class DropoutAlwaysActive(WrongTrainer):
    """Dropout is on in evaluations and predictions, too."""

    def mode(self, *, training: bool) -> bool:
        return True


class BiasGradientAveraged(WrongTrainer):
    """The gradient of a bias is averaged over the batch once more."""

    def batch_gradient(self, batch: Indices) -> Any:
        gradient = super().batch_gradient(batch)
        return np.where(self.are_biases, gradient / len(batch), gradient)


class LabelsReshaped(WrongTrainer):
    """Labels become (classes, B) by a reshape, which mixes samples with classes."""

    def labels(self, targets: Any) -> Any:
        return targets.T.reshape(targets.shape) if self.job.classes_first else targets
