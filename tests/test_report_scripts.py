from __future__ import annotations

import ast
import dataclasses
import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from report_jobs import SGD, TARGETS, scenario

from conformance.jobs import Job, Optimizer
from conformance.report.trainer_snippets import trainer_snippet

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.model import Case

NEEDED = {
    "torch": "torch",
    "ignite": "ignite",
    "lightning": "pytorch_lightning",
    "fabric": "lightning_fabric",
    "accelerate": "accelerate",
}
LOOPS = ("torch", "fabric", "accelerate")
"""Those that leave the loop, and so the mean over an epoch, to their user."""
POLICIES = ("window_by_samples", "window_by_length_stepped", "window_by_length_carried")
WINDOW = scenario(
    "training/window/short",
    Job(batches=(2, 2, 2, 1), accumulate=3, epochs=2, optimizer=SGD),
    policies=POLICIES,
)
LOGGED = scenario(
    "training/logged/uneven",
    Job(batches=(3, 3, 1), optimizer=Optimizer(name="adamw", lr=0.125, weight_decay=0.5)),
    outputs=("parameters", "logged"),
    policies=("epoch_by_samples", "epoch_by_batches", "epoch_running_098"),
)
EPOCH = scenario(
    "evaluation/epoch/transposed",
    Job(batches=(3, 3, 1), classes_first=True),
    operation="evaluate",
    policies=("epoch_by_samples", "epoch_by_batches"),
)
UNEVEN = scenario(
    "evaluation/epoch/uneven",
    Job(batches=(3, 3, 1)),
    operation="evaluate",
    policies=("epoch_by_samples", "epoch_by_batches"),
)
VIEWS = scenario(
    "prediction/views/flip",
    Job(batches=(4, 3), views=("identity", "flip_last")),
    operation="predict",
    outputs=("predicted", "decisions"),
    policies=("views_by_probabilities", "views_by_logits"),
)
SQUEEZED = scenario(
    "training/squeeze/conv",
    Job(model="conv", hidden=2, batches=(4, 3), squeeze="last", clip_value=0.25, optimizer=SGD),
    features=np.linspace(-1, 1, 7 * 16).round(6).reshape(7, 1, 4, 4).tolist(),
    targets=[row[0] for row in TARGETS],
    parameters=[0.25, -0.5] * 11 + [0.125],
)
FOLLOWED = {
    **{(adapter, WINDOW.id): "window_by_length_stepped" for adapter in (*LOOPS, "lightning")},
    ("ignite", WINDOW.id): "window_by_length_carried",
    **{(adapter, LOGGED.id): "epoch_by_batches" for adapter in LOOPS},
    ("ignite", LOGGED.id): "epoch_running_098",
    ("lightning", LOGGED.id): "epoch_by_samples",
    **{(adapter, EPOCH.id): "epoch_by_batches" for adapter in ("torch", "fabric", "ignite")},
    ("lightning", EPOCH.id): "epoch_by_samples",
    **{(adapter, UNEVEN.id): "epoch_by_batches" for adapter in ("torch", "fabric")},
}
"""What each does by default: Ignite counts labels laid out [classes, batch] by their classes."""

RUNNER = """
import runpy, sys, warnings
warnings.simplefilter("ignore")
for path in sys.argv[1:]:
    print("script", path)
    runpy.run_path(path)
"""


def source(asked: Case, adapter: str, dtype: str = "float64") -> str:
    snippet = trainer_snippet(asked, adapter, dtype)
    assert snippet is not None
    return snippet.script


def truth(asked: Case, adapter: str, name: str) -> list[float]:
    """What the last line of a script prints of an output: of parameters, those of the last step."""
    assert asked.expected is not None
    known = asked.expected.alternatives
    policy = FOLLOWED.get((adapter, asked.id), known[0].policy)
    [found] = [item.outputs[name] for item in known if item.policy == policy]
    values = [float(text) for text in found.values]
    return values[-found.shape[-1] :] if name == "parameters" else values


