"""Compares the decimals of the page's script with Python's and NumPy's."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browsing import a_browser, a_page  # noqa: F401 - the fixtures "browser" and "page"
from report_runs import corpus, realistic

from conformance.floats import FORMATS, hex_text
from conformance.report.snippets import torch_snippet

if TYPE_CHECKING:
    from browsing import Page


def texts_of(page: Page, bits: np.ndarray[Any, Any], dtype: str) -> list[str]:
    """What the script makes of the elements of these bits."""
    width = bits.itemsize
    given = [str(number) if width == 8 else int(number) for number in bits]
    found: list[str] = page.run(
        "return arguments[0].map((bits) =>"
        " decimalText(typeof bits === 'string' ? BigInt(bits) : bits, arguments[1]))",
        given,
        dtype,
    )
    return found


def sample(dtype: str) -> np.ndarray[Any, Any]:
    """Bits of a float format: all of sixteen, else powers of two, their neighbours, random ones."""
    fmt = FORMATS[dtype]
    if fmt.bits == 16:
        return np.arange(2**16, dtype=np.uint16)
    fraction = fmt.precision - 1
    powers = np.arange(2 ** (fmt.bits - 1 - fraction), dtype=fmt.uint) << fmt.uint.type(fraction)
    edges = np.concatenate([powers, powers + fmt.uint.type(1), powers[1:] - fmt.uint.type(1)])
    random = np.random.default_rng(0).integers(
        0, 2**fmt.bits, 20_000, dtype=fmt.uint, endpoint=False
    )
    return np.concatenate([edges, random])


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_float_has_the_digits_that_numpy_gives_it(page: Page, dtype: str) -> None:
    page.open()
    bits = sample(dtype)
    # NumPy writes the same digits with an exponent sooner.
    expected = [str(value) for value in bits.view(dtype)]
    different = [
        (text, found)
        for text, found in zip(expected, texts_of(page, bits, dtype), strict=True)
        if text != found and Decimal(text) != Decimal(found)
    ]
    assert [] == different


def test_a_float64_is_written_as_python_writes_it(page: Page) -> None:
    page.open()
    bits = sample("float64")
    expected = [repr(value) for value in bits.view("float64").tolist()]
    assert expected == texts_of(page, bits, "float64")


def test_a_bfloat16_is_the_shortest_decimal_that_reads_back_to_it(page: Page) -> None:
    page.open()
    dtype = FORMATS["bfloat16"].dtype
    values = sample("bfloat16").view(dtype)
    found = texts_of(page, values.view(np.uint16), "bfloat16")
    back = np.array([float(text) for text in found]).astype(dtype)
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(values.astype(float))
    assert np.array_equal(values[finite].view(np.uint16), back[finite].view(np.uint16))
    assert {"nan", "inf", "-inf"} == {found[place] for place in np.flatnonzero(~finite)}
    for digits in (1, 2, 3):
        short = np.array([float(f"{float(value):.{digits - 1}e}") for value in values])
        with np.errstate(over="ignore", invalid="ignore"):
            reads_back = finite & (short.astype(dtype) == values)
        longest = max(
            len(found[place].lstrip("-").partition("e")[0].replace(".", "").strip("0"))
            for place in np.flatnonzero(reads_back)
        )
        assert digits >= longest


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"])
def test_an_integer_is_written_with_its_sign(page: Page, dtype: str) -> None:
    page.open()
    limits = np.iinfo(dtype)
    values = np.array([limits.min, limits.max, 0, 1, limits.max // 3], dtype)
    bits = values.view(f"uint{8 * values.itemsize}")
    assert [str(value) for value in values] == texts_of(page, bits, dtype)


def test_a_bool_is_written_as_python_writes_it(page: Page) -> None:
    page.open()
    assert ["False", "True"] == texts_of(page, np.array([0, 1], np.uint8), "bool")


def test_a_hex_float_is_the_one_that_python_writes(page: Page) -> None:
    page.open()
    values = sample("float64").view("float64")
    found = page.run(
        "const view = new DataView(new ArrayBuffer(8));"
        "return arguments[0].map((bits) => {"
        " view.setBigUint64(0, BigInt(bits)); return hexText(view.getFloat64(0)); })",
        [str(bits) for bits in values.view(np.uint64)],
    )
    assert [hex_text(value) for value in values.tolist()] == found


def test_every_script_of_the_page_is_the_one_that_python_made(page: Page) -> None:
    page.open()
    found = page.run(
        "return unpack().then(({ cases }) => cases.map(({ id, snippet }) => [id, snippet]))"
    )
    _, cases = realistic()
    expected = {case.id: torch_snippet(case, case.dtypes[0]) for case in cases}
    assert expected == dict(found)
    assert len(corpus()) == len(found)
