"""Writes a script that puts the question of a loss to a trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.operations import OPERATIONS
from conformance.report.literals import comment
from conformance.report.snippets import (
    call_text,
    input_lines,
    objective_text,
    print_text,
    truth_lines,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model import Case

_IMPORTS = {
    "ignite": "from ignite.engine import create_supervised_trainer",
    "lightning": "import pytorch_lightning as pl",
}


def loss_script(case: Case, adapter: str, dtype: str) -> str | None:
    """Source that runs as it stands, and prints each output of ``case`` above its truth.

    The model's only parameter, and its prediction, is the first input of the question.

    Args:
        case: A loss.
        adapter: Name of the trainer.
        dtype: Name of the dtype in which it is asked.

    Returns:
        None for an unknown trainer, and for a second derivative, which no trainer takes.
    """
    operation = OPERATIONS[case.operation]
    if adapter not in _IMPORTS or operation.hessian_product in case.outputs:
        return None
    write = {"ignite": _ignite_lines, "lightning": _lightning_lines}[adapter]
    lines = [
        comment(case.id),
        "import torch",
        "import torch.nn.functional as F",
        _IMPORTS[adapter],
        *(["from torch.utils.data import DataLoader"] if adapter == "lightning" else []),
        "",
        *input_lines(case, dtype),
        "",
        *write(case, operation.inputs[0]),
    ]
    for name in case.outputs:
        if name in operation.gradients:
            of = operation.gradients[name]
            source = f"model.{of}.grad" if of == operation.inputs[0] else f"{of}.grad"
            lines += [print_text(case, name, source), *truth_lines(case, name)]
    return "\n".join(lines) + "\n"


def _parameter_lines(case: Case, first: str) -> Iterator[str]:
    # An optimizer cannot write to elements that share their memory.
    own = ".clone()" if case.layout.get(first) == "expanded" else ""
    yield "    def __init__(self):"
    yield "        super().__init__()"
    yield f"        self.{first} = torch.nn.Parameter({first}.detach(){own})"
    yield ""


def _loss_lines(case: Case) -> Iterator[str]:
    """The body of the function that computes the loss."""
    if "loss" in case.outputs:
        yield f"    {print_text(case, 'loss', 'loss')}"
        yield from (f"    {line}" for line in truth_lines(case, "loss"))
    yield f"    return {objective_text(case)}"


def _ignite_lines(case: Case, first: str) -> Iterator[str]:
    yield "class Model(torch.nn.Module):"
    yield from _parameter_lines(case, first)
    yield "    def forward(self, _):"
    yield f"        return self.{first}"
    yield ""
    yield f"def criterion({first}, targets):"
    yield f"    loss = {call_text(case)}"
    yield from _loss_lines(case)
    yield ""
    yield "model = Model()"
    yield "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)"
    yield "trainer = create_supervised_trainer("
    yield "    model, optimizer, criterion, prepare_batch=lambda batch, **_: (None, batch)"
    yield ")"
    yield "trainer.run([targets], max_epochs=1)"


def _lightning_lines(case: Case, first: str) -> Iterator[str]:
    yield "class Model(pl.LightningModule):"
    yield from _parameter_lines(case, first)
    yield "    def training_step(self, targets):"
    yield f"        {first} = self.{first}"
    yield f"        loss = {call_text(case)}"
    yield from (f"    {line}" for line in _loss_lines(case))
    yield ""
    yield "    def configure_optimizers(self):"
    yield "        return torch.optim.SGD(self.parameters(), lr=0.1)"
    yield ""
    yield "model = Model()"
    yield "trainer = pl.Trainer("
    yield '    accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False,'
    yield "    enable_progress_bar=False, enable_model_summary=False,"
    yield ")"
    yield "trainer.fit(model, DataLoader([targets], batch_size=None))"
