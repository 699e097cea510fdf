from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

from conformance.layouts import LayoutError, expandable, lay_out

if TYPE_CHECKING:
    from conformance.model import Layout

IMAGES = np.arange(24.0).reshape(2, 3, 2, 2)
DTYPES = ["float16", ml_dtypes.bfloat16, "float32", "float64", "int64", "uint8", "bool"]


@pytest.mark.parametrize("layout", ["transposed", "strided", "reversed", "channels_last"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_layout_changes_the_strides_and_nothing_else(layout: Layout, dtype: Any) -> None:
    array = IMAGES.astype(dtype)
    laid = lay_out(array, layout)
    assert (array.shape, array.dtype) == (laid.shape, laid.dtype)
    assert array.tobytes() == laid.tobytes()
    assert array.strides != laid.strides


def test_what_lies_between_the_elements_would_be_noticed() -> None:
    laid = lay_out(np.ones(3, np.float32), "strided")
    assert laid.base is not None
    assert 3 == np.isnan(laid.base).sum()


def test_an_expanded_array_has_no_stride_where_it_repeats_itself() -> None:
    array = np.array([[1.0, 1.0, np.nan], [1.0, 1.0, np.nan]])
    laid = lay_out(array, "expanded")
    assert np.array_equal(array, laid, equal_nan=True)
    assert (0, 8) == laid.strides
    assert {0} == expandable(array)


def test_channels_last_is_the_order_of_images() -> None:
    laid = lay_out(IMAGES, "channels_last")
    assert np.moveaxis(laid, 1, -1).flags.c_contiguous


@pytest.mark.parametrize(
    ("layout", "array", "problem"),
    [
        ("transposed", np.ones((1, 3)), "two axes of more than one element"),
        ("strided", np.ones(()), "an axis"),
        ("reversed", np.ones(1), "an axis of more than one element"),
        ("expanded", np.arange(3), "an axis along which its values are all the same"),
        ("channels_last", np.ones((2, 3)), "four axes, and more than one channel"),
    ],
)
def test_a_layout_that_would_change_nothing_is_refused(
    layout: Layout, array: Any, problem: str
) -> None:
    with pytest.raises(LayoutError, match=f"this layout needs {problem}"):
        lay_out(array, layout)
