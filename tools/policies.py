"""Prints the policies that an adapter of a run follows, as its file of known policies has them.

    python -m tools.policies reports/run.jsonl.gz --adapter ignite > ignite.policies.toml

Read what comes out before it replaces a file: a policy that has changed is news for the trainer's
users, and the run that it comes from has failed for it.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from conformance import adapters
from conformance.jobs import CONVENTIONS
from conformance.records import read_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from conformance.results import Result, Run

Followed = dict[str, dict[str, str]]
"""Case to dtype to the policy followed in it."""


def followed(results: Iterable[Result], adapter: str) -> Followed:
    """What an adapter follows in the jobs where policies differ, as far as it is not wrong."""
    found: Followed = defaultdict(dict)
    for result in results:
        policies = {output.policy for output in result.outputs.values()} & CONVENTIONS.keys()
        if result.adapter == adapter and result.grade != "wrong" and len(policies) == 1:
            found[result.case][result.dtype] = str(*policies)
    return found


def entries(found: Followed) -> Iterator[tuple[str, list[str], tuple[str, ...]]]:
    """Policy, patterns and dtypes of each entry; no dtypes where all that were asked agree."""
    by_kind: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for case, by_dtype in sorted(found.items()):
        policies = set(by_dtype.values())
        for policy in sorted(policies):
            dtypes = [dtype for dtype, other in sorted(by_dtype.items()) if other == policy]
            by_kind[policy, tuple(dtypes) if len(policies) > 1 else ()].append(case)
    for (policy, only), cases in by_kind.items():
        yield policy, list(_patterns(cases, found)), only


def _patterns(cases: Iterable[str], found: Followed) -> Iterator[str]:
    """One pattern for each file of which all cases are here, the ids of the others."""
    here = defaultdict(set)
    for case in cases:
        here[case.rpartition("/")[0]].add(case)
    for group, ids in here.items():
        every = {case for case in found if case.rpartition("/")[0] == group}
        yield from [f"{group}/*"] if ids == every else sorted(ids)


def text(run: Run, adapter: str, versions: Mapping[str, str]) -> str:
    """The file of one adapter."""
    name = adapters.load(adapter).distributions[-1]
    major, minor, *_ = Version(versions[name]).release
    lines = [f"# The policies that {adapter} is known to follow, as tools/policies.py found them."]
    for policy, patterns, dtypes in entries(followed(run.results, adapter)):
        lines += ["", "[[follows]]", f'policy = "{policy}"']
        lines += [f'when = {{ {name} = ">={major}.{minor}" }}']
        lines += [f"dtypes = [{', '.join(map(_quoted, dtypes))}]"] if dtypes else []
        lines += ["cases = [", *(f"    {_quoted(pattern)}," for pattern in patterns), "]"]
    return "\n".join(lines) + "\n"


def _quoted(word: str) -> str:
    return f'"{word}"'


def main() -> None:
    """Print the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--adapter", required=True)
    options = parser.parse_args()
    run = read_run(options.run)
    print(text(run, options.adapter, run.header.versions), end="")


if __name__ == "__main__":
    main()
