"""Writes the lines of PyTorch that every trainer's script has in common: data, model, loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conformance.report.literals import comment, tensor_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.jobs import Job, Optimizer
    from conformance.model import Case


class Line(NamedTuple):
    """A line of a script, with the families of policies for which it is the one that matters."""

    text: str
    families: str = ""


_FLOATS = {"16": "float16", "bf16": "bfloat16", "32": "float32", "64": "float64"}

SHOW_PARAMETERS = Line(
    'print("parameters", nn.utils.parameters_to_vector(model.parameters()).tolist())'
)
"""What every training prints at its end."""

_SHAPED = {
    "last": ("Squeezed", "outputs.squeeze(-1)"),
    "all": ("Squeezed", "outputs.squeeze()"),
    "first": ("Transposed", "outputs.T"),
}


def data_lines(case: Case, job: Job, dtype: str, imports: Iterable[str]) -> Iterator[Line]:
    """Imports, then ``features``, ``targets``, ``model`` and ``criterion``."""
    yield Line(comment(case.id))
    for name in imports:
        yield Line(name)
    yield Line("import torch")
    yield Line("from torch import nn")
    yield Line("from torch.utils.data import DataLoader")
    yield Line("")
    if job.shuffle is not None:
        yield Line(f"torch.manual_seed({job.shuffle})")
    yield Line(f"dtype = torch.{dtype}")
    for name in ("features", "targets", "parameters", "weight", "pos_weight"):
        if name in case.inputs:
            own = case.input_dtypes.get(name)
            kind = f"torch.{own}" if own else "dtype"
            yield from map(Line, f"{name} = {tensor_text(case.inputs[name], kind)}".splitlines())
    yield from _model_lines(case, job)
    yield Line("nn.utils.vector_to_parameters(parameters, model.parameters())")
    if job.left_in_eval:
        yield Line("model.eval()", "mode")
    if case.operation != "predict":
        name = "BCELoss" if job.loss == "bce" else "BCEWithLogitsLoss"
        given = [f"{key}={key}" for key in ("weight", "pos_weight") if key in case.inputs]
        arguments = ", ".join([*given, f'reduction="{case.reduction}"'])
        yield Line(f"criterion = nn.{name}({arguments})")


def _model_lines(case: Case, job: Job) -> Iterator[Line]:
    channels, classes, hidden = case.inputs["features"].shape[1], job.classes, job.hidden
    layers = {
        "mlp": [f"nn.Linear({channels}, {hidden})", "nn.Tanh()"],
        "conv": [
            f"nn.Conv2d({channels}, {hidden}, 3)",
            "nn.Tanh()",
            "nn.AdaptiveAvgPool2d(1)",
            "nn.Flatten()",
        ],
        "dropout_linear": ["nn.Dropout(1.0)"],
    }.get(job.model.removesuffix("_sigmoid"), [])
    layers = [*layers, f"nn.Linear({hidden or channels}, {classes})"]
    layers += ["nn.Sigmoid()"] if job.loss == "bce" else []
    shaped = "first" if job.classes_first else job.squeeze
    if shaped is not None:
        name, expression = _SHAPED[shaped]
        yield Line(f"class {name}(nn.Module):")
        yield Line("    def forward(self, outputs):")
        yield Line(f"        return {expression}")
        yield Line("")
        layers.append(f"{name}()")
    whole = len(layers) == 1
    yield Line(f"model = {layers[0]}" if whole else f"model = nn.Sequential({', '.join(layers)})")


def batch_lines(case: Case, job: Job) -> Iterator[Line]:
    """``batches``: a loader of pairs, or of features where a prediction has no targets."""
    predicts = case.operation == "predict"
    if job.shuffle is not None:
        size = job.batches[0]
        yield Line("pairs = list(zip(features, targets))")
        yield Line(f"batches = DataLoader(pairs, batch_size={size}, shuffle=True)")
        return
    sizes = list(job.batches)
    yield Line(f"sizes = {sizes}")
    if predicts:
        yield Line("batches = DataLoader(features.split(sizes), batch_size=None)")
        return
    targets = "[y.T for y in targets.split(sizes)]" if job.classes_first else "targets.split(sizes)"
    yield Line(f"pairs = list(zip(features.split(sizes), {targets}))")
    yield Line("batches = DataLoader(pairs, batch_size=None)")


def validation_lines(job: Job) -> Iterator[Line]:
    """``validation``: a loader of the first samples, one in a batch."""
    if job.validation:
        first = f"list(zip(features[:{job.validation}], targets[:{job.validation}]))"
        yield Line(f"validation = DataLoader({first})")


def optimizer_text(optimizer: Optimizer | None) -> str:
    """An expression of the optimizer over all parameters of ``model``."""
    if optimizer is None:
        return "None"
    name = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}[optimizer.name]
    given = [f"lr={optimizer.lr}"]
    if optimizer.name == "sgd":
        given += [f"momentum={optimizer.momentum}"] if optimizer.momentum else []
        given += ["nesterov=True"] if optimizer.nesterov else []
    else:
        given += [f"betas={optimizer.betas}", f"eps={optimizer.eps}"]
    if optimizer.weight_decay or optimizer.name == "adamw":
        given.append(f"weight_decay={optimizer.weight_decay}")
    return f"torch.optim.{name}(model.parameters(), {', '.join(given)})"


def probability_text(job: Job, call: str = "model") -> str:
    """An expression of the probabilities of a batch ``x``: the mean over the views of the job."""
    flips = {"identity": "x", "flip_last": "x.flip(-1)", "flip_rows": "x.flip(-2)"}
    sigmoid = "" if job.loss == "bce" else ".sigmoid()"
    if job.views == ("identity",):
        return f"{call}(x){sigmoid}"
    views = ", ".join(flips[view] for view in job.views)
    return f"torch.stack([{call}(view){sigmoid} for view in [{views}]]).mean(0)"


def dtype_of(job: Job) -> str:
    """The dtype that the precision of a job names; "" where it is left alone."""
    return _FLOATS.get((job.precision or "").partition("-")[0], "")


def cast_of(job: Job) -> str:
    """The dtype to which a loop has to cast by itself, as text; "" for none."""
    return f"torch.{dtype_of(job)}" if (job.precision or "").endswith("-true") else ""


def autocast_of(job: Job) -> str:
    """The context in which a loop has to compute, as text; "" for none."""
    mixed = (job.precision or "").endswith("-mixed")
    return f'torch.autocast("cpu", dtype=torch.{dtype_of(job)})' if mixed else ""


def cast_lines(job: Job, *, loss: bool = True) -> Iterator[Line]:
    """The model, and the loss, in the dtype that a "true" precision names."""
    if cast := cast_of(job):
        yield Line(f"model.to({cast})", "precision")
        if loss:
            yield Line(f"criterion.to({cast})")


def decision_lines(outputs: str) -> Iterator[Line]:
    """The probabilities of all batches, and what is decided on each."""
    yield Line(f"predicted = torch.cat({outputs})", "views")
    yield Line('print("predicted", predicted.tolist())')
    yield Line('print("decisions", (predicted > 0.5).tolist())', "half")