@pytest.mark.parametrize("adapter", NEEDED)
def test_scripts_do_in_a_fresh_process_what_their_trainer_is_known_for(
    adapter: str, tmp_path: Path
) -> None:
    if importlib.util.find_spec(NEEDED[adapter]) is None:
        pytest.skip(f"{NEEDED[adapter]} is not installed")
    # Ignite's own trainer has no place to clip, and Accelerate gathers along samples.
    lacking = {"ignite": [SQUEEZED], "accelerate": [EPOCH]}.get(adapter, [])
    cases = [WINDOW, LOGGED, EPOCH, UNEVEN, VIEWS, SQUEEZED]
    assert lacking == [
        asked for asked in cases if trainer_snippet(asked, adapter, "float64") is None
    ]
    cases = [asked for asked in cases if asked not in lacking]
    paths = [tmp_path / f"script_{index}.py" for index in range(len(cases))]
    for asked, path in zip(cases, paths, strict=True):
        path.write_text(source(asked, adapter), encoding="utf-8")
    command = [sys.executable, "-c", RUNNER, *map(str, paths)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert 0 == done.returncode, done.stderr
    parts = done.stdout.split("script ")[1:]
    for asked, part in zip(cases, parts, strict=True):
        printed = dict(line.split(" ", 1) for line in part.splitlines()[1:])
        for name in asked.outputs:
            if name != "losses":
                value = np.ravel(ast.literal_eval(printed[name]))
                # Ignite's Loss adds up in PyTorch's default dtype, whatever that of the losses.
                rel = 1e-6 if (adapter, name) == ("ignite", "epoch_loss") else 1e-9
                assert pytest.approx(truth(asked, adapter, name), rel=rel) == value.tolist()


@pytest.mark.parametrize(
    ("adapter", "family", "expected"),
    [
        ("torch", "window", ["(loss / 3).backward()", "optimizer.step()"]),
        ("fabric", "window", ["fabric.backward(loss / 3)", "optimizer.step()"]),
        ("accelerate", "window", ["gradient_accumulation_steps=3", "accelerator.backward(loss)"]),
        ("ignite", "window", ["gradient_accumulation_steps=3"]),
        ("lightning", "window", ["accumulate_grad_batches=3"]),
        ("lightning", "epoch", ['self.log("loss", loss, on_step=False, on_epoch=True)']),
        ("ignite", "epoch", ["RunningAverage(output_transform=lambda x: x)"]),
    ],
)
def test_the_lines_that_matter_are_few_and_name_the_setting(
    adapter: str, family: str, expected: list[str]
) -> None:
    snippet = trainer_snippet(WINDOW, adapter, "float32", family)
    assert snippet is not None
    assert all(text in snippet.key for text in expected)
    assert 6 >= len(snippet.key.splitlines())
    assert {line.strip() for line in snippet.key.splitlines()} <= {
        line.strip() for line in snippet.script.splitlines()
    }


def options() -> list[Any]:
    """Jobs that put every option into a script."""
    loss = {"optimizer": SGD, "batches": (4, 3)}
    jobs = [
        Job(**loss, precision="bf16-mixed"),
        Job(**loss, precision="64-true", model="linear_sigmoid"),
        Job(**loss, validation=2, shuffle=3),
        Job(**loss, refit=True, left_in_eval=True, model="dropout_linear"),
        Job(**loss, clip_norm=0.5, accumulate=2),
        Job(**loss, squeeze="all", trainer_arguments={"detect_anomaly": True}),
    ]
    operations = ("train", "evaluate", "predict")
    return [
        pytest.param(job, operation, adapter, id=f"{index}-{operation}-{adapter}")
        for index, job in enumerate(jobs)
        for operation in operations
        for adapter in NEEDED
    ]


UNWORDED = {
    "torch": {"refit", "trainer_arguments"},
    "ignite": {"clip_norm", "trainer_arguments"},
    "lightning": set(),
    "fabric": {"refit", "trainer_arguments"},
    "accelerate": {"refit", "trainer_arguments", "64-true"},
}


@pytest.mark.parametrize(("job", "operation", "adapter"), options())
def test_every_option_makes_a_script_that_is_python_or_none(
    job: Job, operation: str, adapter: str
) -> None:
    asked = dataclasses.replace(WINDOW, job=job, operation=operation)
    snippet = trainer_snippet(asked, adapter, "float32")
    if UNWORDED[adapter] & {*job.options, job.precision}:
        assert snippet is None
        return
    assert snippet is not None
    ast.parse(snippet.script)
    assert max(len(line) for line in snippet.script.splitlines()) <= 110


def test_no_text_of_a_case_becomes_code_of_its_script() -> None:
    evil = dataclasses.replace(WINDOW, id="x\nraise SystemExit\u2028raise SystemExit")
    for adapter in NEEDED:
        statements = ast.parse(source(evil, adapter)).body
        assert len(ast.parse(source(WINDOW, adapter)).body) == len(statements)


def test_arguments_of_a_trainer_stay_texts() -> None:
    job = dataclasses.replace(WINDOW.job, trainer_arguments={"gpus": "') or exit('"})
    tree = ast.parse(source(dataclasses.replace(WINDOW, job=job), "lightning"))
    [given] = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "gpus"
    ]
    assert "') or exit('" == ast.literal_eval(given)


def test_there_is_no_script_of_several_processes_nor_of_an_unknown_trainer() -> None:
    shared = dataclasses.replace(WINDOW, job=Job(shards=((4,), (3,)), optimizer=SGD))
    assert trainer_snippet(shared, "torch", "float32") is None
    assert trainer_snippet(WINDOW, "numpy", "float32") is None
