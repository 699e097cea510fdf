"""Says in words what a scenario's job is."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from conformance.jobs import OPTIONS, Job, Optimizer

if TYPE_CHECKING:
    from conformance.model import Case

_MODELS = {
    "linear": "linear",
    "linear_sigmoid": "linear, sigmoid",
    "mlp": "linear to {hidden}, tanh, linear",
    "mlp_sigmoid": "linear to {hidden}, tanh, linear, sigmoid",
    "conv": "{hidden} kernels of 3 x 3, tanh, mean over the image, linear",
    "dropout_linear": "dropout of everything, linear",
}
_VERBS = {"train": "trains", "evaluate": "evaluates", "predict": "predicts"}


def job_words(case: Case) -> list[tuple[str, str]]:
    """What is done and with which settings, each with its name; empty for a loss."""
    job = case.job
    if job is None:
        return []
    model = _MODELS[job.model].format(hidden=job.hidden)
    classes = "1 output" if job.classes == 1 else f"{job.classes} outputs"
    words = [("job", f"{_VERBS[case.operation]} a model: {model}; {classes}")]
    if case.operation != "predict":
        words.append(("loss", f"{job.loss}, {case.reduction}"))
    words.append(("batches", _batches(job)))
    if job.epochs > 1:
        words.append(("epochs", str(job.epochs)))
    if job.optimizer is not None:
        words.append(("optimizer", _optimizer(job.optimizer)))
    return words + _options(job)


def _batches(job: Job) -> str:
    if job.sampler_batch is not None:
        return f"shared out by a sampler between 2 processes, {job.sampler_batch} in a batch"
    if job.shards:
        shares = (" + ".join(map(str, sizes)) for sizes in job.shards)
        parts = (f"process {rank}: {share}" for rank, share in enumerate(shares))
        return f"{'; '.join(parts)} samples"
    return f"{' + '.join(map(str, job.batches))} samples"


def _optimizer(optimizer: Optimizer) -> str:
    defaults = Optimizer(name=optimizer.name, lr=optimizer.lr)
    given = [
        f"{item.name} {getattr(optimizer, item.name)}"
        for item in fields(Optimizer)
        if item.name not in ("name", "lr")
        and getattr(optimizer, item.name) != getattr(defaults, item.name)
    ]
    return ", ".join([optimizer.name, f"lr {optimizer.lr}", *given])


def _options(job: Job) -> list[tuple[str, str]]:
    """What it asks for beyond the defaults."""
    defaults = Job()
    found = []
    for item in fields(Job):
        value = getattr(job, item.name)
        if item.name not in OPTIONS or value == getattr(defaults, item.name):
            continue
        if item.name == "trainer_arguments":
            text = ", ".join(f"{name}={given!r}" for name, given in value.items())
        elif isinstance(value, bool):
            text = "yes" if value else "no"
        else:
            text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        found.append((item.name.replace("_", " "), text))
    return found
