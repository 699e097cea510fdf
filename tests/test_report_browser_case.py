"""Opens single cases in Chromium, and finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from browsing import a_browser, a_page  # noqa: F401 - the fixtures "browser" and "page"
from msgspec.structs import replace
from report_data import careful, case, result, run
from report_runs import HOSTILE

from conformance.report import write_report

if TYPE_CHECKING:
    from pathlib import Path

    from browsing import Page

    from conformance.model import Case
    from conformance.results import Result

CASE = "logits/negative_tail/minus_40_t0"
MIXED = case("logits/mixed/whole", logits=[3], targets=[1])


def show(page: Page, folder: Path, results: list[Result], cases: list[Case], hash_: str) -> None:
    """Open a report of these results."""
    write_report([run(results)], cases, folder / "index.html")
    page.addresses.known["own"] = (folder / "index.html").as_uri()
    page.open("own", hash_)


def test_an_answer_tells_its_decimal_and_its_raw_bits(page: Page) -> None:
    page.open(hash_=f"#case={CASE}")
    page.run("document.querySelector('#panel [value=float32]').click()")
    lines = page.texts("#panel table.output:first-of-type tbody tr")
    lines = [line.replace(" ", "") for line in lines]
    bits = int(np.float32("4.248354e-18").view(np.uint32))
    assert any(f"4.248354e-18{bits:#010x}" in line for line in lines)
    assert any("0.00x00000000" in line for line in lines)


def test_a_large_answer_tells_the_digest_that_was_kept_of_it(page: Page, tmp_path: Path) -> None:
    logits = [0.125 * index for index in range(70)]
    large = case("logits/large/listed", logits=logits, targets=[0] * 70)
    given = result(large, "torch")
    digest = given.outputs["loss"].digest
    assert digest is not None
    show(page, tmp_path, [given], [large], f"#case={large.id}")
    assert f"SHA-256 {digest}" in page.one("#panel").text
    assert "not kept" in page.one("#panel").text


def test_a_case_tells_who_differs_and_what_is_not_offered(page: Page, tmp_path: Path) -> None:
    tail = case("logits/tail/minus_40", logits=[-40], targets=[0])
    same = [result(tail, adapter) for adapter in ("ignite", "torch")]
    other = result(tail, "numpy", formula=careful, declined=["targets_grad", HOSTILE])
    show(page, tmp_path, [*same, other], [tail], f"#case={tail.id}")
    [differ] = page.texts("#panel .differ")
    assert differ.startswith("The grades differ: ")
    assert "ignite cpu, torch cpu" in differ
    assert "numpy cpu" in differ
    assert f"Does not offer targets_grad, {HOSTILE}." in page.one("#panel .statuses").text


def test_a_case_on_which_all_agree_says_so(page: Page, tmp_path: Path) -> None:
    given = [result(MIXED, adapter) for adapter in ("ignite", "torch")]
    show(page, tmp_path, given, [MIXED], f"#case={MIXED.id}")
    assert "All 2 gave the same answer." in page.texts("#panel .answers .note")


def test_a_crash_and_a_time_out_are_not_the_same_and_each_is_told(
    page: Page, tmp_path: Path
) -> None:
    told = {
        "crashed": "crashed: the process ended by signal 6 (SIGABRT)",
        "timed_out": "timed out: it gave no answer within 120 s",
    }
    given = [
        replace(
            result(MIXED, f"{fault.replace('_', '-')}-one"),
            status="failed",
            grade="wrong",
            outputs={},
            fault=fault,
            reason=reason,
        )
        for fault, reason in told.items()
    ]
    show(page, tmp_path, given, [MIXED], f"#case={MIXED.id}")
    statuses = page.one("#panel .statuses").text
    assert all(reason in statuses for reason in told.values())
    notes = page.texts("#panel .answers .note")
    assert "The 2 gave 2 different answers of the same grade." in notes


def test_an_answer_of_another_dtype_is_read_in_it(page: Page, tmp_path: Path) -> None:
    given = result(MIXED, "torch")
    whole = replace(
        given.outputs["loss"], grade="wrong", dtype="int64", bits="feffffffffffffff", ulp=None
    )
    given = replace(given, status="failed", outputs={"loss": whole})
    show(page, tmp_path, [given], [MIXED], f"#case={MIXED.id}")
    text = page.one("#panel table.output").text
    assert "-2\nint64\n0xfffffffffffffffe" in text


def test_the_link_that_is_copied_is_free_of_filters(page: Page) -> None:
    page.open(hash_="#adapter=numpy&q=minus_40_t0")
    page.one("#rows tbody a").click()
    page.until("return document.getElementById('panel').open")
    # What a page may write to the clipboard is up to the browser; what it would write is not.
    page.run("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.one("#panel .copy").click()
    page.until("return window.copied")
    assert page.addresses["realistic"] + f"#case={CASE}" == page.run("return window.copied")


def test_what_cannot_be_copied_is_selected(page: Page) -> None:
    page.open(hash_=f"#case={CASE}")
    page.run("navigator.clipboard.writeText = () => Promise.reject(new Error('no'))")
    page.one("#panel .copy").click()
    page.until("return String(getSelection()) !== ''")
    assert page.run("return String(getSelection())").endswith(f"#case={CASE}")


def test_a_flag_is_a_filter_and_is_found_by_search_as_policies_are(page: Page) -> None:
    page.open()
    page.one("[name=flag]").send_keys("Neg")
    page.until("return location.hash === '#flag=NegativeTail'")
    number = page.texts("#matches")
    page.open(hash_="#q=negativetail")
    assert number == page.texts("#matches")
    page.open(hash_="#q=clamp_log_100")
    assert {"probabilities/zero/t_1"} == set(page.texts("#rows tbody th.case"))


def test_a_hostile_flag_is_a_filter_like_any(page: Page) -> None:
    page.open("hostile")
    page.one("[name=flag]").send_keys(HOSTILE[:3])
    page.until("return location.hash.startsWith('#flag=')")
    assert 1 == len(page.texts("#rows tbody tr"))
    assert [] == page.texts("img")
    assert 2 == page.run("return document.scripts.length")
