"""Makes `pytest conformance` a run, one test a question."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import pytest

from conformance import answered, option_help
from conformance.bench import Bench
from conformance.corpus import load_corpus
from conformance.errors import ConformanceError
from conformance.files import require_place
from conformance.model import Grade
from conformance.plan import isolated, make_plan
from conformance.recording import Recorder
from conformance.records import require_run
from conformance.results import Result
from conformance.stash import BENCH, ENDING, REFUSAL, RESULT, Ending, Refusal

if TYPE_CHECKING:
    from collections.abc import Generator

    from conformance.plan import Group, Item

BROKE_OFF = "broke off"
"""The name of the property that tells why a test's group was not answered in one evaluation."""

LOSS_TRAINERS = ("ignite", "lightning")
JOB_TRAINERS = (*LOSS_TRAINERS, "fabric", "accelerate")
RUN_FILE = Path("reports/run.jsonl.gz")
_TIMES = re.compile("[1-9][0-9]{0,2}|1000")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run."""
    group = parser.getgroup("bce-conformance")
    group.addoption(
        "--adapter",
        action="append",
        default=[],
        metavar="NAME",
        help=option_help.ADAPTER,
    )
    group.addoption(
        "--device",
        action="append",
        default=[],
        metavar="DEVICE",
        help=option_help.DEVICE,
    )
    group.addoption(
        "--require",
        choices=[grade.name for grade in Grade if grade is not Grade.wrong],
        default="coarse",
        help=option_help.REQUIRE,
    )
    group.addoption("--require-cuda", action="store_true", help=option_help.REQUIRE_CUDA)
    group.addoption(
        "--repeat",
        default="1",
        metavar="N",
        help=option_help.REPEAT,
    )
    group.addoption("--isolate", action="store_true", help=option_help.ISOLATE)
    group.addoption(
        "--cases",
        action="append",
        default=[],
        metavar="PATH",
        help="a case file, or a folder of them below which ids begin, instead of all of the suite's"
        " own; may be repeated",
    )
    group.addoption(
        "--run-file",
        default=str(RUN_FILE),
        metavar="PATH",
        help="where the results go, NAME.jsonl.gz; the report lies beside it, as NAME.html, or as"
        f" index.html (default: {RUN_FILE})",
    )
    group.addoption("--no-report", action="store_true", help="write the run, not the report")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Load the cases and plan the run; what is wrong with them is one sentence each."""
    config = session.config
    options = config.option
    # Where `python -m pytest` finds a user's adapter, `pytest` finds it too.
    sys.path.append(str(config.invocation_params.dir))
    try:
        corpus = load_corpus([Path(path) for path in options.cases])
    except ConformanceError as error:
        _refuse(config, str(error), of_cases=True)
    try:
        plan = make_plan(corpus, options.adapter, options.device, cuda=options.require_cuda)
    except ConformanceError as error:
        _refuse(config, str(error))
    if not _TIMES.fullmatch(options.repeat):
        _refuse(config, f"--repeat {options.repeat!r}: give a number from 1 to 1000.")
    if unfilled := [case.id for case in corpus.cases if case.expected is None]:
        more = f" and {len(unfilled) - 3} more" if len(unfilled) > 3 else ""
        msg = f"no expected answer: {', '.join(unfilled[:3])}{more}. Run `bce-conformance fill`."
        _refuse(config, msg, of_cases=True)
    bench = Bench(
        isolated(plan) if options.isolate else plan, Grade[options.require], int(options.repeat)
    )
    config.stash[BENCH] = bench
    config.pluginmanager.register(answered)
    if not hasattr(config, "workerinput"):
        names = ("adapter", "device", "require", "repeat", "isolate", "cases", "keyword")
        given = {name: str(value) for name in names if (value := getattr(options, name))}
        path = config.invocation_params.dir / options.run_file
        try:
            require_place(path)
            require_run(path)
        except ConformanceError as error:
            _refuse(config, f"--run-file {error}")
        _end_in_order(config)
        recorder = Recorder(path, bench, corpus, given)
        config.pluginmanager.register(_Recording(config, recorder), "bce-conformance-recording")


def _end_in_order(config: pytest.Config) -> None:
    """Take a request to end the process for a Ctrl-C.

    Lightning would end its own loop for it and no more, and the run would go on.
    """
    alone = threading.current_thread() is threading.main_thread()
    if alone and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        config.add_cleanup(_end_as_usual)


def _end_as_usual() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _refuse(config: pytest.Config, sentence: str, *, of_cases: bool = False) -> NoReturn:
    config.stash[REFUSAL] = Refusal(sentence, of_cases=of_cases)
    raise pytest.UsageError(sentence) from None


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what will run, and what will not and why."""
    plan = config.stash[BENCH].plan
    cases = {item.case.id for item in plan.items}
    lines = [f"bce-conformance: {len(cases)} cases, {len(plan.items)} questions"]
    return lines + plan.absences()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out a file of tests that has nothing to do in this run."""
    if BENCH not in config.stash:
        return True
    groups = config.stash[BENCH].plan.groups
    needed = {
        "test_agreement.py": _trainers(config, of_jobs=False),
        "test_job_agreement.py": _trainers(config, of_jobs=True),
        "test_jobs.py": [group for group in groups if group.of_jobs],
        "test_loss.py": [group for group in groups if not group.of_jobs],
    }
    return None if needed.get(collection_path.name, True) else True


