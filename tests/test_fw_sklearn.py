"""scikit-learn: what of a loss a metric of labels has; it is tested where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fw_questions import computed, installed, question

from conformance.model import Declined

SKLEARN = installed("sklearn")


def test_it_tells_its_version_by_the_name_that_deviations_use() -> None:
    assert "sklearn" in SKLEARN.versions()


@pytest.mark.parametrize(
    "changed",
    [{"reduction": "none"}, {"targets": [0.5, 1.0]}, {"probabilities": [[0.5, 0.5]]}],
)
def test_what_a_metric_of_labels_has_not_is_declined(changed: dict[str, Any]) -> None:
    plain: dict[str, Any] = {
        "reduction": "mean",
        "probabilities": [0.5, 0.25],
        "targets": [1.0, 0.0],
    }
    assert SKLEARN.decline(question(**plain)) is None
    assert isinstance(SKLEARN.decline(question(**{**plain, **changed})), Declined)


def test_a_batch_may_have_one_label() -> None:
    asked = question("float64", "sum", probabilities=[0.5, 0.5], targets=[1.0, 1.0])
    assert 2 * np.log(2) == pytest.approx(float(computed(SKLEARN, asked)["loss"]))
