"""Makes cases with a truth of the samples that PyTorch ships for its own tests of these losses.

OpInfo (``common_methods_invocations.op_db``) has samples of the functional forms, ModuleInfo
(``common_modules.module_db``) of the modules. They are drawn as PyTorch's tests draw them, after
``set_rng_seed()``, whose seed is 1234. OpInfo sets that seed again before each sample; inside a
test it takes one made of the test's name instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np
import torch

from conformance.errors import ConformanceError
from conformance.floats import FORMATS, parse, round_to, to_array
from conformance.model import Array, Case, DtypeName
from conformance.operations import OPERATIONS
from conformance.truth import InvalidQuestion, UndefinedQuestion, Unproven, expected_for

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from conformance.model import Layout
    from conformance.operations import OperationName

ORIGINS = ("OpInfo", "ModuleInfo")
DTYPES: tuple[DtypeName, ...] = get_args(DtypeName)
FUNCTIONS: Mapping[str, OperationName] = {
    "nn.functional.binary_cross_entropy_with_logits": "bce_with_logits",
    "nn.functional.binary_cross_entropy": "bce",
}
MODULES: Mapping[type[torch.nn.Module], OperationName] = {
    torch.nn.BCEWithLogitsLoss: "bce_with_logits",
    torch.nn.BCELoss: "bce",
}
LEGACY = ("size_average", "reduce")


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of PyTorch's.

    Attributes:
        origin: "OpInfo" or "ModuleInfo".
        name: PyTorch's name of what it is a sample of.
        dtype: The dtype it was drawn in.
        index: Its place among the samples of that name and dtype.
        input: Logits or probabilities.
        arguments: The keyword arguments of the functional form or of the module.
    """

    origin: str
    name: str
    operation: OperationName
    dtype: DtypeName
    index: int
    input: torch.Tensor
    target: torch.Tensor
    arguments: Mapping[str, Any]


class Asked(NamedTuple):
    """A question made of a sample.

    Attributes:
        sample: The sample.
        use: "plain", "strided" or "checked"; see ``cases_of``.
        case: The question with its truth.
        truth: Output name to its correctly rounded truth.
    """

    sample: Sample
    use: str
    case: Case
    truth: Mapping[str, np.ndarray[Any, Any]]


class Questions(NamedTuple):
    """All questions, and why each sample that gave none was left out."""

    asked: Sequence[Asked]
    left_out: Mapping[str, str]


def samples(dtypes: Collection[DtypeName] = DTYPES) -> Iterator[Sample]:
    """Draw PyTorch's samples in those of ``dtypes`` that each table lists for the CPU.

    Raises:
        ConformanceError: If a package that ``torch.testing._internal`` imports is not installed.
    """
    op_db, module_db, set_rng_seed = _tables()
    for info in op_db:
        if info.name not in FUNCTIONS:
            continue
        for dtype in dtypes:
            if getattr(torch, dtype) not in info.supported_dtypes("cpu"):
                continue
            set_rng_seed()
            drawn = info.sample_inputs("cpu", getattr(torch, dtype), requires_grad=True)
            for index, found in enumerate(drawn):
                target, operation = found.args[0], FUNCTIONS[info.name]
                yield Sample(
                    "OpInfo", info.name, operation, dtype, index, found.input, target, found.kwargs
                )
    for info in module_db:
        if info.module_cls not in MODULES:
            continue
        for dtype in dtypes:
            if getattr(torch, dtype) not in info.dtypes:
                continue
            set_rng_seed()
            drawn = info.module_inputs_func(
                info, device="cpu", dtype=getattr(torch, dtype), requires_grad=True, training=True
            )
            for index, found in enumerate(drawn):
                (input_, target), operation = found.forward_input.args, MODULES[info.module_cls]
                arguments = found.constructor_input.kwargs
                yield Sample(
                    "ModuleInfo", info.name, operation, dtype, index, input_, target, arguments
                )


def _tables() -> tuple[Any, Any, Any]:
    """OpInfo's table, ModuleInfo's table, and the function that sets the seed of the tests."""
    try:
        from torch.testing._internal.common_methods_invocations import op_db  # noqa: PLC0415
        from torch.testing._internal.common_modules import module_db  # noqa: PLC0415
        from torch.testing._internal.common_utils import set_rng_seed  # noqa: PLC0415
    except ModuleNotFoundError as error:
        msg = (
            f"torch.testing._internal, which holds PyTorch's samples, needs {error.name}. "
            f"Run `pip install {error.name}`."
        )
        raise ConformanceError(msg) from None
    return op_db, module_db, set_rng_seed


