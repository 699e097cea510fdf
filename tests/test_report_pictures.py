from __future__ import annotations

from itertools import pairwise

from report_jobs import CARRIED, PLAIN, REFIT, SAMPLES, SHORT, STEPPED, WINDOWS, follows, joined

from conformance.report.differences import show_differences
from conformance.report.pictures import draw
from conformance.report.trajectories import scenes


def test_a_trainer_that_follows_no_policy_is_drawn_beside_all_of_them() -> None:
    results = [follows(SHORT, "ignite", CARRIED), follows(SHORT, "torch", STEPPED, off=0.125)]
    trainers, evidence = joined(results, [SHORT])
    [scene] = scenes(trainers, trainers.rows[0])
    policies = [*((name,) for name in WINDOWS), ()]
    assert policies == [curve.policies for curve in scene.curves]
    drawn = draw(scene, evidence).drawn
    assert [(), (), ("ignite",), ("torch",)] == [item.names for item in drawn]
    assert [False, False, False, True] == [item.wrong for item in drawn]


def test_a_picture_shows_the_parameter_on_which_trainers_differ_most() -> None:
    results = [follows(SHORT, "ignite", CARRIED), follows(SHORT, "numpy", SAMPLES)]
    trainers, _ = joined(results, [SHORT])
    [scene] = scenes(trainers, trainers.rows[0])
    assert ("optimizer step", "") == (scene.along, scene.less)
    assert SHORT.expected is not None
    column = int(scene.what.removeprefix("parameter "))
    steps = [item.outputs["parameters"].values for item in SHORT.expected.alternatives]
    assert [float(text) for text in steps[0][column::3]] == list(scene.curves[0].values)


def test_labels_of_a_picture_do_not_overlap_and_stay_inside() -> None:
    names = [f"trainer_{letter}" for letter in "abcdefgh"]
    results = [follows(SHORT, name, STEPPED) for name in names[:6]]
    results += [follows(SHORT, name, SAMPLES, off=1.0) for name in names[6:]]
    trainers, evidence = joined(results, [SHORT])
    [picture] = show_differences(trainers, evidence)[0].pictures[:1]
    spans = sorted(
        (float(item.label[1]) - 6, float(item.label[1]) - 6 + 12 * max(1, len(item.names)))
        for item in picture.drawn
    )
    assert all(one[1] <= other[0] + 0.2 for one, other in pairwise(spans))
    assert 0 <= spans[0][0]
    assert picture.height >= spans[-1][1]


def test_a_run_of_fewer_steps_is_drawn_as_far_as_it_goes() -> None:
    results = [follows(REFIT, "ignite", "refit_trains")]
    results += [follows(REFIT, "lightning", "refit_does_nothing")]
    trainers, evidence = joined(results, [REFIT])
    [difference] = show_differences(trainers, evidence)
    [picture] = difference.pictures
    assert "" == picture.scene.less
    assert [4, 2] == [len(item.marks) for item in picture.drawn]


def test_numbers_that_are_none_are_left_out_of_a_picture() -> None:
    results = [
        follows(SHORT, "ignite", CARRIED),
        follows(SHORT, "torch", STEPPED, off=float("nan")),
    ]
    trainers, evidence = joined(results, [SHORT])
    [picture] = show_differences(trainers, evidence)[0].pictures
    assert "nan" not in "".join(item.path for item in picture.drawn)
    assert [2, 0] == [len(item.marks) for item in picture.drawn[2:]]


def test_a_wrong_answer_to_the_one_truth_is_drawn_off_it() -> None:
    results = [follows(PLAIN, "torch", None), follows(PLAIN, "ignite", None, off=0.5)]
    results += [follows(PLAIN, "lightning", None, off=0.5)]
    trainers, evidence = joined(results, [PLAIN])
    [picture] = show_differences(trainers, evidence)[0].pictures
    right, wrong = picture.scene.curves
    assert [0, 0] == [round(value, 3) for value in right.values.tolist()]
    assert [0.5, 0.5] == [round(value, 3) for value in wrong.values.tolist()]
    assert ["torch"] == [evidence.named(subject) for subject in right.subjects]
    assert ("ignite", "lightning") == picture.drawn[1].names
    assert "off the truth by 0.5" == picture.drawn[1].off


def test_the_truth_is_drawn_where_nobody_is_right() -> None:
    trainers, evidence = joined([follows(PLAIN, "torch", None, off=0.5)], [PLAIN])
    [picture] = show_differences(trainers, evidence)[0].pictures
    assert [(), ("torch",)] == [item.names for item in picture.drawn]
