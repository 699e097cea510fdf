"""The messages that host and worker write to each other, as docs/protocol.md explains them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - msgspec reads the annotations
from inspect import cleandoc
from typing import Annotated, Any

import msgspec

from conformance.errors import one_line
from conformance.jobs import Job  # noqa: TC001 - likewise

PROTOCOL = 1
"""The version: both sides have the same, or nothing is asked."""

DTYPES = (
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128", "bool"),
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
)
Index = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Bits = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^([0-9a-f]{2})*$"})]
Sizes = Annotated[list[Index], msgspec.Meta(max_length=32)]


class ProtocolError(ValueError):
    """A line that is no message, or a message that has no meaning, with what is wrong about it."""


class ArrayMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """An array.

    Attributes:
        dtype: One of ``DTYPES``.
        shape: Its shape.
        bits: The elements in C order, little-endian, as hexadecimal digits.
        strides: Of an input that does not lie in C order in memory, how many elements there are
            from one to the next along each axis. A reader who has no strides may leave it.
    """

    dtype: str
    shape: Sizes
    bits: Bits
    strides: list[int] | None = None


class Start(msgspec.Struct, frozen=True, omit_defaults=True, tag="start"):
    """The host begins, or makes sure that nothing is left over from before.

    Attributes:
        protocol: The version of the protocol.
        devices: Those that it wants to know of, such as "cuda:1".
    """

    protocol: int
    devices: Sequence[str] = ()


class DeviceMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a worker knows of a device.

    Attributes:
        problem: Why nothing can run there, in a sentence; null where it can.
        name: Its name, for the report.
        settings: What else may change the numbers that it gives, name to value.
    """

    problem: str | None = None
    name: str | None = None
    settings: Mapping[str, str] = {}


class Description(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a worker offers: the class attributes of ``LossAdapter``, and its files.

    Attributes:
        name: As in the report.
        operations: Of losses, and of jobs where it does some.
        outputs: Likewise of losses.
        options: What it takes beyond two arrays of one dtype; of jobs, the keys it takes.
        dtypes: In which it has them.
        devices: The kinds of device.
        loss_dtypes: The dtype of the loss by that of its inputs, where it is another one.
        versions: Of what is behind it, name to version; its own under its own name.
        deviations: Paths of the files of its known deviations, on the host's machine.
        policies: Likewise, of the policies that it is known to follow.
    """

    name: str
    operations: Sequence[str]
    outputs: Sequence[str]
    dtypes: Sequence[str]
    options: Sequence[str] = ()
    devices: Sequence[str] = ("cpu",)
    loss_dtypes: Mapping[str, str] = {}
    versions: Mapping[str, str] = {}
    deviations: Sequence[str] = ()
    policies: Sequence[str] = ()


class Started(msgspec.Struct, frozen=True, omit_defaults=True, tag="started"):
    """The worker's reply to Start.

    Attributes:
        protocol: The version that it speaks.
        adapter: What it offers.
        devices: What it knows of each device that it was asked about.
    """

    protocol: int
    adapter: Description
    devices: Mapping[str, DeviceMessage] = {}


class QuestionMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A ``Question``; ``id`` is a number of this session, ``case`` is for messages only."""

    id: Index
    case: str
    operation: str
    reduction: str
    dtype: str
    device: str
    inputs: Mapping[str, ArrayMessage]
    outputs: Sequence[str]
    legacy: Mapping[str, bool] = {}
    mixed: bool = False
    job: Job | None = None


class Questions(msgspec.Struct, frozen=True, tag="questions"):
    """The host asks, of one device and dtype; one question alone is an evaluation of its own."""

    id: Index
    questions: Sequence[QuestionMessage]


class ErrorMessage(msgspec.Struct, frozen=True):
    """An exception: the name of its type, the first line of its message."""

    type: str
    message: str


class AnswerMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to the question with this ``id``: exactly one of the other attributes.

    Attributes:
        id: The question's.
        outputs: What was computed.
        declined: Why the question is not put to the framework.
        raised: What the framework raised.
        broken: What is wrong with the adapter itself.
        alone: True where the question has to be asked in a message of its own, because it may
            leave the device unusable for the process.
    """

    id: Index
    outputs: Mapping[str, ArrayMessage | None] | None = None
    declined: str | None = None
    raised: ErrorMessage | None = None
    broken: str | None = None
    alone: bool = False


class Answers(msgspec.Struct, frozen=True, omit_defaults=True, tag="answers"):
    """The worker's reply to Questions.

    Attributes:
        id: That of the Questions.
        answers: One for each question, in their order.
        ruined: Whether the device has become unusable for this process, which is then replaced.
        broke_off: Why they could not be answered in one evaluation, where that was tried.
    """

    id: Index
    answers: Sequence[AnswerMessage]
    ruined: bool = False
    broke_off: str | None = None


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The worker cannot go on, for a reason that is the user's to mend: a sentence."""

    message: str


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """The host is done, and the worker ends with exit code 0."""


FromHost = Start | Questions | Stop
FromWorker = Started | Answers | Failed


def encode(message: FromHost | FromWorker) -> bytes:
    """The line of a message."""
    return msgspec.json.encode(message) + b"\n"


def decode(line: bytes, kind: Any) -> Any:
    """The message of a line: one of ``kind``, which is FromHost or FromWorker.

    Raises:
        ProtocolError: If it is none.
    """
    try:
        return msgspec.json.decode(line, type=kind)
    except (ValueError, RecursionError) as error:
        shown = one_line(line[:80].decode("utf-8", "replace").rstrip("\n"))
        msg = f"{shown!r} is no message of protocol {PROTOCOL}: {one_line(str(error))}"
        raise ProtocolError(msg) from None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of one line, from either side."""
    (schema,), parts = msgspec.json.schema_components(
        [FromHost | FromWorker], ref_template="#/$defs/{name}"
    )
    for part in parts.values():
        if "description" in part:
            part["description"] = cleandoc(part["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A message of protocol {PROTOCOL} of bce-conformance",
        **schema,
        "$defs": dict(sorted(parts.items())),
    }