def questions(drawn: Sequence[Sample]) -> Questions:
    """The questions of each sample, with their truths."""
    asked, left_out = [], {}
    for sample in drawn:
        known = {"reduction", *LEGACY, *OPERATIONS[sample.operation].inputs}
        if unknown := sorted(set(sample.arguments) - known):
            left_out[_id(sample)] = f"its arguments {', '.join(unknown)} are none of ours"
            continue
        for use, case in cases_of(sample):
            try:
                filled = replace(case, expected=expected_for(case))
            except (InvalidQuestion, UndefinedQuestion, Unproven) as problem:
                left_out[case.id] = str(problem)
                continue
            asked.append(Asked(sample, use, filled, truth_of(filled)))
    return Questions(asked, left_out)


def cases_of(sample: Sample) -> Iterator[tuple[str, Case]]:
    """What is asked of a sample, after what PyTorch's tests do with it.

    * ``plain``, in every dtype: the loss, and its gradients with respect to what requires one.
    * ``strided``, in float32: the same of tensors that are not contiguous, with an upstream
      gradient of normal random numbers, as in the tests of non-contiguous tensors.
    * ``checked``, in float64: the same with an upstream gradient in [-1, 1], and the Hessian with
      respect to the first input times a direction, which gradcheck and gradgradcheck look at.
    """
    plain = _plain(sample)
    yield "plain", plain
    shape = tuple(sample.input.shape)
    loss = shape if plain.reduced == "none" else ()
    # Not of PyTorch's generator: after the same seed, the inputs would come out of it again.
    rng = np.random.default_rng(sample.index)
    if sample.dtype == "float32":
        case = _with(plain, "strided", grad_output=rng.standard_normal(loss))
        layout: dict[str, Layout] = {
            name: "strided" for name, array in case.inputs.items() if array.shape
        }
        yield "strided", replace(case, layout=layout)
    if sample.dtype == "float64":
        upstream, direction = rng.uniform(-1, 1, loss), rng.uniform(-1, 1, shape)
        case = _with(plain, "checked", grad_output=upstream, direction=direction)
        product = OPERATIONS[case.operation].hessian_product
        yield "checked", replace(case, outputs=(*case.outputs, product))


def truth_of(case: Case) -> dict[str, np.ndarray[Any, Any]]:
    """The truth of each output of a filled case, correctly rounded to its dtype."""
    (dtype,) = case.dtypes
    format_ = FORMATS[dtype]
    assert case.expected is not None
    (alternative,) = case.expected.alternatives
    rounded = {}
    for name, found in alternative.outputs.items():
        values = [round_to(parse(text), format_) for text in found.values]
        rounded[name] = to_array(values, found.shape, format_)
    return rounded


def _id(sample: Sample) -> str:
    return f"{sample.origin}/{sample.name}/{sample.dtype}/{sample.index}"


def _plain(sample: Sample) -> Case:
    operation = OPERATIONS[sample.operation]
    first, targets, *_ = operation.inputs
    tensors = {first: sample.input, targets: sample.target} | {
        name: value for name, value in sample.arguments.items() if isinstance(value, torch.Tensor)
    }
    inputs = {name: _array(tensors[name].detach()) for name in operation.inputs if name in tensors}
    gradients = [name for name, of in operation.gradients.items() if tensors[of].requires_grad]
    return Case(
        id=f"{_id(sample)}/plain",
        group=_id(sample),
        about="",
        operation=sample.operation,
        reduction=sample.arguments.get("reduction", "mean"),
        dtypes=(sample.dtype,),
        inputs=inputs,
        outputs=("loss", *gradients),
        positions=(),
        policies=(),
        expected=None,
        flags=(),
        source=(),
        published=None,
        inputs_rounded_to=None,
        sha256="",
        path=Path(sample.origin),
        legacy={
            name: sample.arguments[name]
            for name in LEGACY
            if sample.arguments.get(name) is not None
        },
    )


def _with(case: Case, use: str, **more: Any) -> Case:
    """The case with more inputs, rounded to its dtype."""
    (dtype,) = case.dtypes
    arrays = {
        name: _array(torch.as_tensor(values, dtype=getattr(torch, dtype)))
        for name, values in more.items()
    }
    return replace(case, id=f"{case.group}/{use}", inputs={**case.inputs, **arrays})


def _array(tensor: torch.Tensor) -> Array:
    """The exact values: float64 holds every number of the four dtypes."""
    return Array(tuple(tensor.shape), tuple(tensor.double().reshape(-1).tolist()))
