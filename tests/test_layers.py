"""The floors: each module imports only those below its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import conformance

PACKAGE = Path(conformance.__file__).parent

FRAMEWORKS = ("accelerate", "fabric", "ignite", "lightning", "numpy", "torch")
ADAPTERS = {f"adapters.{name}" for name in FRAMEWORKS}
WAYS = {
    f"adapters.ways.{name}"
    for name in (
        "aot_eager",
        "aten",
        "autocast",
        "checkpoint",
        "double_backward",
        "export",
        "forward_ad",
        "func_grad",
        "func_hessian",
        "func_jacrev",
        "func_jvp",
        "func_vmap",
        "inductor",
        "module",
    )
}
FRAMEWORK_ADAPTERS = {
    f"adapters.frameworks.{name}"
    for name in (
        "jax",
        "jax_jit",
        "keras_jax",
        "keras_tensorflow",
        "keras_torch",
        "lucid",
        "lucid_module",
        "mlx",
        "onnxruntime",
        "onnxruntime_softplus",
        "paddle",
        "sklearn",
        "tensorflow",
        "tensorflow_xla",
        "tinygrad",
    )
}
JOBS = {f"adapters.jobs.{name}" for name in FRAMEWORKS}
FLOORS = [
    {
        "conformance",
        "errors",
        "floats",
        "glossary",
        "jobs",
        "layouts",
        "model",
        "operations",
        "option_help",
        "results",
        "ulps",
        "wording",
    },
    {
        "adapters._devices",
        "adapters.base",
        "arrays",
        "bounds",
        "casefile",
        "comparison",
        "corpus",
        "deviations",
        "document",
        "entries",
        "expectations",
        "files",
        "following",
        "grading",
        "history",
        "job_bounds",
        "jobentries",
        "ledgers",
        "loops",
        "merging",
        "mixing",
        "networks",
        "nodes",
        "optimizers",
        "proposals",
        "records",
        "rounding",
        "varying",
        "verdicts",
        "writing",
    },
    {
        "adapters._refusals",
        "adapters._torch",
        "adapters._trainer",
        "adapters.frameworks",
        "adapters.frameworks._jax",
        "adapters.frameworks._keras",
        "adapters.frameworks._tensorflow",
        "adapters.frameworks._lucid",
        "adapters.frameworks._onnx",
        "adapters.jobs",
        "adapters.jobs._loaders",
        "adapters.jobs._processes",
        "adapters.jobs._torch",
        "adapters.ways",
        "adapters.ways._batches",
        "adapters.ways._compiled",
        "adapters.ways._func",
        "adapters.ways._pushforward",
        "adapters.ways._reverse",
        "adapters.ways._way",
        "workers",
        "workers.adapter",
        "workers.messages",
        "workers.pipes",
        "workers.process",
        "workers.wire",
    },
    {"adapters.jobs._ranks"},
    JOBS,
    ADAPTERS
    | WAYS
    | FRAMEWORK_ADAPTERS
    | {f"adapters.jobs._ranks_{name}" for name in ("ignite", "lightning", "torch")},
    {"adapters", "apart", "asking", "plan", "runner", "workers.serve"},
    {"report"},
    {
        "answered",
        "bench",
        "check",
        "cli",
        "commands",
        "completion",
        "conftest",
        "fill",
        "outcome",
        "recording",
        "smoke",
        "smoke.checks",
        "smoke.easy",
        "smoke.judging",
        "smoke.slips",
        "spreading",
        "stash",
        "test_agreement",
        "test_job_agreement",
        "test_jobs",
        "test_loss",
    },
]
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "conformance"


def place_of(name: str) -> str:
    """A package that stands on one floor as a whole, or the module."""
    return name.partition(".")[0] if name.startswith(("commands", "report", "truth")) else name


def imports(path: Path) -> set[str]:
    """Names of the package's modules that a module imports, those for types included."""
    known = {name_of(other) for other in MODULES}
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("conformance"):
            base = (node.module or "").removeprefix("conformance").lstrip(".")
            for alias in node.names:
                whole = f"{base}.{alias.name}".lstrip(".")
                found.add(whole if whole in known else base or "conformance")
    return found - {name_of(path)}


def floor_of(name: str) -> int:
    place = place_of(name)
    (floor,) = [index for index, names in enumerate(FLOORS) if place in names]
    return floor


@pytest.mark.parametrize(
    "path", [path for path in MODULES if place_of(name_of(path)) != "truth"], ids=name_of
)
def test_a_module_imports_only_from_floors_below_or_its_own(path: Path) -> None:
    name = name_of(path)
    above = {
        other
        for other in imports(path) - {"conformance"}
        if place_of(other) != "truth" and floor_of(other) > floor_of(name)
    }
    assert set() == above


def test_the_oracle_is_imported_only_where_answers_are_made() -> None:
    users = {
        name_of(path)
        for path in MODULES
        if place_of(name_of(path)) != "truth"
        and any(place_of(other) == "truth" for other in imports(path))
    }
    assert {"check", "fill"} == users


def test_the_oracle_stands_on_the_ground_floor() -> None:
    ground = FLOORS[0]
    for path in MODULES:
        if place_of(name_of(path)) == "truth":
            others = {other for other in imports(path) if place_of(other) != "truth"}
            assert others <= ground, name_of(path)


def test_an_adapter_imports_no_other() -> None:
    for names in (ADAPTERS | WAYS | FRAMEWORK_ADAPTERS, JOBS):
        for path in MODULES:
            if name_of(path) in names:
                assert set() == imports(path) & names


def test_the_report_needs_neither_adapters_nor_the_runner() -> None:
    for path in MODULES:
        if place_of(name_of(path)) == "report":
            assert {
                "errors",
                "files",
                "floats",
                "glossary",
                "history",
                "jobs",
                "layouts",
                "model",
                "operations",
                "records",
                "results",
                "ulps",
                "varying",
                "wording",
            } >= {other for other in imports(path) if place_of(other) != "report"}, name_of(path)


def test_every_module_begins_with_a_sentence() -> None:
    for path in MODULES:
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        assert doc.partition("\n\n")[0].endswith("."), name_of(path)


def test_no_file_grows_beyond_its_purpose() -> None:
    long = [name_of(path) for path in MODULES if path.read_text("utf-8").count("\n") > 340]
    assert [] == long
