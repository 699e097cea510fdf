"""Questions, answers and arrays survive the way between host and worker, or are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from conformance.asking import question_of as asked_of
from conformance.corpus import load_corpus
from conformance.mixing import numpy_dtype
from conformance.model import Answer, Broken, Computed, Declined, Raised
from conformance.workers.messages import (
    DTYPES,
    AnswerMessage,
    Answers,
    ArrayMessage,
    FromHost,
    FromWorker,
    ProtocolError,
    Questions,
    decode,
    encode,
)
from conformance.workers.wire import (
    answer_message,
    answer_of,
    array_message,
    array_of,
    question_message,
    question_of,
)

if TYPE_CHECKING:
    from conformance.model import Question


def same(expected: np.ndarray[Any, Any], actual: np.ndarray[Any, Any]) -> bool:
    """To the bit, and to the place in memory where that says more than C order."""
    return (
        (expected.dtype, expected.shape, expected.tobytes())
        == (actual.dtype, actual.shape, actual.tobytes())
        and expected.flags.c_contiguous == actual.flags.c_contiguous
        and (expected.flags.c_contiguous or expected.strides == actual.strides)
    )


def sent(question: Question) -> Question:
    """The question as the worker has it."""
    line = encode(Questions(1, [question_message(question, 2)]))
    assert b"\n" not in line[:-1]
    (message,) = decode(line, FromHost).questions
    return question_of(message)


def test_every_case_of_the_corpus_survives_the_way_to_the_worker_to_the_bit() -> None:
    layouts = 0
    for index, case in enumerate(load_corpus([]).cases):
        question = asked_of(case, "cpu", case.dtypes[index % len(case.dtypes)])
        arrived = sent(question)
        assert replace(question, inputs={}) == replace(arrived, inputs={})
        assert list(question.inputs) == list(arrived.inputs)
        for name, array in question.inputs.items():
            assert same(array, arrived.inputs[name]), (case.id, name)
            layouts += not array.flags.c_contiguous
    assert layouts > 20


def test_what_lies_in_the_gaps_of_a_layout_would_spoil_a_result() -> None:
    array = np.arange(8, dtype=np.float32)[::2]
    arrived = array_of(array_message(array))
    gaps = np.lib.stride_tricks.as_strided(arrived, (7,), (4,))[1::2]
    assert np.isnan(gaps).all()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (2, 3)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_every_dtype_survive(dtype: str, shape: tuple[int, ...]) -> None:
    own = numpy_dtype(dtype)
    raw = np.random.default_rng(1).bytes(int(np.prod(shape)) * own.itemsize)
    if dtype == "bool":
        raw = bytes(each % 2 for each in raw)
    array = np.frombuffer(raw, own).reshape(shape)
    message = again(array_message(array))
    assert same(array, array_of(message))
    assert array_of(message).flags.writeable


def again(message: ArrayMessage) -> ArrayMessage:
    line = encode(Answers(1, [AnswerMessage(2, outputs={"loss": message})]))
    found: ArrayMessage = decode(line, FromWorker).answers[0].outputs["loss"]
    return found


@pytest.mark.parametrize("number", [-0.0, np.inf, -np.inf, np.nan, 5e-324, 2**-1074 * 3])
def test_special_numbers_survive(number: float) -> None:
    bits = np.float64(number).tobytes()
    assert bits == array_of(again(array_message(np.array(number)))).tobytes()


def test_the_payload_and_sign_of_a_nan_survive() -> None:
    array = np.array([0x7FF8000000000001, 0xFFF0000000000123], np.uint64).view(np.float64)
    assert same(array, array_of(again(array_message(array))))


def test_bits_are_little_endian() -> None:
    for order in "<>":
        message = array_message(np.array([1.0], f"{order}f8"))
        assert ("float64", "000000000000f03f") == (message.dtype, message.bits)


@pytest.mark.parametrize(
    "answer",
    [
        Computed(loss=np.float32([1.5]), logits_grad=None),
        Computed(),
        Declined("not offered"),
        Raised("ValueError", "shapes differ"),
        Raised("ValueError", ""),
        Broken("it changed its input 'logits'"),
    ],
)
def test_answers_survive_the_way_back(answer: Answer) -> None:
    line = encode(Answers(1, [answer_message(answer, 2)]))
    (message,) = decode(line, FromWorker).answers
    arrived = answer_of(message)
    assert type(answer) is type(arrived)
    assert str(answer) == str(arrived)


def test_a_scalar_of_numpy_is_an_array_of_no_axes() -> None:
    arrived = answer_of(answer_message(Computed(loss=np.float32(1.5)), 1))
    assert isinstance(arrived, Computed)
    assert same(np.array(1.5, np.float32), arrived.outputs["loss"])


def test_what_another_program_says_is_taken_for_one_line() -> None:
    long = "first line\nsecond line" + "x" * 10**6
    assert Declined("first line") == answer_of(AnswerMessage(1, declined=long))
    assert Broken("first line") == answer_of(AnswerMessage(1, broken=long))


def test_an_array_that_cannot_be_sent_makes_the_answer_broken() -> None:
    message = answer_message(Computed(loss=np.array([object()])), 1)
    assert "its answer cannot be sent: an array of dtype object cannot be sent" == message.broken


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (ArrayMessage("float32", [1], "0000"), "2 bytes are no float32 array of shape (1,)"),
        (ArrayMessage("float32", [], ""), "0 bytes are no float32 array of shape ()"),
        (ArrayMessage("float32", [1], "00x00000"), "'00x00000' is not hexadecimal"),
        (ArrayMessage("float32", [1], "0" * 7), "'0000000' is not hexadecimal"),
        (ArrayMessage("object", [0], ""), "'object' is no dtype"),
        (ArrayMessage("\n", [0], ""), r"'\n' is no dtype"),
        (ArrayMessage("float32", [2**53] * 3 + [0], ""), "cannot be laid out in shape"),
        (ArrayMessage("int8", [2], "0102", [1, 1]), "strides [1, 1] do not fit"),
        (ArrayMessage("int8", [0], "", [1]), "strides [1] do not fit"),
        (ArrayMessage("int8", [2], "0102", [10**6]), "spread 2 elements over 1000001"),
        (ArrayMessage("int8", [2], "0102", [-(10**6)]), "spread 2 elements over 1000001"),
        (ArrayMessage("float64", [1], "00" * 8, [2**62]), "cannot be laid out in shape"),
    ],
)
def test_an_array_whose_parts_do_not_fit_is_refused(array: ArrayMessage, message: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        array_of(array)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"garbage\n",
        b"\xff\xfe\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"[" * 100_000,
        b'{"type": "answers", "id": 1, "answers": [{"id": 1e400}]}',
        b'{"type": "answers", "id": -1, "answers": []}',
        b'{"type": "answers", "id": 1, "answers": [{"id": 1, "declined": 5}]}',
        b'{"type": "answers", "id": 1, "answers": [], "ruined": "no"}',
        b'{"type": "started"}',
        b'{"type": "start", "protocol": 1}',
        b'{"type": "failed", "message": "\\ud800"}',
        b'{"type": "failed"}{"type": "failed"}',
    ],
)
def test_a_line_that_is_no_message_of_a_worker_is_refused_in_a_sentence(line: bytes) -> None:
    with pytest.raises(ProtocolError) as raised:
        decode(line, FromWorker)
    message = str(raised.value)
    assert " is no message of protocol 1: " in message
    assert message.isprintable()
    assert len(message) < 1000


def test_what_a_later_version_adds_to_a_message_is_passed_over() -> None:
    line = b'{"type": "failed", "message": "It.", "advice": "Mend it."}'
    assert "It." == decode(line, FromWorker).message
