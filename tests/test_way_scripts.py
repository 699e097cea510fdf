"""The scripts of the ways to run PyTorch, run as they stand."""

from __future__ import annotations

import ast
import dataclasses
from typing import TYPE_CHECKING

import pytest
from browsing import a_browser, a_page  # noqa: F401 - the fixtures "browser" and "page"
from report_data import case, result, run
from snippets import Printed, answer_of, cases, expected_of, offers, run_scripts, same_bits

from conformance import adapters
from conformance.adapters import WAYS
from conformance.model import Computed, Raised
from conformance.report import write_report
from conformance.report.snippets import torch_snippet
from conformance.report.way_scripts import way_changes, way_script

if TYPE_CHECKING:
    from pathlib import Path

    from browsing import Page

    from conformance.adapters.base import LossAdapter
    from conformance.model import Case

ASKED = {
    "logits/weights/with_pos_weight": "float32",
    "probabilities/weights/by_row": "float64",
    "logits/grad_output/mean_weight_and_pos_weight": "bfloat16",
    "logits/second_derivatives/grad_output": "float32",
    "probabilities/second_derivatives/grad_output_mean_weight": "float64",
    "logits/shapes/empty_mean": "float32",
    "logits/layouts/logits_expanded": "float16",
    "logits/mixed_dtypes/float32_logits_float16_targets": "float32",
    "logits/legacy_arguments/size_average_false": "float32",
    "probabilities/bad_inputs/probability_above_one": "float32",
    "logits/bad_inputs/column_against_vector": "float32",
    "logits/bad_inputs/reduction_foo": "float32",
}
"""Questions that are put in different ways, the last three with an error due."""
COSTLY = {
    "torch:inductor": [
        "probabilities/weights/by_row",
        "probabilities/bad_inputs/probability_above_one",
    ],
    "torch:aot_eager": ["probabilities/weights/by_row", "logits/bad_inputs/column_against_vector"],
    "torch:export": [
        "logits/weights/with_pos_weight",
        "logits/second_derivatives/grad_output",
        "probabilities/bad_inputs/probability_above_one",
    ],
}
"""Those that are asked of ways that take seconds to compile."""
ONE = case("logits/negative_tail/x_minus_40", logits=[-40], targets=[0])
SECOND = case("logits/second/one", logits=[0.5], targets=[1], direction=[2.0])


def answered(adapter: LossAdapter) -> list[tuple[Case, str]]:
    """What the way does not decline, each asked for the outputs that it has."""
    known = {one.id: one for one in cases()}
    found = []
    for place in COSTLY.get(adapter.name, ASKED):
        outputs = tuple(name for name in known[place].outputs if name in adapter.outputs)
        part = dataclasses.replace(known[place], outputs=outputs)
        if outputs and offers(adapter, part, ASKED[place]):
            found.append((part, ASKED[place]))
    return found


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Printed]:
    """What each script of each way that can run here prints, by way and case."""
    known = {one.id: one for one in cases()}
    scripts = {}
    for name in WAYS:
        if adapters.missing(name) is None:
            for part, dtype in answered(adapters.load(name)):
                # The whole case: what the way does not have, the script leaves out.
                scripts[name, part.id] = way_script(known[part.id], name, dtype) or ""
    ran = run_scripts(list(scripts.values()), tmp_path_factory.mktemp("scripts"))
    return dict(zip(scripts, ran, strict=True))


@pytest.mark.parametrize("name", WAYS)
def test_a_script_of_a_way_prints_the_bits_of_its_adapter(
    name: str, printed: dict[tuple[str, str], Printed]
) -> None:
    if missing := adapters.missing(name):
        pytest.skip(missing)
    adapter = adapters.load(name)
    compared = 0
    for part, dtype in answered(adapter):
        found, answer = printed[name, part.id], answer_of(adapter, part, dtype)
        if isinstance(answer, Raised):
            assert f"{answer.type} {answer.message}" == found.raised, part.id
            continue
        assert isinstance(answer, Computed), part.id
        assert (None, set(part.outputs)) == (found.raised, set(found.values)), part.id
        for output in part.outputs:
            [values] = found.values[output]
            expected = expected_of(part, answer, output)
            assert same_bits(expected, values), (part.id, dtype, output, expected, values)
            compared += 1
    assert compared >= 2


