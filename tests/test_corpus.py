"""Case files to cases."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from conformance import casefile
from conformance.arrays import ArrayError, read_values
from conformance.corpus import CorpusError, load_corpus
from conformance.document import Document
from conformance.errors import ConformanceError
from conformance.nodes import Number

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.model import Case

HEAD = """\
format: bce-conformance/1
about: A file.
defaults: {operation: bce_with_logits, reduction: none, dtypes: [float32, float64]}
cases:
"""
PLAIN = "  - {id: one, about: A case., logits: [0.5], targets: [1]}\n"


def load(folder: Path, cases: str, head: str = HEAD) -> tuple[Case, ...]:
    path = folder / "theme.yaml"
    path.write_text(head + cases, encoding="utf-8")
    return load_corpus([folder]).cases


def problems(folder: Path, cases: str, head: str = HEAD) -> list[str]:
    with pytest.raises(CorpusError) as caught:
        load(folder, cases, head)
    return [text.removeprefix(str(folder / "theme.yaml")) for text in caught.value.problems]


def entry(**fields: Any) -> str:
    fields = {"id": "one", "about": "A case.", "logits": [0.5], "targets": [1]} | fields
    return f"  - {json.dumps({key: value for key, value in fields.items() if value != '-'})}\n"


def test_a_case_has_the_file_s_defaults_and_its_own_id(tmp_path: Path) -> None:
    (case,) = load(tmp_path, entry(reduction="sum", logits=[[0.5, -2]], targets=[[1, 0]]))
    assert case.id == "theme/one"
    assert case.group == "theme"
    assert (case.operation, case.reduction) == ("bce_with_logits", "sum")
    assert case.dtypes == ("float32", "float64")
    assert case.inputs["logits"].shape == (1, 2)
    assert case.inputs["logits"].values == (0.5, -2.0)
    assert case.outputs == ("loss", "logits_grad", "targets_grad")


@pytest.mark.parametrize(
    ("values", "shape", "expected"),
    [
        (3, (), (3.0,)),
        ([], (0,), ()),
        ([[1], [2]], (2, 1), (1.0, 2.0)),
        (["0x1.8p-3", "inf", "-inf"], (3,), (0.1875, math.inf, -math.inf)),
        ({"repeat": [1, 2], "shape": [3]}, (3,), (1.0, 2.0)),
        ({"repeat": 0.5, "shape": [2, 0]}, (2, 0), (0.5,)),
        ({"linspace": [-1, 1], "shape": [5]}, (5,), (-1.0, -0.5, 0.0, 0.5, 1.0)),
    ],
)
def test_an_array_is_listed_or_described(
    tmp_path: Path, values: Any, shape: tuple[int, ...], expected: tuple[float, ...]
) -> None:
    fields = {"positions": [0]} if isinstance(values, dict) and math.prod(shape) else {}
    (case,) = load(tmp_path, entry(logits=values, targets=values, **fields))
    assert shape == case.inputs["logits"].shape
    assert expected == case.inputs["logits"].values


def test_signed_zero_and_nan_survive(tmp_path: Path) -> None:
    (case,) = load(tmp_path, entry(logits=["-0.0", "nan"], targets=[0, 1]))
    zero, nan = case.inputs["logits"].values
    assert math.copysign(1, zero) == -1
    assert math.isnan(nan)


def test_inputs_are_rounded_once_where_the_case_says_so(tmp_path: Path) -> None:
    cases = "  - {id: one, about: A., logits: [0.2], targets: [1], inputs_rounded_to: float32}\n"
    (case,) = load(tmp_path, cases)
    assert case.inputs["logits"].values == (0.20000000298023224,)


@pytest.mark.parametrize(
    ("cases", "problem"),
    [
        (entry(logit=[1]), ":5:5: cases[0]: Object contains unknown field `logit`."),
        (entry(targets="-"), ":5:5: cases[0]: no targets; the operation bce_with_logits needs it."),
        (entry(logits="-"), ":5:5: cases[0]: no logits; the operation bce_with_logits needs it."),
        (entry(probabilities=[1]), "cases[0].probabilities: the operation bce_with_logits takes"),
        (entry(id="Two Words"), ":5:12: cases[0].id: Expected `str` matching regex"),
        (entry(id="a/b"), ":5:12: cases[0].id: Expected `str` matching regex"),
        (entry(id="one\n"), r":5:12: cases[0].id: 'one\n' has a line break; remove it."),
        (entry(reduction="NO"), "cases[0].reduction: 'NO' is none of none, mean, sum; take one"),
        (entry(dtypes=["float8"]), "cases[0].dtypes[0]: Invalid enum value 'float8'."),
        (entry(dtypes=["float32"] * 2), "cases[0].dtypes: a dtype stands here twice."),
        (entry(flags=["Unknown"]), "cases[0].flags[0]: 'Unknown' is not explained in flags.yaml."),
        (entry(policies=["any"]), "cases[0].policies[0]: 'any' is not explained in policies.yaml."),
        (entry(outputs=["hessian"]), "cases[0].outputs[0]: 'hessian' should be one of loss"),
        (entry(logits=[True]), "cases[0].logits[0]: expected a number, got a truth value."),
        (entry(logits=["0.5"]), "cases[0].logits[0]: '0.5' is not a number: write decimals"),
        (entry(logits=[[1], [1, 2]]), "cases[0].logits[1]: the lists are ragged"),
        (entry(logits=[[1], 2]), "cases[0].logits[1]: the lists are ragged"),
        (entry(logits=[1, [2]]), "cases[0].logits[1][0]: the lists are ragged"),
        (entry(logits={"repeat": 1}), "cases[0].logits: describe an array as {repeat, shape}"),
        (entry(logits={"repeat": 1, "shape": [-1]}), "logits.shape: a shape is a list of whole"),
        (entry(logits={"repeat": 1, "shape": [10**5] * 3}), "1000000000000000 elements; a case"),
        (entry(logits={"repeat": 1, "shape": [1] * 70}), "shape: 70 axes; an array has at most 32"),
        (entry(logits={"repeat": 1, "shape": [0, 10**8]}), "logits.shape[1]: an axis has at most"),
        (entry(logits={"linspace": [0, 1], "shape": [10**6]}), "1000000 elements; a linspace has"),
        (entry(logits=["nan\n"]), r"cases[0].logits[0]: 'nan\n' is not a number"),
        (
            entry(outputs=["loss"], expected={"loss": ["1\n"]}),
            r"cases[0].expected.loss[0]: '1\n' is not a number written in quotes",
        ),
        (
            entry(outputs=["loss"], expected={"loss": ["1" * 3000]}),
            "loss[0]: A number of 3000 characters is too long; write at most 2000.",
        ),
        (entry(logits={"linspace": [0, 1], "shape": [4]}), "is not exact in float64"),
        (entry(logits={"repeat": 1, "shape": [2]}), "so list the positions to compare."),
        (entry(positions=[1]), "cases[0].positions: a position is beyond the 1 elements."),
        (entry(expected={"loss": ["1"]}), "cases[0].expected: logits_grad, targets_grad: not what"),
        (entry(expected={"raises": False}), "cases[0].expected.raises: write raises: true"),
        (entry(input_dtypes={"weight": "int64"}), "input_dtypes.weight: the case has no weight."),
        (
            entry(input_dtypes={"logits": "uint8"}),
            "logits[0]: 0.5 is no number of uint8; write one that is.",
        ),
        (
            entry(input_dtypes={"logits": "int7"}),
            "cases[0].input_dtypes: Invalid enum value 'int7'.",
        ),
        (entry(layout={"logits": "transposed"}), "layout.logits: this layout needs two axes"),
        (entry(outputs=["logits_hvp"]), "outputs[0]: logits_hvp needs a direction; give one."),
        (
            entry(regression={"affected": "All."}),
            "cases[0].regression: give either rerun_on with result, or not_rerun.",
        ),
        (
            entry(
                policies=["refuse"],
                expected={"any_of": [{"policy": "refuse", "raises": True, "loss": ["1"]}]},
            ),
            "expected.any_of[0]: with raises: true it gives no outputs; run `fill`.",
        ),
        (entry(expected={}), "give either outputs, or any_of, or raises: true."),
        (entry(published={"value": {"loss": 1}, "where": "x"}), "got int"),
        (entry(published={"value": {"gain": "1"}, "where": "x"}), "'gain' is not an output."),
    ],
)
def test_a_malformed_case_is_one_sentence(tmp_path: Path, cases: str, problem: str) -> None:
    (found,) = problems(tmp_path, cases)
    assert problem in found
    assert found.startswith(":5:")


def test_the_number_1e_7_is_a_number_and_must_be_exact(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "  - {id: one, about: A., logits: [1e-7], targets: [1]}\n")
    assert found.startswith(":5:35: cases[0].logits[0]: 1e-7 is not exact in any of the four")
    assert "nearest value that is: 1e-07 = 0x1.ad7f29abcaf48p-24" in found


def test_an_input_must_be_exact_in_each_dtype(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, entry(logits=["0x1.000001p0"]))
    assert "cases[0].logits[0]: 1.0000000596046448 is not exact in float32; the nearest" in found
    assert "leave float32 out of dtypes" in found


def test_every_problem_of_every_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("format: [", encoding="utf-8")
    cases = entry(id="one", flags=["No"]) + entry(id="two", logits=[0.1]) + entry(id="one")
    with pytest.raises(CorpusError) as caught:
        load(tmp_path, cases)
    assert len(caught.value.problems) == 4


def test_an_id_is_used_once(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, PLAIN + PLAIN)
    assert found.startswith(":6:10: cases[1].id: the id one is taken by cases[0]")
    (tmp_path / "theme.yaml").write_text(HEAD + PLAIN, encoding="utf-8")
    (tmp_path / "theme.json").write_text(
        json.dumps(
            {
                **Document(tmp_path / "theme.yaml").plain,
                "cases": [{"id": "one", "about": "A.", "logits": 1, "targets": 1}],
            }
        ),
        encoding="utf-8",
    )
    with pytest.raises(CorpusError, match="the id theme/one is taken by"):
        load_corpus([tmp_path])


def test_a_truncated_file_loads_nothing(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "  - {id: one, about: A case., logits: [0.5")
    assert "did not find expected" in found


def test_lists_of_json_are_nested_32_deep_at_most(tmp_path: Path) -> None:
    path = tmp_path / "theme.json"
    deep = "[" * 33 + "1" + "]" * 33
    text = '{"format": "bce-conformance/1", "about": "A.", "cases": [%s]}'
    case = '{"id": "one", "about": "B.", "operation": "bce", "dtypes": ["float64"], '
    path.write_text(text % f'{case}"probabilities": {deep}, "targets": 1}}', encoding="utf-8")
    with pytest.raises(ConformanceError, match=r"theme.json:1:\d+: nested deeper than 32 levels"):
        load_corpus([path])
    with pytest.raises(ArrayError, match="nested deeper than 32 axes"):
        read_values(json.loads(deep), None)
    assert (1,) * 32 == read_values(json.loads(deep[1:-1]), None).shape


def test_the_digest_is_of_the_question_alone(tmp_path: Path) -> None:
    (case,) = load(tmp_path, entry())
    same = [entry(about="Other words."), entry(dtypes=["float64"]), entry(logits=["0x1p-1"])]
    assert {case.sha256} == {load(tmp_path, text)[0].sha256 for text in same}
    other = [entry(logits=[0.25]), entry(reduction="sum"), entry(weight=[1]), entry(logits=0.5)]
    assert case.sha256 not in {load(tmp_path, text)[0].sha256 for text in other}


def plain(value: Any) -> Any:
    match value:
        case Number(text):
            return float(text)
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list():
            return [plain(item) for item in value]
    return value


@pytest.mark.parametrize(
    ("cases", "valid"),
    [
        (PLAIN, True),
        (entry(logits=["0x1p-1"], expected={"raises": True}), True),
        (entry(logits={"repeat": [1], "shape": [1]}, positions=[0]), True),
        (entry(published={"value": {"loss": "0.4"}, "where": "A guide."}), True),
        (entry(logit=[1]), False),
        (entry(weight=None), False),
        (entry(logits=["0.5"]), False),
        (entry(logits={"repeat": 1}), False),
        (entry(expected={"loss": [1]}), False),
        (entry(id="A"), False),
        (entry(id="a/b"), False),
    ],
)
def test_the_schema_and_the_loader_judge_alike(tmp_path: Path, cases: str, valid: bool) -> None:
    path = tmp_path / "theme.yaml"
    path.write_text(HEAD + cases, encoding="utf-8")
    validator = jsonschema.Draft202012Validator(casefile.json_schema())
    assert valid == validator.is_valid(plain(Document(path).plain))
    if valid:
        assert load_corpus([tmp_path]).cases
    else:
        assert problems(tmp_path, cases)
