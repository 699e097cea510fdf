"""Feeds spoiled files to what reads files, and says where it breaks its promises.

    python -m tools.fuzz --inputs 100000 --seed 1

A reader either accepts a file or refuses it in sentences that name it: no other exception, in no
more than two seconds, in no more memory than a small machine has. What is accepted goes on to
whatever is made of it. Input N of a seed is always the same; what breaks a promise is written
down as JSON, for --replay.
"""

from __future__ import annotations

import argparse
import base64
import faulthandler
import json
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tools.fuzz.inputs import Input
from tools.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Sequence

_MEMORY = 4 * 2**30
_STUCK = 60  # Seconds in which even a call into C has to return.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns 1 if something broke."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--inputs", type=int, default=1000, metavar="N", help="default: 1000")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=TARGETS, action="append", help="default: all in turn")
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"), metavar="FOLDER")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="only what this failure was")
    options = parser.parse_args(arguments)
    if options.replay:
        failure = json.loads(options.replay.read_text("utf-8"))
        given = Input(failure["name"], base64.b64decode(failure["data"]))
        problem = attempt(failure["target"], given)[1]
        print(problem or "it holds")
        return int(problem is not None)
    names = options.target or list(TARGETS)
    start = time.monotonic()
    counts: Counter[str] = Counter()
    for index in range(options.inputs):
        name = names[index % len(names)]
        given = TARGETS[name].input(options.seed, index)
        accepted, problem = attempt(name, given)
        counts[f"{name}: {'accepted' if accepted else 'refused'}"] += problem is None
        if problem is not None:
            counts[f"{name}: broken"] += 1
            path = _keep(options.failures, f"{name}-{options.seed}-{index}", name, given, problem)
            print(f"{path}: {problem.strip().splitlines()[-1][:300]}", flush=True)
        if (index + 1) % 1000 == 0:
            seconds = time.monotonic() - start
            print(f"{index + 1} inputs in {seconds:.0f} s: {_told(counts)}", flush=True)
    print(f"{options.inputs} inputs in {time.monotonic() - start:.0f} s: {_told(counts)}")
    return int(any("broken" in name for name in counts))


def attempt(name: str, given: Input) -> tuple[bool, str | None]:
    """Feed one input to a target: whether it was accepted, and what broke, with its trace."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    faulthandler.dump_traceback_later(_STUCK, exit=True, file=2)
    try:
        return TARGETS[name].check(given, folder), None
    except KeyboardInterrupt:
        raise
    except BaseException:
        return False, traceback.format_exc()
    finally:
        faulthandler.cancel_dump_traceback_later()
        shutil.rmtree(folder)


def _keep(folder: Path, title: str, target: str, given: Input, problem: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{title}.json"
    data = base64.b64encode(given.data).decode("ascii")
    failure = {"target": target, "name": given.name, "data": data, "problem": problem}
    path.write_text(json.dumps(failure, indent=2), encoding="utf-8")
    return path


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count)


if __name__ == "__main__":
    # Here and not above: whoever calls main, such as a test, has other work for its process.
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    sys.exit(main())
