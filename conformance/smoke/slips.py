"""Recomputes what an adapter with a typical slip would answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from conformance.adapters.numpy import NumpyAdapter, logistic
from conformance.operations import OPERATIONS, REDUCTIONS, effective_reduction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conformance.model import Question

Array = np.ndarray[Any, np.dtype[Any]]
Outputs = dict[str, Array]


class Slip(NamedTuple):
    """A slip, or two at once: what to say of it, and the outputs that would show it."""

    sentence: str
    outputs: Outputs


def truth_of(question: Question) -> Outputs:
    """The right outputs in float64, those not asked for included; the reference computes them."""
    return _computed(question.operation, _widened(question), _reduction(question))


def slips(question: Question) -> list[Slip]:
    """What would be answered with each slip that we know; one slip before two at once."""
    truth = truth_of(question)
    alone = list(_alterations(question))
    mended = [Slip("", truth), *alone]
    found = [*alone, *_distortions(question, truth, "")]
    for sentence, outputs in mended[1:]:
        found += _distortions(question, outputs, f"{sentence}; besides, ")
    return [slip for slip in found if slip.outputs]


def _computed(operation: str, inputs: Mapping[str, Array], reduction: str) -> Outputs:
    """As the reference does, without its refusals: a slip may put logits where none belong."""
    reference = NumpyAdapter()
    arrays = {name: inputs.get(name, np.ones(())) for name in OPERATIONS[operation].inputs}
    with np.errstate(all="ignore"):
        outputs = reference.weigh(reference.elementwise(operation, arrays), arrays)
        return reference.reduce(outputs, reduction)


def _widened(question: Question) -> dict[str, Array]:
    return {name: array.astype(np.float64) for name, array in question.inputs.items()}


def _reduction(question: Question) -> str:
    return effective_reduction(question.reduction, question.legacy)


def _alterations(question: Question) -> Iterator[Slip]:
    """Slips on the way to the framework: it is asked something else."""
    yield from _confusions(question)
    operation, inputs = question.operation, _widened(question)
    first = OPERATIONS[operation].inputs[0]
    reduction = _reduction(question)

    def asked(sentence: str, **changed: Array) -> Slip:
        return Slip(sentence, _computed(operation, inputs | changed, reduction))

    for name in sorted(question.options & inputs.keys()):
        rest = {other: array for other, array in inputs.items() if other != name}
        sentence = f"{name} is ignored: pass it, or take it out of `options`"
        yield Slip(sentence, _computed(operation, rest, reduction))
    factors = [name for name in ("weight", "pos_weight") if name in inputs]
    if operation == "bce_with_logits" and factors:
        one = np.ones(())
        weight, pos_weight = inputs.get("weight", one), inputs.get("pos_weight", one)
        both = "weight and pos_weight are swapped: pass each by its name"
        single = f"{factors[0]} is passed as the other of weight and pos_weight: pass it by name"
        sentence = both if len(factors) > 1 else single
        yield asked(sentence, weight=pos_weight, pos_weight=weight)
    targets = inputs["targets"]
    for hard in (np.floor(targets), np.round(targets), (targets >= 0.5).astype(float)):
        yield asked("the targets are made 0 or 1: pass them as floats", targets=hard)
    ignored = (
        "strides are ignored: copy the arrays with np.ascontiguousarray, or pass their strides"
    )
    for names in ((first, "targets"), (first,), ("targets",)):
        read = {name: _as_in_memory(question.inputs[name]).astype(float) for name in names}
        yield asked(ignored, **read)
    yield from _reductions(question)


def _as_in_memory(array: Array) -> Array:
    """What is read by who takes the elements as they lie in memory."""
    forwards = tuple(slice(None, None, -1 if step < 0 else 1) for step in array.strides)
    return array[forwards].ravel(order="K").reshape(array.shape)


def _reductions(question: Question) -> Iterator[Slip]:
    inputs, reduction = _widened(question), _reduction(question)
    for other in REDUCTIONS:
        if other != reduction:
            sentence = (
                f"the reduction is {other!r} where {reduction!r} is asked: pass the question's"
            )
            outputs = _computed(question.operation, inputs, other)
            yield Slip(sentence, outputs)
            yield Slip(sentence, {"loss": outputs["loss"]})
    loss = _computed(question.operation, inputs, "none")["loss"]
    if loss.ndim and loss.size:
        sentence = "the loss is reduced over its last axis only: ask for elements, then reduce all"
        yield Slip(sentence, {"loss": loss.mean(axis=-1)})
        yield Slip(sentence, {"loss": loss.sum(axis=-1)})


def _confusions(question: Question) -> Iterator[Slip]:
    """Slips in which one array is taken for another, or logits for probabilities."""
    operation, inputs, reduction = question.operation, _widened(question), _reduction(question)
    kind = OPERATIONS[operation]
    first, other = kind.inputs[0], "bce" if operation == "bce_with_logits" else "bce_with_logits"
    grad = f"{first}_grad"
    sentence = f"the arguments are swapped: pass the {first} where they belong"
    swapped = {first: inputs["targets"], "targets": inputs[first]}
    found = _computed(operation, inputs | swapped, reduction)
    crossed = {grad: found["targets_grad"], "targets_grad": found[grad]}
    yield Slip(sentence, found | crossed)
    yield Slip(sentence, found)
    shared = {name: array for name, array in inputs.items() if name != first}
    others = OPERATIONS[other].inputs[0]
    sentence = f"the {first} are taken for {others}: call the framework's other function"
    yield Slip(sentence, _renamed(_computed(other, {**shared, others: inputs[first]}, reduction)))
    if operation == "bce_with_logits":
        squashed = logistic(inputs[first])
        twice = _computed(operation, inputs | {first: squashed}, reduction)
        slope = squashed * (1 - squashed)
        sentence = "the sigmoid is taken twice: pass the logits as they are"
        yield Slip(sentence, twice | {grad: twice[grad] * slope})
        outer = _computed(other, {**shared, others: squashed}, reduction)
    else:
        with np.errstate(all="ignore"):
            logits = np.log(inputs[first]) - np.log1p(-inputs[first])
        outer = _computed(other, {**shared, others: logits}, reduction)
    sentence = f"the gradient is that with respect to the {others}, not the {first}"
    yield Slip(sentence, {grad: outer[f"{others}_grad"]})


def _renamed(outputs: Outputs) -> Outputs:
    """The outputs of one operation by the names of the other."""
    pair = {"logits": "probabilities", "probabilities": "logits"}
    return {
        f"{pair[head]}_{tail}" if (head := name.partition("_")[0]) in pair else name: value
        for name, value in outputs.items()
        for tail in [name.partition("_")[2]]
    }


def _distortions(question: Question, outputs: Outputs, before: str) -> Iterator[Slip]:
    """Slips on the way back: what the framework gives is not what is due."""
    gradients = {name: value for name, value in outputs.items() if name != "loss"}
    sentence = "the sign is flipped: the loss is to be minimised, its gradient points upwards"
    flipped = {name: -value for name, value in outputs.items()}
    yield Slip(before + sentence, flipped)
    yield Slip(before + sentence, {name: flipped[name] for name in outputs.keys() - gradients})
    yield Slip(before + sentence, {name: flipped[name] for name in gradients})
    size = next(iter(question.inputs.values())).size
    if _reduction(question) == "mean":
        sentence = "the gradient is that of the sum, and the loss returned is the mean"
        scaled = {name: value * size for name, value in gradients.items()}
    else:
        sentence = "the gradient is that of the mean: differentiate the sum of the returned loss"
        scaled = {name: value / max(size, 1) for name, value in gradients.items()}
    yield Slip(before + sentence, scaled)
    first = f"{OPERATIONS[question.operation].inputs[0]}_grad"
    if {first, "targets_grad"} <= outputs.keys():
        yield Slip(
            f"{before}the gradient is that with respect to another input: give each its own",
            {first: outputs["targets_grad"], "targets_grad": outputs[first]},
        )
    if not before:
        yield Slip(
            "the gradient is all zeros: it does not reach the input, which was copied or detached",
            {name: np.zeros_like(value) for name, value in gradients.items()},
        )