def _trainers(config: pytest.Config, *, of_jobs: bool) -> list[Group]:
    """The groups to be compared with raw PyTorch."""
    trainers = JOB_TRAINERS if of_jobs else LOSS_TRAINERS
    return [
        group
        for group in config.stash[BENCH].plan.groups
        if group.adapter in trainers and group.of_jobs == of_jobs
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each question, one for each group that a trainer answers."""
    of_jobs = "job" in metafunc.module.__name__.rpartition(".")[2]
    if "item" in metafunc.fixturenames:
        plan = metafunc.config.stash[BENCH].plan
        items = [item for item in plan.items if item.group.of_jobs == of_jobs]
        metafunc.parametrize("item", items, ids=map(str, items))
    if "group" in metafunc.fixturenames:
        trainers = _trainers(metafunc.config, of_jobs=of_jobs)
        metafunc.parametrize("group", trainers, ids=map(str, trainers))


@pytest.fixture(scope="session")
def bench(pytestconfig: pytest.Config) -> Bench:
    """The bench on which the selected questions are evaluated."""
    return pytestconfig.stash[BENCH]


@pytest.fixture
def result(item: Item, bench: Bench, request: pytest.FixtureRequest) -> Result:
    """The result of one question; it goes into the run."""
    found = bench.results(item.group)[item.case.id]
    request.node.stash[RESULT] = found
    if (reason := bench.broke_off(item.group)) is not None:
        request.node.user_properties.append((BROKE_OFF, f"{item.group} broke off: {reason}"))
    return found


def pytest_collection_finish(session: pytest.Session) -> None:
    """Evaluate no more than what -k and node ids have left."""
    if BENCH not in session.config.stash:
        # pytest came upon this folder on its way, too late for the options of a run.
        msg = "name the suite on the command line: pytest conformance"
        raise pytest.UsageError(msg)
    selected: list[Any] = [
        test.callspec.params["item"]
        for test in session.items
        if isinstance(test, pytest.Function) and "item" in test.fixturenames
    ]
    session.config.stash[BENCH].select(selected)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Show a user's error as its sentence, without the frames that led to it."""
    return (yield from _sentences())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Likewise."""
    return (yield from _sentences())


def _sentences() -> Generator[None, object, object]:
    try:
        return (yield)
    except ConformanceError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send the result along with the report, as one value: xdist is slow to carry many."""
    report = yield
    if report.when == "call" and RESULT in item.stash:
        report.__dict__["conformance"] = msgspec.msgpack.encode(item.stash[RESULT])
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Let OpenMP's idle threads sleep: those of several processes would spin for the same cores."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a group on one worker, so that it is evaluated once; for xdist's default only."""
    if config.option.dist != "load":
        return None
    from conformance.spreading import ByGroup  # noqa: PLC0415 - only where xdist is used

    return ByGroup(config, log, config.stash[BENCH].plan.groups)


class _Recording:
    """Hands the results to the recorder where all of them arrive, and closes the run."""

    def __init__(self, config: pytest.Config, recorder: Recorder) -> None:
        self._config = config
        self._recorder = recorder
        self._executed = 0
        self._lost = 0

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Record a result; with xdist, reports come from the workers."""
        found = getattr(report, "conformance", None)
        if found is not None:
            self._recorder.add(msgspec.msgpack.decode(found, type=Result))
            told = [text for name, text in report.user_properties if name == BROKE_OFF]
            self._recorder.notes += [text for text in told if text not in self._recorder.notes]
        elif report.failed and ("::test_loss" in report.nodeid or "::test_job[" in report.nodeid):
            self._lost += 1
        skipped = report.skipped and not hasattr(report, "wasxfail")
        self._executed += report.when == "call" and not skipped

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write run and report; fail where nothing was run or a deviation is stale."""
        options = self._config.option
        if options.collectonly:
            return
        recorder = self._recorder
        over = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        complete = over and not self._lost and not session.shouldfail and not session.shouldstop
        run = recorder.finish(complete=complete)
        ending = Ending(
            run=run,
            report=None if run is None or options.no_report else recorder.report(run),
            results=recorder.results,
            repeated=int(options.repeat),
            table=recorder.table(),
            deviations=recorder.deviations(),
            stale=recorder.stale() if complete and run else [],
            problems=recorder.problems,
            notes=recorder.notes,
            nothing=exitstatus == pytest.ExitCode.OK and not self._executed,
        )
        self._config.stash[ENDING] = ending
        if exitstatus == pytest.ExitCode.OK and (ending.problems or ending.stale):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if ending.nothing:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what came out, in a few lines."""
        if (ending := self._config.stash.get(ENDING, None)) and (lines := ending.lines()):
            terminalreporter.section("bce-conformance")
            for line in lines:
                terminalreporter.line(line)
