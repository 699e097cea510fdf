"""Tests of the jobs of raw PyTorch, and of the parts that all jobs on PyTorch share."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from job_questions import SIZES, ask, by_formula  # noqa: E402

from conformance.adapters.jobs import _torch as parts  # noqa: E402
from conformance.adapters.jobs.torch import OPTIONS, evaluate, predict, train  # noqa: E402
from conformance.jobs import OPTIONS as ALL  # noqa: E402
from conformance.jobs import Job, Optimizer, parameter_shapes  # noqa: E402

SHAPES = {"conv": (75, 2, 5, 4)}
MODELS = {
    "linear": {},
    "linear_sigmoid": {},
    "mlp": {"hidden": 3},
    "mlp_sigmoid": {"hidden": 3},
    "conv": {"hidden": 3},
    "dropout_linear": {},
}
BATCH_LOSSES = ("losses", "parameters", "logged")


def softplus(x):
    return np.logaddexp(0, x)


@pytest.mark.parametrize(
    ("accumulate", "epochs", "reduction", "steps"),
    [(1, 2, "mean", 20), (4, 1, "mean", 3), (4, 2, "mean", 6), (3, 2, "mean", 8), (4, 2, "sum", 6)],
)
def test_a_window_is_divided_by_its_full_length_and_ends_with_the_epoch(
    accumulate, epochs, reduction, steps
):
    question = ask(dtype="float64", accumulate=accumulate, epochs=epochs, reduction=reduction)
    losses, parameters = by_formula(question, carried=False)

    answer = train(question).outputs

    assert steps == len(answer["parameters"])
    np.testing.assert_allclose(answer["losses"], losses, rtol=1e-12)
    np.testing.assert_allclose(answer["parameters"], parameters, rtol=1e-11)


@pytest.mark.parametrize("model", MODELS)
def test_parameters_are_in_the_order_of_their_definition(model):
    question = ask(model=model, classes=2, shape=SHAPES.get(model, (75, 4)), **MODELS[model])

    made = parts.make_model(question)

    shapes = [
        shape for _, shape in parameter_shapes(question.job, question.inputs["features"].shape)
    ]
    assert shapes == [tuple(parameter.shape) for parameter in made.parameters()]
    assert np.array_equal(question.inputs["parameters"], parts.flat(made))


def test_a_perceptron_is_linear_then_tanh_then_linear():
    question = ask("predict", model="mlp_sigmoid", hidden=3, classes=2, dtype="float64")
    w, b, v, c = np.split(question.inputs["parameters"], [12, 15, 21])
    hidden = np.tanh(question.inputs["features"] @ w.reshape(3, 4).T + b)

    answer = predict(question).outputs["predicted"]

    np.testing.assert_allclose(answer, 1 / (1 + np.exp(-hidden @ v.reshape(2, 3).T - c)))


def test_a_convolution_is_averaged_over_the_image():
    question = ask("predict", model="conv", hidden=3, shape=(75, 2, 5, 4), dtype="float64")
    w, b, v, c = np.split(question.inputs["parameters"], [54, 57, 60])
    windows = np.lib.stride_tricks.sliding_window_view(question.inputs["features"], (3, 3), (2, 3))
    images = np.tanh(np.einsum("nchwij,kcij->nhwk", windows, w.reshape(3, 2, 3, 3)) + b)

    answer = predict(question).outputs["predicted"]

    np.testing.assert_allclose(answer[:, 0], 1 / (1 + np.exp(-images.mean((1, 2)) @ v - c)))


@pytest.mark.parametrize(
    "settings",
    [
        Optimizer(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        Optimizer(name="adam", lr=0.1, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.01),
        Optimizer(name="adamw", lr=0.1, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.01),
    ],
    ids=lambda settings: settings.name,
)
def test_an_optimizer_has_all_its_settings(settings):
    optimizer = parts.make_optimizer(settings, torch.nn.Linear(2, 1))

    names = ["momentum", "nesterov"] if settings.name == "sgd" else ["betas", "eps"]
    assert settings.name == type(optimizer).__name__.lower()
    for name in ("lr", "weight_decay", *names):
        assert getattr(settings, name) == optimizer.defaults[name]


def test_the_loss_has_its_weights():
    weight, positive = np.array([2.0, 3.0]), np.array([0.5, 4.0])
    question = ask(
        classes=2,
        dtype="float64",
        reduction="sum",
        inputs={"weight": weight, "pos_weight": positive},
    )
    first = parts.make_model(question)(torch.tensor(question.inputs["features"][:8]))
    x, t = first.detach().numpy(), question.inputs["targets"][:8]

    loss = train(question).outputs["losses"][0]

    terms = weight * (positive * t * softplus(-x) + (1 - t) * softplus(x))
    np.testing.assert_allclose(loss, terms.sum(), rtol=1e-13)


def test_batches_own_their_memory():
    features, targets = list(parts.loader(ask()))[1]

    assert (0, 0) == (features.storage_offset(), targets.storage_offset())
    assert 32 == features.untyped_storage().nbytes() // features.element_size()


def test_the_loss_logged_is_the_mean_of_the_batches():
    answer = train(ask(outputs=BATCH_LOSSES, dtype="float64", epochs=2)).outputs

    np.testing.assert_allclose(answer["logged"], answer["losses"].reshape(2, -1).mean(1))


@pytest.mark.parametrize("classes_first", [False, True])
def test_the_loss_evaluated_is_the_mean_of_the_batches(classes_first):
    question = ask("evaluate", dtype="float64", classes=2, classes_first=classes_first)
    logits = parts.make_model(question)(torch.tensor(question.inputs["features"])).detach().numpy()
    terms = softplus(logits) - question.inputs["targets"] * logits

    loss = evaluate(question).outputs["epoch_loss"]

    ends = np.cumsum(SIZES)[:-1]
    np.testing.assert_allclose(loss, np.mean([part.mean() for part in np.split(terms, ends)]))
    assert abs(loss - terms.mean()) > 1e-3


def test_the_norm_of_a_gradient_is_clipped():
    question = ask(dtype="float64", clip_norm=0.01, optimizer=Optimizer(lr=1.0))
    steps = np.diff(train(question).outputs["parameters"], axis=0)

    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), 0.01, rtol=1e-3)


def test_the_elements_of_a_gradient_are_clipped():
    question = ask(dtype="float64", clip_value=0.01, optimizer=Optimizer(lr=1.0))
    steps = np.diff(train(question).outputs["parameters"], axis=0)

    np.testing.assert_allclose(np.abs(steps).max(), 0.01, rtol=1e-12)


def test_a_last_batch_of_one_trains_where_the_last_dimension_is_squeezed():
    answer = train(ask(squeeze="last", shape=(65, 4), batches=(8,) * 8 + (1,))).outputs

    assert 9 == len(answer["parameters"])


def test_a_last_batch_of_one_fails_where_every_dimension_is_squeezed():
    with pytest.raises(ValueError, match="Target size"):
        train(ask(squeeze="all", shape=(65, 4), batches=(8,) * 8 + (1,)))


def test_integer_labels_fail_and_float_ones_train():
    ten = {"model": "mlp_sigmoid", "hidden": 3, "classes": 10}
    labels = np.eye(10)[np.arange(75) % 10]

    with pytest.raises(RuntimeError, match="Long"):
        train(ask(inputs={"targets": labels.astype(np.int64)}, **ten))
    answer = train(ask(inputs={"targets": labels.astype(np.float32)}, **ten)).outputs
    assert answer["losses"][-1] < answer["losses"][0]


def test_a_model_left_in_evaluation_mode_is_trained_in_training_mode():
    question = ask(model="dropout_linear", left_in_eval=True)

    steps = train(question).outputs["parameters"]

    # With everything dropped, only the bias has a gradient.
    assert (question.inputs["parameters"][:-1] == steps[:, :-1]).all()
    assert question.inputs["parameters"][-1] != steps[-1, -1]


def test_validation_is_counted_and_changes_only_what_is_shuffled():
    asked = ("validated", "drift")

    kept = train(ask(validation=5, epochs=2, outputs=asked)).outputs
    shuffled = train(ask(validation=5, epochs=2, shuffle=1, outputs=asked)).outputs

    assert (10, 0) == (kept["validated"], kept["drift"])
    # PyTorch's DataLoader draws from the global generator whenever it is gone through.
    assert 10 == shuffled["validated"]
    assert shuffled["drift"] > 1e-3


def test_a_shuffle_depends_on_its_seed_and_leaves_the_generator_alone():
    before = torch.random.get_rng_state()

    one, again, other = (train(ask(shuffle=seed)).outputs["losses"] for seed in (1, 1, 2))

    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("16-true", "float16"), ("bf16-true", "bfloat16"), ("64-true", "float64")],
)
def test_true_precision_casts_everything(precision, dtype):
    answer = train(ask(precision=precision)).outputs

    assert (dtype, dtype) == (answer["losses"].dtype.name, answer["parameters"].dtype.name)


@pytest.mark.parametrize("precision", ["16-mixed", "bf16-mixed"])
def test_mixed_precision_keeps_the_parameters(precision):
    answer, full = train(ask(precision=precision)).outputs, train(ask()).outputs

    assert "float32" == answer["parameters"].dtype.name
    np.testing.assert_allclose(answer["parameters"], full["parameters"], atol=0.02)
    assert not np.array_equal(answer["parameters"], full["parameters"])


def test_a_half_is_not_positive():
    answer = predict(ask("predict", inputs={"parameters": np.zeros(5, np.float32)})).outputs

    assert (0.5 == answer["predicted"]).all()
    assert not answer["decisions"].any()


def test_views_are_averaged_as_probabilities():
    views = ("identity", "flip_last", "flip_rows")
    conv = {"model": "conv", "hidden": 3, "shape": (7, 2, 5, 4), "batches": (4, 3)}
    question = ask("predict", dtype="float64", views=views, **conv)
    features = question.inputs["features"]
    flips = (features, features[..., ::-1].copy(), features[..., ::-1, :].copy())

    each = [predict(ask("predict", dtype="float64", inputs={"features": f}, **conv)) for f in flips]
    answer = predict(question).outputs["predicted"]

    np.testing.assert_allclose(answer, np.mean([e.outputs["predicted"] for e in each], 0))


def test_a_squeezed_prediction_has_one_dimension():
    answer = predict(ask("predict", squeeze="last")).outputs

    assert ((75,), (75,)) == (answer["predicted"].shape, answer["decisions"].shape)


@pytest.mark.parametrize(
    ("done", "due"), [((3, 2), (2, 2)), ((2, 2), (2, 1)), ((2, 0), (2, 1)), ((0, 0), (0, 0))]
)
def test_a_run_of_another_length_or_of_none_is_refused(done, due):
    (batches, steps), (batches_due, steps_due) = done, due
    record = parts.Record()
    record.losses = [0.5] * batches
    record.parameters = [np.zeros(1)] * steps

    with pytest.raises(RuntimeError, match=f"it took {steps} steps over {batches} batches"):
        record.check("it", batches=batches_due, steps=steps_due)


def test_what_is_taken_are_options_of_jobs():
    assert OPTIONS < ALL | {"processes"}
    assert Job().options <= OPTIONS


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no CUDA device")
def test_a_job_runs_on_cuda():
    np.testing.assert_allclose(
        train(ask(device="cuda")).outputs["parameters"],
        train(ask()).outputs["parameters"],
        rtol=1e-4,
    )
