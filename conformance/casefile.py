"""The structures of a case file, from which cases/schema.json is made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from conformance.glossary import Sentence  # noqa: TC001 - msgspec reads the annotations
from conformance.jobentries import JobEntry  # noqa: TC001 - likewise
from conformance.model import DtypeName, InputDtype, Layout
from conformance.nodes import Number
from conformance.operations import OperationName  # noqa: TC001 - likewise

FORMAT = "bce-conformance/1"

# A final "$" lets a line break through in Python, so that texts are matched in full besides.
CASE_ID = r"^[a-z0-9_]+$"
_SPECIAL = "nan|inf|-inf|-0\\.0"
# Each digit can be matched in one way only: a long text takes no longer than it has to.
_HEX = r"[-+]?0[xX]([0-9a-fA-F]+(\.[0-9a-fA-F]*)?|\.[0-9a-fA-F]+)[pP][-+]?[0-9]+"
INPUT_TEXT = rf"^({_SPECIAL}|{_HEX})$"
DIGITS_TEXT = r"^(nan|inf|-inf|-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?)$"

Place = tuple[str | int, ...]
CaseId = Annotated[str, Meta(pattern=CASE_ID)]
Positions = Annotated[list[Annotated[int, Meta(ge=0)]], Meta(min_length=1, max_length=64)]
Always = Annotated[bool, Meta(extra_json_schema={"const": True})]
Dtypes = Annotated[list[DtypeName], Meta(min_length=1)]
# Any word: of a reduction that does not exist it can be asked that it is refused.
ReductionWord = Annotated[str, Meta(pattern=r"^[A-Za-z_]+$")]


class EntryError(Exception):
    """Something wrong in an entry, with the path to it."""

    def __init__(self, path: Place, problem: str) -> None:
        super().__init__(problem)
        self.path = path


class Values:
    """An input: a number, nested lists of numbers, or a described array."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw


class Digits:
    """Truth or printed numbers: a text, or nested lists of texts."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw


class Defaults(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What holds for each case of a file that does not say otherwise."""

    operation: OperationName | UnsetType = UNSET
    reduction: ReductionWord | UnsetType = UNSET
    dtypes: Dtypes | UnsetType = UNSET
    flags: list[str] | UnsetType = UNSET
    policies: list[str] | UnsetType = UNSET
    inputs_rounded_to: DtypeName | UnsetType = UNSET
    source: list[str] | UnsetType = UNSET
    features: Values | UnsetType = UNSET
    targets: Values | UnsetType = UNSET
    parameters: Values | UnsetType = UNSET
    job: JobEntry | UnsetType = UNSET


class PublishedEntry(Struct, forbid_unknown_fields=True):
    """Numbers that somebody prints for this question, output by output, and where."""

    value: dict[str, Digits]
    where: Sentence


