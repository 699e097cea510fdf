"""Mistakes in reductions and in the shape of what is returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .base import LOSS, Mutant, OtherAnswer, OtherMean, first

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array
    from conformance.model import Question

    from .base import Arrays, Outputs


class _OtherReduction(Mutant):
    """Base of those that reduce the loss in another way."""

    def reduce(self, outputs: Outputs, reduction: str) -> Outputs:
        found = super().reduce(outputs, reduction)
        return found | {"loss": np.asarray(self.loss(outputs["loss"], reduction, found["loss"]))}

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        """What is returned for the weighted losses of the elements; ``right`` is right."""
        raise NotImplementedError


class MeanOverRows(OtherMean):
    """The mean is divided by the batch size and not by the number of elements."""

    def divisor(self, arrays: Arrays, size: int) -> int:
        shape = first(arrays).shape
        return shape[0] if shape and size else size


class MeanOverOneLess(OtherMean):
    """The mean is divided by the number of elements less one."""

    def divisor(self, arrays: Arrays, size: int) -> int:
        return size - 1 if size > 1 else size


class MeanOfFullBatches(OtherMean):
    """The mean is divided by the size of a full batch, the next multiple of 8."""

    def divisor(self, arrays: Arrays, size: int) -> int:
        return -(-size // 8) * 8


class SumForMean(_OtherReduction):
    """The mean is not divided."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return losses.sum() if reduction == "mean" else right


class MeanForSum(_OtherReduction):
    """The sum is divided by the number of elements."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return losses.sum() / losses.size if reduction == "sum" else right


class SumOverRows(_OtherReduction):
    """The sum is divided by the batch size, as a bad `batchmean` is."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        rows = losses.shape[0] if losses.ndim and losses.size else 1
        return right / rows if reduction == "sum" else right


class RowSumsUnreduced(_OtherReduction):
    """Without reduction the sums of the rows are returned."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return losses.sum(axis=-1) if reduction == "none" and losses.ndim else right


class RowMeansUnreduced(_OtherReduction):
    """Without reduction the means of the rows are returned, as by Keras."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        if reduction != "none" or losses.ndim < 2 or not losses.size:
            return right
        return losses.mean(axis=-1)


class RowMeansOfMean(_OtherReduction):
    """The mean is taken along the last axis only."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        partial = reduction == "mean" and losses.ndim > 1 and losses.size
        return losses.mean(axis=-1) if partial else right


class EmptyMeanZero(_OtherReduction):
    """The mean of no elements is 0."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return right if losses.size or reduction != "mean" else losses.sum()


class EmptySumNan(_OtherReduction):
    """The sum of no elements is NaN."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return right if losses.size or reduction != "sum" else right + np.nan


class MeanOfFiniteLosses(_OtherReduction):
    """The mean leaves out what is NaN or infinite."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        finite = losses[np.isfinite(losses)]
        return finite.mean() if reduction == "mean" and finite.size else right


class SumWithoutNan(_OtherReduction):
    """The sum leaves out NaN."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return np.nansum(losses) if reduction == "sum" else right


class MedianForMean(_OtherReduction):
    """The mean is a median."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return np.median(losses) if reduction == "mean" and losses.size else right


class LastElementDropped(_OtherReduction):
    """A reduction of more than one element leaves out the last."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        if reduction == "none" or losses.size < 2:
            return right
        total = losses.reshape(-1)[:-1].sum()
        return total if reduction == "sum" else total / losses.size


class TailOfBlockDropped(_OtherReduction):
    """A reduction of more than 1024 elements leaves out the last, incomplete block of 256."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        if reduction == "none" or losses.size <= 1024:
            return right
        total = losses.reshape(-1)[: losses.size // 256 * 256].sum()
        return total if reduction == "sum" else total / losses.size


class SequentialSum(_OtherReduction):
    """A sum is taken one element after the other, and loses digits with each."""

    kind = "accuracy"

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        if reduction == "none" or not losses.size:
            return right
        total = np.cumsum(losses)[-1]
        return total if reduction == "sum" else total / losses.size


class RunningMean(_OtherReduction):
    """A mean is updated element by element, and loses digits with each."""

    kind = "accuracy"

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        # One element after the other is too slow in Python for more; the fault is the same.
        if reduction != "mean" or not 1 < losses.size <= 20_000:
            return right
        mean = losses.dtype.type(0)
        for count, loss in enumerate(losses.reshape(-1), start=1):
            mean += (loss - mean) / losses.dtype.type(count)
        return mean


class MeanOverflowsInSum(_OtherReduction):
    """The mean divides a sum that has overflowed."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return losses.sum() / losses.size if reduction == "mean" else right


class MeanDividedFirst(_OtherReduction):
    """The mean adds losses that were divided, of which the small ones underflow."""

    kind = "accuracy"

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return (losses / losses.size).sum() if reduction == "mean" else right


class ScalarWithAxis(_OtherReduction):
    """A reduced loss has the shape (1,)."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return right if reduction == "none" else right.reshape(1)


class AxesKept(_OtherReduction):
    """A reduced loss keeps its axes, each of one element."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return right if reduction == "none" else right.reshape((1,) * losses.ndim)


class UnreducedSqueezed(_OtherReduction):
    """Axes of one element are dropped."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return np.squeeze(right)


class UnreducedScalarWithAxis(_OtherReduction):
    """An unreduced loss without axes gets one."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return np.atleast_1d(right) if reduction == "none" else right


class UnreducedFlattened(_OtherReduction):
    """An unreduced loss is flat."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return right.reshape(-1) if losses.ndim > 1 else right


class UnreducedTransposed(_OtherReduction):
    """An unreduced loss is transposed on square shapes."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        square = losses.ndim > 1 and len(set(losses.shape)) == 1
        return right.T if reduction == "none" and square else right


class ReductionIgnored(_OtherReduction):
    """The loss is never reduced."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return losses


class ReductionAlwaysMean(_OtherReduction):
    """The loss is always reduced to its mean."""

    def loss(self, losses: Array, reduction: str, right: Array) -> Any:
        return losses.sum() / max(1, losses.size)


class LossOfFirstElement(OtherAnswer):
    """The loss returned is that of the first element."""

    def returned(self, outputs: Outputs, question: Question) -> Outputs:
        loss = outputs["loss"]
        return {name: np.full_like(loss, loss.reshape(-1)[0]) for name in LOSS if loss.size}
