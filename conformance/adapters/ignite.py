"""PyTorch Ignite: a real Engine from create_supervised_trainer, one run for a whole group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ignite.engine import Events, create_supervised_trainer

from conformance.adapters._trainer import Holder, Steps, TrainerBased
from conformance.adapters.jobs import ignite as ignite_jobs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    import torch

    from conformance.model import Answer, Computed, Question


class IgniteAdapter(TrainerBased):
    """Each batch is one question; the model's only parameter is the question's input."""

    name: ClassVar[str] = "ignite"
    distributions: ClassVar[tuple[str, ...]] = ("torch", "pytorch-ignite")
    jobs: ClassVar[ModuleType | None] = ignite_jobs

    def evaluate(self, question: Question) -> Computed:
        """Answer with a run of its own."""
        return _run([question], keep_going=False).only()

    def evaluate_all(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer with one run over all questions."""
        return _run(questions, keep_going=True).answers


def _run(questions: Sequence[Question], *, keep_going: bool) -> Steps:
    steps = Steps(keep_going=keep_going)
    model = Holder(questions[0])

    def prepare_batch(question: Question, **_: Any) -> tuple[None, torch.Tensor]:
        return None, steps.begin(model.load(question))

    trainer = create_supervised_trainer(
        model,
        model.optimizer,
        steps.criterion,
        prepare_batch=prepare_batch,
    )
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: steps.finish(model.value))
    state = trainer.run(questions, max_epochs=1)
    steps.check_count("Ignite", state.iteration, len(questions))
    return steps