class LegacyEntry(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The arguments of PyTorch that ``reduction`` has replaced."""

    size_average: bool | UnsetType = UNSET
    reduce: bool | UnsetType = UNSET


class RegressionEntry(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The fault that a case comes from, and whether it was met again."""

    affected: Sentence
    rerun_on: Sentence | UnsetType = UNSET
    result: Literal["reproduces", "fixed", "not_reproduced"] | UnsetType = UNSET
    not_rerun: Sentence | UnsetType = UNSET


class Outputs(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The truth of each output."""

    loss: Digits | UnsetType = UNSET
    logits_grad: Digits | UnsetType = UNSET
    probabilities_grad: Digits | UnsetType = UNSET
    targets_grad: Digits | UnsetType = UNSET
    logits_hvp: Digits | UnsetType = UNSET
    probabilities_hvp: Digits | UnsetType = UNSET
    losses: Digits | UnsetType = UNSET
    parameters: Digits | UnsetType = UNSET
    logged: Digits | UnsetType = UNSET
    validated: Digits | UnsetType = UNSET
    drift: Digits | UnsetType = UNSET
    epoch_loss: Digits | UnsetType = UNSET
    predicted: Digits | UnsetType = UNSET
    decisions: Digits | UnsetType = UNSET


class PolicyOutputs(Outputs, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What is right under one policy."""

    policy: str
    raises: Always | UnsetType = UNSET


class ExpectedEntry(Outputs, forbid_unknown_fields=True, omit_defaults=True):
    """One truth, or an error that is due, or a truth for each of several policies."""

    raises: Always | UnsetType = UNSET
    any_of: Annotated[list[PolicyOutputs], Meta(min_length=1)] | UnsetType = UNSET


class CaseEntry(Defaults, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One case as the file writes it."""

    id: CaseId
    about: Sentence
    logits: Values | UnsetType = UNSET
    probabilities: Values | UnsetType = UNSET
    weight: Values | UnsetType = UNSET
    pos_weight: Values | UnsetType = UNSET
    grad_output: Values | UnsetType = UNSET
    direction: Values | UnsetType = UNSET
    input_dtypes: dict[str, InputDtype] | UnsetType = UNSET
    layout: dict[str, Layout] | UnsetType = UNSET
    legacy: LegacyEntry | UnsetType = UNSET
    outputs: Annotated[list[str], Meta(min_length=1)] | UnsetType = UNSET
    positions: Positions | UnsetType = UNSET
    published: PublishedEntry | UnsetType = UNSET
    regression: RegressionEntry | UnsetType = UNSET
    expected: ExpectedEntry | UnsetType = UNSET


class CaseFile(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One file under cases/."""

    format: Literal["bce-conformance/1"]
    about: Sentence
    cases: Annotated[list[CaseEntry], Meta(min_length=1)]
    source: list[str] = []
    generator: Sentence | UnsetType = UNSET
    defaults: Defaults = msgspec.field(default_factory=Defaults)


def decode_hook(kind: type, raw: Any) -> Any:
    """Let msgspec take arrays as they are; their numbers are read where the dtype is known."""
    if kind is Values and isinstance(raw, (int, Number, str, list, dict)):
        return Values(raw)
    if kind is Digits and isinstance(raw, (str, list)):
        return Digits(raw)
    wanted = "numbers" if kind is Values else "texts of digits in quotes"
    msg = f"expected {wanted}, got {type(raw).__name__}"
    raise ValueError(msg)


def _nested(name: str, leaf: dict[str, Any]) -> dict[str, Any]:
    items = {"type": "array", "items": {"$ref": f"#/$defs/{name}"}}
    return {"anyOf": [*leaf["anyOf"], items]}


_SHAPE = {"type": "array", "items": {"type": "integer", "minimum": 0}}
_LEAVES = {
    "Numbers": _nested(
        "Numbers", {"anyOf": [{"type": "number"}, {"type": "string", "pattern": INPUT_TEXT}]}
    ),
    "Repeat": {
        "type": "object",
        "properties": {"repeat": {"$ref": "#/$defs/Numbers"}, "shape": _SHAPE},
        "required": ["repeat", "shape"],
        "additionalProperties": False,
    },
    "Linspace": {
        "type": "object",
        "properties": {
            "linspace": {
                "type": "array",
                "items": {"$ref": "#/$defs/Numbers"},
                "minItems": 2,
                "maxItems": 2,
            },
            "shape": _SHAPE,
        },
        "required": ["linspace", "shape"],
        "additionalProperties": False,
    },
    "Digits": _nested("Digits", {"anyOf": [{"type": "string", "pattern": DIGITS_TEXT}]}),
}


def _schema_hook(kind: type) -> dict[str, Any]:
    if kind is Digits:
        return {"$ref": "#/$defs/Digits"}
    names = ("Numbers", "Repeat", "Linspace")
    return {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in names]}


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a case file, made from the structures above."""
    # As JSON has it: a default may be a tuple.
    schema = msgspec.json.decode(
        msgspec.json.encode(msgspec.json.schema(CaseFile, schema_hook=_schema_hook))
    )
    schema["$defs"] |= _LEAVES
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A case file of format {FORMAT}",
        **schema,
    }
