"""Puts questions, answers and arrays into messages, and takes them out again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.adapters.base import first_line
from conformance.errors import one_line
from conformance.layouts import spoiler
from conformance.mixing import numpy_dtype
from conformance.model import Answer, Broken, Computed, Declined, Question, Raised
from conformance.workers.messages import (
    DTYPES,
    AnswerMessage,
    ArrayMessage,
    ErrorMessage,
    ProtocolError,
    QuestionMessage,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_GAPS = 64
"""How many times more memory than elements a layout may take."""


def array_message(array: np.ndarray[Any, Any]) -> ArrayMessage:
    """An array as it is sent.

    Raises:
        ProtocolError: If it has a dtype that cannot be.
    """
    if array.dtype.name not in DTYPES:
        msg = f"an array of dtype {array.dtype} cannot be sent"
        raise ProtocolError(msg)
    little = array.astype(array.dtype.newbyteorder("<")) if array.dtype.byteorder == ">" else array
    strides = None
    if array.size and not array.flags.c_contiguous:
        strides = [stride // array.itemsize for stride in array.strides]
    return ArrayMessage(array.dtype.name, list(array.shape), little.tobytes().hex(), strides)


def array_of(message: ArrayMessage) -> np.ndarray[Any, Any]:
    """The array of a message, laid out as it says; what lies in gaps would spoil a result.

    Raises:
        ProtocolError: If its parts do not fit.
    """
    if message.dtype not in DTYPES:
        msg = f"{one_line(repr(message.dtype))} is no dtype"
        raise ProtocolError(msg)
    dtype = numpy_dtype(message.dtype)
    try:
        raw = bytes.fromhex(message.bits)
    except ValueError:
        msg = f"{one_line(repr(message.bits[:40]))} is not hexadecimal"
        raise ProtocolError(msg) from None
    if len(raw) != math.prod(message.shape) * dtype.itemsize:
        msg = f"{len(raw)} bytes are no {message.dtype} array of shape {tuple(message.shape)}"
        raise ProtocolError(msg)
    try:
        values = np.frombuffer(raw, dtype).reshape(message.shape).copy()
        return values if message.strides is None else _laid_out(values, message.strides)
    except (ValueError, OverflowError) as error:
        msg = f"{len(raw)} bytes cannot be laid out in shape {tuple(message.shape)}: {error}"
        raise ProtocolError(msg) from None


def _laid_out(values: np.ndarray[Any, Any], strides: Sequence[int]) -> np.ndarray[Any, Any]:
    if len(strides) != values.ndim or not values.size:
        msg = f"strides {list(strides)} do not fit an array of shape {values.shape}"
        raise ProtocolError(msg)
    reach = [stride * (size - 1) for stride, size in zip(strides, values.shape, strict=True)]
    first = -sum(min(each, 0) for each in reach)
    extent = first + sum(max(each, 0) for each in reach) + 1
    if extent > _MAX_GAPS * (values.size + 1):
        msg = f"strides {list(strides)} spread {values.size} elements over {extent}"
        raise ProtocolError(msg)
    memory = np.full(extent, spoiler(values.dtype), values.dtype)
    laid = np.lib.stride_tricks.as_strided(
        memory[first:], values.shape, [stride * values.itemsize for stride in strides]
    )
    laid[...] = values
    return laid


def _line(text: str) -> str:
    """What another program says, as a run can hold it: as a message of an exception is."""
    return first_line(ValueError(text))


def question_message(question: Question, number: int) -> QuestionMessage:
    """A question as it is sent."""
    return QuestionMessage(
        id=number,
        case=question.id,
        operation=question.operation,
        reduction=question.reduction,
        dtype=question.dtype,
        device=question.device,
        inputs={name: array_message(array) for name, array in question.inputs.items()},
        outputs=question.outputs,
        legacy=question.legacy,
        mixed=question.mixed,
        job=question.job,
    )


def question_of(message: QuestionMessage) -> Question:
    """The question of a message.

    Raises:
        ProtocolError: If an array of it is none.
    """
    return Question(
        id=message.case,
        operation=message.operation,
        reduction=message.reduction,
        dtype=message.dtype,
        device=message.device,
        inputs={name: array_of(array) for name, array in message.inputs.items()},
        outputs=tuple(message.outputs),
        legacy=dict(message.legacy),
        mixed=message.mixed,
        job=message.job,
    )


def answer_message(answer: Answer, number: int) -> AnswerMessage:
    """An answer as it is sent; one that cannot be becomes Broken."""
    if isinstance(answer, Declined):
        return AnswerMessage(number, declined=answer.reason)
    if isinstance(answer, Raised):
        return AnswerMessage(number, raised=ErrorMessage(answer.type, answer.message))
    if not isinstance(answer, Computed):
        return AnswerMessage(number, broken=answer.message)
    try:
        outputs = {
            str(name): None if value is None else array_message(np.asarray(value))
            for name, value in answer.outputs.items()
        }
    except ProtocolError as error:
        return AnswerMessage(number, broken=f"its answer cannot be sent: {error}")
    return AnswerMessage(number, outputs=outputs)


def answer_of(message: AnswerMessage) -> Answer:
    """The answer of a message.

    Raises:
        ProtocolError: If it is none, or several.
    """
    given = [
        name
        for name in ("outputs", "declined", "raised", "broken")
        if getattr(message, name) is not None
    ]
    if len(given) != 1:
        several = f"both {' and '.join(given)}" if given else "no answer"
        msg = f"the answer {message.id} has {several}"
        raise ProtocolError(msg)
    if message.declined is not None:
        return Declined(_line(message.declined))
    if message.raised is not None:
        return Raised(_line(message.raised.type), _line(message.raised.message))
    if message.broken is not None:
        return Broken(_line(message.broken))
    outputs = message.outputs or {}
    return Computed(
        **{name: None if each is None else array_of(each) for name, each in outputs.items()}
    )
