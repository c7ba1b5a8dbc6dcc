from dataclasses import replace

from core.records import Dose, Edit, Receipt
from gui.wording import answer_line, arrival_line, branch_title, emission_line, receipt_line

TITLES = {"gaussian": "Gaussian", "zero": "Zero"}


def receipt(epsilon=0.98, hidden=0.4, percentile=99.6):
    doses = tuple(Dose(k, epsilon, 0.71, 1.4, percentile, hidden) for k in (1, 2))
    return Receipt("gaussian", "propagate", 0, doses)


def test_a_receipt_is_one_line():
    line = receipt_line(receipt(), TITLES)
    assert line == (
        "z2–3, Gaussian: delivered ε 0.98, cosine 0.71, percentile 100 (off the manifold)"
    )


def test_what_has_no_length_has_no_cosine():
    zero, some = Dose(0, 1.0, 0.0, 0.0, 47.0), Dose(1, 0.5, 0.8, 1.2)
    line = receipt_line(Receipt("zero", "propagate", 0, (zero,)), TITLES)
    assert line == "z1, Zero: delivered ε 1.00, no length, so no direction, percentile 47"
    assert "cosine 0.80" in receipt_line(Receipt("zero", "propagate", 0, (zero, some)), TITLES)


def test_no_effect_differs_from_not_arrived():
    assert "arrived" in arrival_line(receipt())
    assert arrival_line(receipt(hidden=0.0)).startswith("It did not arrive")
    assert arrival_line(receipt(epsilon=0.0, hidden=0.0)).startswith("Nothing was changed")
    assert arrival_line(receipt(hidden=None)) == ""


def test_a_branch_is_named_by_its_edits():
    edits = (Edit("gaussian", steps=[1, 2], dose=1.0), Edit("zero"))
    assert branch_title(edits, TITLES) == "Gaussian 1 at z2–3 + Zero"


def test_a_run_without_imagination_is_named(trace):
    mute = replace(trace, spans=())
    assert emission_line(mute, latent=True) == "The model answered without imagining."
    assert emission_line(mute, latent=False) == ""
    assert emission_line(trace, latent=True) == ""
    assert "Stopped" in emission_line(replace(trace, ended_by="cancelled"), latent=True)


def test_a_missing_answer_says_why(trace):
    assert answer_line(replace(trace, answer=None, answer_problem="No box.")) == "No box."