@pytest.mark.parametrize("name", WAYS)
def test_every_way_has_a_script_that_needs_nothing_but_pytorch(name: str) -> None:
    script = way_script(SECOND if name == "torch:func.hessian" else ONE, name, "float32")
    assert script is not None
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name) or ""
        for node in ast.walk(ast.parse(script))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert {"torch"} == {module.partition(".")[0] for module in imported}


@pytest.mark.parametrize("name", WAYS)
def test_every_change_of_a_way_finds_its_text(name: str) -> None:
    known = {one.id: one for one in cases()}
    for place, dtype in ASKED.items():
        script = torch_snippet(known[place], dtype)
        for old, new in way_changes(known[place], name) or []:
            assert old in script, place
            script = script.replace(old, new)


def test_what_a_way_has_no_words_for_has_no_script() -> None:
    known = {one.id: one for one in cases()}
    assert way_script(ONE, "torch:new", "float32") is None
    assert way_script(ONE, "torch:func.hessian", "float32") is None
    assert way_script(SECOND, "torch:inductor", "float32") is None
    for place in ("logits/bad_inputs/reduction_foo", "logits/legacy_arguments/size_average_false"):
        assert way_script(known[place], "torch:aten", "float32") is None


def test_an_output_that_a_way_does_not_have_is_not_printed() -> None:
    lines = (way_script(SECOND, "torch:func.hessian", "float32") or "").splitlines()
    assert ["logits_hvp"] == [line.split('"')[1] for line in lines if line.startswith("print(")]
    assert '# not offered: print("loss", loss.tolist())' in lines


def test_a_script_of_another_device_casts_there() -> None:
    script = way_script(ONE, "torch:autocast_fp16", "float32", "cuda:1") or ""
    assert 'torch.set_default_device("cuda:1")' in script.splitlines()
    assert 'with torch.autocast("cuda", dtype=torch.float16):' in script.splitlines()


@pytest.mark.parametrize("name", WAYS)
def test_no_text_of_a_case_becomes_code_of_a_way(name: str) -> None:
    evil = dataclasses.replace(SECOND, id="x\nraise SystemExit\u2028raise SystemExit")
    good, bad = (way_script(one, name, "float32") for one in (SECOND, evil))
    assert len(ast.parse(good or "").body) == len(ast.parse(bad or "").body)


def test_the_page_of_a_case_has_the_script_of_each_way_that_answered(
    page: Page, tmp_path: Path
) -> None:
    names = [name for name in WAYS if name != "torch:inductor"]
    given = [result(ONE, name) for name in ("numpy", "torch", *names)]
    declined = result(ONE, "torch:inductor", status="not_run", reason="declined")
    write_report([run([*given, declined])], [ONE], tmp_path / "index.html")
    page.addresses.known["ways"] = (tmp_path / "index.html").as_uri()
    page.open("ways", f"#case={ONE.id}")
    dtype = ONE.dtypes[0]
    scripts = {name: way_script(ONE, name, dtype) for name in names}
    expected = {"": torch_snippet(ONE, dtype), **{k: v for k, v in scripts.items() if v}}
    found = page.run("return unpack().then(({ cases }) => Object.fromEntries(cases[0].scripts))")
    assert expected == found
    assert len(found) > len(names) - 2


def test_the_script_of_another_way_is_chosen_and_keeps_the_dtype(
    page: Page, tmp_path: Path
) -> None:
    given = [
        result(ONE, name, dtype) for name in ("torch", "torch:func.grad") for dtype in ONE.dtypes
    ]
    write_report([run(given)], [ONE], tmp_path / "index.html")
    page.addresses.known["ways"] = (tmp_path / "index.html").as_uri()
    page.open("ways", f"#case={ONE.id}")
    page.run("document.querySelector('#panel [value=float32]').click()")
    page.run(
        "const select = document.querySelector('#panel select'); select.value = 'torch:func.grad';"
        "select.dispatchEvent(new Event('change'))"
    )
    shown = page.run("return document.querySelector('#panel .snippet code').textContent")
    assert way_script(ONE, "torch:func.grad", "float32") == shown
