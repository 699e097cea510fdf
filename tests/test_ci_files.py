"""The files for continuous integration: what they name exists, what they say runs."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from running import TESTS

from conformance.adapters import WAYS, expand
from conformance.cli import build_parser
from conformance.commands import _common as codes
from conformance.history import read_history
from conformance.records import read_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = TESTS.parent
GUIDE = (ROOT / "docs" / "ci.md").read_text("utf-8")
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
WORKFLOW = BLOCKS[0]["jobs"]


def steps(*lists: Sequence[dict[str, Any]]) -> list[str]:
    """The scripts of some jobs."""
    return [step["run"] for found in lists for step in found if "run" in step]


def commands() -> list[list[str]]:
    """The arguments of every bce-conformance that the files run."""
    jobs = [job["steps"] for block in BLOCKS for job in block.get("jobs", {}).values()]
    texts = [*steps(*jobs, ACTION["runs"]["steps"]), *re.findall(r"`(bce-conformance .*?)`", GUIDE)]
    found = []
    for line in "\n".join(texts).splitlines():
        words = shlex.split(line.partition(" || ")[0], comments=True)
        programs = [word.rpartition("/")[2] for word in words]
        if "bce-conformance" in programs and len(words) > 1:
            found.append(words[programs.index("bce-conformance") + 1 :])
    return [words for words in found if words and "install" not in words]


def test_every_command_line_is_understood() -> None:
    known = commands()
    assert {"badge", "check", "diff", "merge", "report", "run", "summary"} == {
        words[0] for words in known
    }
    for words in known:
        assert callable(build_parser().parse_args(words).run), words


def test_the_guide_to_the_ways_names_all_and_its_command_lines_are_understood() -> None:
    guide = (ROOT / "docs" / "ways.md").read_text("utf-8")
    told = re.findall(r"`(torch:[a-z0-9_.]+)`", guide.partition("|---")[2].partition("\n\n")[0])
    assert sorted(WAYS) == sorted(told)
    lines = re.findall(r"^    bce-conformance (.*)", guide.replace("\\\n", ""), re.MULTILINE)
    parsed = [build_parser().parse_args(shlex.split(line, comments=True)) for line in lines]
    assert ["torch:*"] == parsed[0].adapter
    assert {"torch", *WAYS} == set(expand(parsed[0].adapter))
    assert any(one.require_cuda and str(one.repeat) == "3" for one in parsed)


def test_the_oldest_torch_that_is_let_in_is_the_one_that_tox_asks() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    [let_in] = extras["optional-dependencies"]["torch"]
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    oldest = tox["testenv:torch-oldest"]
    assert let_in.replace(">=", "==") + ".*" == oldest["deps"]
    assert "torch-oldest" not in tox["tox"]["env_list"]
    # The constraints name another version, and pip would refuse both together.
    assert "PIP_CONSTRAINT =\n" in oldest["set_env"] + "\n"
    options = shlex.split(oldest["commands"])
    assert "torch:*" == options[options.index("--adapter") + 1]


def test_every_input_of_the_action_is_used_and_every_use_is_one() -> None:
    used = set(re.findall(r"inputs\.([a-z-]+)", (ROOT / "action.yml").read_text("utf-8")))
    assert set(ACTION["inputs"]) == used
    (example,) = [
        step
        for block in BLOCKS
        for job in block.get("jobs", {}).values()
        for step in job["steps"]
        if step.get("uses", "").startswith("OWNER/bce-conformance@")
    ]
    assert set(example["with"]) <= set(ACTION["inputs"])


def test_no_text_of_a_user_is_pasted_into_a_script() -> None:
    jobs = [job["steps"] for block in BLOCKS for job in block.get("jobs", {}).values()]
    for script in steps(*jobs, ACTION["runs"]["steps"]):
        assert "${{" not in script


def test_the_jobs_that_ask_give_what_the_third_takes() -> None:
    given = [
        step["with"]
        for name in ("cpu", "cuda")
        for step in WORKFLOW[name]["steps"]
        if "upload-artifact" in step.get("uses", "")
    ]
    (taken,) = [
        step["with"]
        for step in WORKFLOW["report"]["steps"]
        if "download-artifact" in step.get("uses", "")
    ]
    assert all(Path(one["name"]).match(taken["pattern"]) for one in given)
    scripts = "\n".join(steps(WORKFLOW["cpu"]["steps"], WORKFLOW["cuda"]["steps"]))
    for path, one in zip(re.findall(r"--run-file (\S+)", scripts), given, strict=True):
        for left in (path, f"{path}.123.partial", path.replace(".jsonl", "-123.jsonl")):
            assert Path(left).match(one["path"]), left


def test_the_guide_has_every_exit_code() -> None:
    table = GUIDE.partition("## Exit codes")[2]
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert {
        codes.FINE,
        codes.WRONG,
        codes.STALE,
        codes.NOTHING,
        codes.INVALID,
        codes.USAGE,
        codes.INTERRUPTED,
    } == told


def shell(folder: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """As a step of GitHub Actions runs it."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(TESTS),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def programs(folder: Path) -> None:
    """bce-conformance and pip as the steps find them, those of this Python."""
    (folder / "bin").mkdir()
    for name, module in (("bce-conformance", "conformance.cli"), ("pip", "pip")):
        program = folder / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n', encoding="utf-8")
        program.chmod(0o755)


def ask(folder: Path, name: str, *arguments: str) -> None:
    done = shell(
        folder,
        f"bce-conformance run --no-report -k 'logits/published_examples and float32'"
        f" --run-file runs/{name} {' '.join(arguments)}",
    )
    assert done.returncode in {0, 1}, done.stderr


