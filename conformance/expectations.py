"""Makes the expected answer of a case from its entry in a case file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, Struct, structs

from conformance import arrays
from conformance.casefile import EntryError, ExpectedEntry, Outputs, PolicyOutputs
from conformance.model import Alternative, Expected, Truth

if TYPE_CHECKING:
    from conformance.casefile import Place
    from conformance.model import Case


def read_expected(entry: ExpectedEntry, case: Case) -> Expected:
    """What ``entry`` says is a right answer to ``case``.

    Raises:
        EntryError: If it does not fit the case.
    """
    outputs = given(entry).keys() - {"raises", "any_of"}
    kinds = [entry.raises is not UNSET, entry.any_of is not UNSET, bool(outputs)]
    if sum(kinds) != 1:
        raise EntryError(("expected",), "give either outputs, or any_of, or raises: true")
    if entry.raises is False:
        raise EntryError(("expected", "raises"), "write raises: true, or leave it out")
    if entry.raises is not UNSET:
        return Expected(raises=True)
    if entry.any_of is UNSET:
        return Expected(alternatives=(_alternative(entry, None, case, ("expected",)),))
    names = tuple(option.policy for option in entry.any_of)
    if names != case.policies:
        raise EntryError(
            ("expected", "any_of"), "its policies are not those of the case; run `fill`"
        )
    alternatives = tuple(
        _alternative(option, option.policy, case, ("expected", "any_of", index))
        for index, option in enumerate(entry.any_of)
    )
    uncovered = set(case.outputs).difference(*(option.outputs for option in alternatives))
    if uncovered:
        missing = ", ".join(sorted(uncovered))
        problem = f"no policy gives {missing}; add one and run `fill`"
        raise EntryError(("expected", "any_of"), problem)
    return Expected(alternatives=alternatives)


def given(entry: Struct) -> dict[str, Any]:
    """The fields of an entry that the file gives."""
    return {name: value for name, value in structs.asdict(entry).items() if value is not UNSET}


def _alternative(entry: Outputs, policy: str | None, case: Case, path: Place) -> Alternative:
    names = given(entry).keys() & set(Outputs.__struct_fields__)
    if isinstance(entry, PolicyOutputs) and entry.raises is not UNSET:
        if names or entry.raises is False:
            raise EntryError(path, "with raises: true it gives no outputs; run `fill`")
        return Alternative(policy, {}, raises=True)
    # All outputs of a job follow one policy, which therefore settles each of them.
    whole = policy is None or case.job is not None
    wrong = names ^ set(case.outputs) if whole else names - set(case.outputs)
    if wrong:
        raise EntryError(
            path, f"{', '.join(sorted(wrong))}: not what the case asks for; run `fill`"
        )
    return Alternative(
        policy,
        {
            name: _truth(getattr(entry, name).raw, case, name, (*path, name))
            for name in Outputs.__struct_fields__
            if name in names
        },
    )


def _truth(raw: Any, case: Case, output: str, path: Place) -> Truth:
    found, texts = read_digits(raw, path)
    if case.job is not None:
        return _truth_of_job(found, texts, case, output, path)
    whole = output == "loss" and case.reduced != "none"
    shape = () if whole else next(iter(case.inputs.values())).shape
    sampled = bool(case.positions) or any(array.described for array in case.inputs.values())
    positions = case.positions if sampled and not whole else None
    wanted = (len(positions),) if positions is not None else shape
    if math.prod(wanted) != len(texts) or (len(texts) and found != wanted):
        raise EntryError(path, f"its shape is {found}, not {wanted}; run `fill`")
    return Truth(shape, texts, positions)


def _truth_of_job(
    found: tuple[int, ...], texts: tuple[str, ...], case: Case, output: str, path: Place
) -> Truth:
    """What a job gives; how many steps it has is for the oracle to say, and for `check`."""
    if output != "parameters":
        return Truth(found, texts)
    count = case.inputs["parameters"].shape[0]
    if not texts and found == (0,):
        # A window that is never full makes no step.
        return Truth((0, count), (), () if case.positions else None)
    compared = len(case.positions) or count
    steps, rest = divmod(len(texts), compared)
    if rest or found != ((len(texts),) if case.positions else (steps, count)):
        raise EntryError(path, f"its shape is {found}, not {compared} for each step; run `fill`")
    if not case.positions:
        return Truth(found, texts)
    positions = tuple(step * count + at for step in range(steps) for at in case.positions)
    return Truth((steps, count), texts, positions)


def read_digits(raw: Any, path: Place) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The shape and the texts of nested lists of digits.

    Raises:
        EntryError: With the path to what is not one.
    """
    try:
        return arrays.read_digits(raw)
    except arrays.ArrayError as error:
        raise EntryError((*path, *error.path), str(error)) from None
