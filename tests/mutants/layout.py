"""Memory read or written as if every array were contiguous."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .base import DERIVATIVES, LOSS, Mutant, OtherAnswer, first

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array
    from conformance.model import Question

    from .base import Outputs


def memory(array: Array) -> Array:
    """The whole memory that an array lies in, flat, in its order."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.reshape(-1, order="A")


class _Misread(Mutant):
    """Base of those that read inputs from other places in memory."""

    def read(self, question: Question) -> Question:
        question = super().read(question)
        inputs = {name: self.array(array) for name, array in question.inputs.items()}
        return replace(question, inputs=inputs)

    def array(self, array: Array) -> Array:
        raise NotImplementedError


class StridesIgnored(_Misread):
    """Strides are ignored: elements are read one after the other from where memory begins."""

    def array(self, array: Array) -> Array:
        # Of an expanded array there is less memory than elements; it would be read beyond its end.
        whole = memory(array)
        fits = whole.size >= array.size
        return whole[: array.size].reshape(array.shape) if fits else array


class AxisOrderIgnored(_Misread):
    """The order of the axes in memory is ignored."""

    def array(self, array: Array) -> Array:
        return array.reshape(-1, order="A").reshape(array.shape)


class ChannelsLastIgnored(_Misread):
    """Images with channels last in memory are read as if they were first."""

    def array(self, array: Array) -> Array:
        if array.ndim != 4 or array.flags.c_contiguous:
            return array
        last = np.moveaxis(array, 1, -1)
        return last.reshape(array.shape) if last.flags.c_contiguous else array


class NegativeStridesIgnored(_Misread):
    """The sign of strides is ignored."""

    def array(self, array: Array) -> Array:
        return array[tuple(slice(None, None, -1 if step < 0 else 1) for step in array.strides)]


class GapsRead(_Misread):
    """The gaps between strided elements are read as elements."""

    def array(self, array: Array) -> Array:
        whole = memory(array)
        has_gaps = whole.size == 2 * array.size and all(step >= 0 for step in array.strides)
        return whole[: array.size].reshape(array.shape) if has_gaps else array


class TargetsReadLikeInput(Mutant):
    """Targets are read with the strides of the input."""

    def read(self, question: Question) -> Question:
        question = super().read(question)
        x, t = first(question.inputs), question.inputs["targets"]
        same = x.shape == t.shape and x.itemsize == t.itemsize and t.flags.c_contiguous
        if not same or 0 in x.strides or not x.flags.f_contiguous:
            return question
        other = t.reshape(-1).reshape(t.shape, order="F")
        return replace(question, inputs={**question.inputs, "targets": other})


class LossWrittenInOrderOfInput(OtherAnswer):
    """An unreduced loss is written in the order of the input's memory and read in C order."""

    wrong = LOSS

    def returned(self, outputs: Outputs, question: Question) -> Outputs:
        x = first(question.inputs)
        return {
            name: outputs[name].reshape(-1, order="F").reshape(x.shape)
            for name in self.wrong & outputs.keys()
            if outputs[name].shape == x.shape and not x.flags.c_contiguous and 0 not in x.strides
        }


class DerivativesWrittenInOrderOfInput(LossWrittenInOrderOfInput):
    """Derivatives are written in the order of the input's memory and read in C order."""

    wrong = DERIVATIVES


class ExpandedOverwritten(OtherAnswer):
    """Derivatives are written with the strides of an expanded input, the last over the others."""

    def returned(self, outputs: Outputs, question: Question) -> Outputs:
        x = first(question.inputs)
        place = tuple(slice(-1, None) if step == 0 else slice(None) for step in x.strides)
        if not x.size or all(part == slice(None) for part in place):
            return {}
        return {
            name: np.broadcast_to(outputs[name][place], x.shape)
            for name in DERIVATIVES & outputs.keys()
        }


class ExpandedSummed(OtherAnswer):
    """Derivatives with respect to an expanded input have the shape of its memory."""

    def returned(self, outputs: Outputs, question: Question) -> Outputs:
        x = first(question.inputs)
        axes = tuple(axis for axis, step in enumerate(x.strides) if step == 0 and x.shape[axis] > 1)
        if not axes:
            return {}
        return {
            name: outputs[name].sum(axis=axes, keepdims=True)
            for name in DERIVATIVES & outputs.keys()
        }


class InputOverwritten(Mutant):
    """The input is overwritten with its sigmoid, to save memory."""

    def read(self, question: Question) -> Question:
        question = super().read(question)
        x = first(question.inputs)
        x[...] = 1 / (1 + np.exp(-x.astype(np.float32)))
        return question