def test_the_third_job_merges_reports_and_publishes(tmp_path: Path) -> None:
    programs(tmp_path)
    begin = (
        "git init --quiet --bare origin.git\n"
        "git clone --quiet origin.git page\n"
        "cd page && git checkout --quiet -b conformance-page\n"
        "git -c user.name=x -c user.email=x@y commit --quiet --allow-empty -m Begin\n"
        "git push --quiet -u origin conformance-page\n"
    )
    assert 0 == shell(tmp_path, begin).returncode
    scripts = [script for script in steps(WORKFLOW["report"]["steps"]) if "pip" not in script]
    given = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "GITHUB_SHA": "abc"}

    ask(tmp_path, "cpu.jsonl.gz", "--adapter numpy")
    ask(tmp_path, "cuda.jsonl.gz", "--adapter fakes:Right")
    for script in scripts:
        done = shell(tmp_path, script, **given)
        assert 0 == done.returncode, done.stdout + done.stderr
    page = tmp_path / "page"
    assert 2 == len(read_runs(page / "run.jsonl.gz"))
    assert ["numpy", "right"] == sorted(one.adapter for one in read_history(page / "history.jsonl"))
    assert "<html" in (page / "index.html").read_text("utf-8")
    badges = {path.stem: json.loads(path.read_text("utf-8")) for path in page.glob("badges/*")}
    assert {"numpy", "right"} == set(badges)
    assert "**right" in (tmp_path / "summary.md").read_text("utf-8")
    published = shell(tmp_path, "git -C origin.git ls-tree -r --name-only conformance-page").stdout
    assert {"badges/numpy.json", "history.jsonl", "index.html", "run.jsonl.gz"} <= set(
        published.split()
    )

    # The next run: an adapter of the same name gets worse, and another one is cut short.
    (tmp_path / "mine.py").write_text(
        "from fakes import HalfTheLoss\nclass Mine(HalfTheLoss):\n    name = 'right'\n", "utf-8"
    )
    for path in (tmp_path / "runs").iterdir():
        path.unlink()
    ask(tmp_path, "cpu.jsonl.gz", "--adapter numpy -- --exitfirst")
    ask(tmp_path, "cuda.jsonl.gz", "--adapter mine:Mine -- --exitfirst")
    (tmp_path / "summary.md").unlink()
    first, second, last = (shell(tmp_path, script, **given) for script in scripts)
    assert [0, 0, 1] == [first.returncode, second.returncode, last.returncode], first.stderr
    assert "::error title=right cpu%2C logits/published_examples::" in first.stdout
    assert "**cut short**" in (tmp_path / "summary.md").read_text("utf-8")
    assert "red" == json.loads((page / "badges" / "right.json").read_text("utf-8"))["color"]
    assert 3 == len(read_history(page / "history.jsonl"))


@pytest.fixture
def cases(folder: Path) -> Path:
    """A folder in which another one, my_cases, holds a case file and what belongs to it."""
    (folder / "my_cases").mkdir()
    (folder / "theme.yaml").rename(folder / "my_cases" / "theme.yaml")
    programs(folder)
    return folder


def test_the_action_checks_what_it_is_given(cases: Path) -> None:
    script = steps(ACTION["runs"]["steps"])[-1]
    (cases / "bce-conformance").mkdir()
    (cases / "bin").rename(cases / "bce-conformance" / "bin")
    for paths, code in (("my_cases", 0), ("my_cases/theme.yaml my_cases", 0), ("absent", 4)):
        done = shell(cases, script, RUNNER_TEMP=str(cases), PATHS=paths)
        assert code == done.returncode, done.stdout + done.stderr


def test_the_hook_checks_the_folder_as_it_is(cases: Path) -> None:
    (example,) = BLOCKS[-1]["repos"][0]["hooks"]
    assert HOOK["id"] == example["id"]
    assert not HOOK["pass_filenames"]
    entry = shlex.join([*shlex.split(HOOK["entry"]), *example["args"]])
    assert re.search(example["files"], "my_cases/flags.yaml")
    assert 0 == shell(cases, entry).returncode
    (cases / "my_cases" / "flags.yaml").write_text("Odd: {means: A., matters: B.}\n", "utf-8")
    done = shell(cases, entry)
    assert 4 == done.returncode
    assert "flags.yaml: 'Odd' is explained and no case uses it." in done.stdout


@pytest.mark.parametrize(
    ("path", "hit"),
    [
        ("cases/logits/zero.yaml", True),
        ("cases/schema.json", True),
        ("cases/README.md", False),
        ("docs/cases/x.yaml", False),
    ],
)
def test_the_hook_wakes_where_cases_lie(path: str, hit: bool) -> None:
    assert hit == bool(re.search(HOOK["files"], path))


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("flags.yaml", "Odd: {means: A., matters: B.}\n", "'Odd' is explained and no case uses"),
        ("flags.yaml", "Odd: [", "flags.yaml:"),
        ("policies.yaml", "odd: {means: A., matters: B.}\n", "'odd' is explained and no case"),
        ("schema.json", "{}", "schema.json: out of date. Run `bce-conformance schema"),
    ],
)
def test_a_file_beside_the_cases_is_checked_by_itself(
    cases: Path, name: str, text: str, problem: str
) -> None:
    path = cases / "my_cases" / name
    path.write_text(text, encoding="utf-8")
    done = shell(cases, f"bce-conformance check --format json my_cases/{name}")
    found = json.loads(done.stdout)
    assert (4, 0, 1) == (done.returncode, found["cases"], len(found["problems"]))
    assert problem in found["problems"][0]
    path.unlink()
    gone = shell(cases, f"bce-conformance check my_cases/{name}")
    assert "No such file or directory" in gone.stdout
