"""An edit takes the numbers people have at hand, and refuses what is none."""

import json

import numpy as np
import pytest

from core.errors import EditError
from core.records import Edit


def test_numbers_out_of_an_array_are_taken_as_plain_ones():
    edit = Edit("gaussian", steps=np.arange(2), dose=np.float32(0.5), seed=np.int64(3))
    assert json.loads(json.dumps(edit.plain())) == {
        "kind": "gaussian", "steps": [0, 1], "dose": 0.5, "seed": 3,
    }  # fmt: skip


@pytest.mark.parametrize("dose", [float("nan"), float("inf"), -2e30])
def test_a_dose_that_is_no_number_is_refused(dose):
    with pytest.raises(EditError, match=r"^Dose must be a number of at most 1e\+30; .+ is none\.$"):
        Edit("gaussian", dose=dose)


@pytest.mark.parametrize("given", [{"seed": "3"}, {"kind": 4}, {"count": 1.5}, {"seed": 2**64}])
def test_values_of_another_kind_are_refused(given):
    with pytest.raises(EditError):
        Edit(**{"kind": "gaussian", **given})
