"""Run files, read: whole, merged, cut, damaged, hostile."""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest
from run_files import (
    HEADER,
    NOT_RUN,
    RESULT,
    header,
    lines_of,
    merged,
    write,
    write_truncated,
    zipped,
)

from conformance import records
from conformance.errors import ConformanceError
from conformance.records import read_run, read_runs, read_sections, require_run

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.results import Run

HEAD = msgspec.json.encode(HEADER) + b"\n"
ANSWER = msgspec.json.encode(RESULT) + b"\n"


def refusal(path: Path) -> str:
    """The sentence with which a file is refused."""
    with pytest.raises(ConformanceError) as caught:
        read_sections(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.isprintable()
    assert len(sentence) < 600 + len(str(path))
    assert sentence.startswith(f"{path}:")
    assert sentence.endswith((".", "?"))
    return sentence


def run_or_refusal(path: Path) -> Run | None:
    """A run as far as it can be read; None if it is refused, in one sentence."""
    try:
        return read_run(path)
    except ConformanceError:
        refusal(path)
        return None


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    run = read_run(write(tmp_path / "deep" / "run.jsonl.gz", [RESULT] * 2))
    assert HEADER == run.header
    assert [RESULT, RESULT] == run.results
    assert [NOT_RUN] == run.not_run
    assert run.footer is not None
    assert {"passed": 2, "not_run": 3} == run.footer.counts


def test_a_file_that_was_unzipped_to_be_looked_at_is_still_a_run(tmp_path: Path) -> None:
    whole = write(tmp_path / "run.jsonl.gz")
    plain = tmp_path / "run.jsonl"
    plain.write_bytes(b"".join(lines_of(whole)))
    assert read_run(whole).footer == read_run(plain).footer
    assert [RESULT] == read_run(plain).results


def test_a_run_can_come_through_a_pipe(tmp_path: Path) -> None:
    whole = write(tmp_path / "run.jsonl.gz")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(whole.read_bytes()))
    writer.start()
    assert [RESULT] == read_run(pipe).results
    writer.join()


def test_a_merged_file_is_no_single_run(tmp_path: Path) -> None:
    one = write(tmp_path / "one.gz")
    both = merged(tmp_path / "both.gz", one, one)
    with pytest.raises(ConformanceError, match=r"both\.gz: holds 2 runs, where one is wanted"):
        read_run(both)
    assert [HEADER] == [read_run(merged(tmp_path / "alone.gz", one)).header]


def test_a_file_cut_anywhere_is_read_as_cut_or_refused_in_a_sentence(tmp_path: Path) -> None:
    whole = write(tmp_path / "run.gz", [RESULT] * 30).read_bytes()
    path = tmp_path / "cut.gz"
    found = []
    # The last bytes are gzip's checksum, behind the footer.
    for end in range(len(whole) - 10):
        path.write_bytes(whole[:end])
        if (run := run_or_refusal(path)) is not None:
            assert run.footer is None, end
            found.append(len(run.results))
    assert sorted(found) == found
    assert found[-1] >= 29


def test_a_merged_file_that_was_cut_says_so_of_its_last_run(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one.gz"), write(tmp_path / "two.gz", [RESULT] * 3, header("2027"))
    lines = lines_of(merged(tmp_path / "both.gz", one, two))
    path = tmp_path / "cut.gz"
    complete = [
        [run.footer is not None for run in read_runs(zipped(path, *lines[:end]))]
        for end in range(2, len(lines))
    ]
    # Merged, then header, result, not run, footer; then header, three results, not run.
    assert [[False]] * 4 + [[True, False]] * 5 == complete


def test_damage_inside_the_stream_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "run.gz", [RESULT] * 200)
    content = bytearray(path.read_bytes())
    for place in range(20, len(content) - 10, 7):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        run = run_or_refusal(path)
        assert run is None or run.footer is None, place


def test_an_edited_run_is_refused(tmp_path: Path) -> None:
    lines = lines_of(write(tmp_path / "run.gz"))
    edited = [line.replace(b'"passed","grade"', b'"failed","grade"') for line in lines]
    assert lines != edited
    path = zipped(tmp_path / "edited.gz", *edited)
    assert "edited.gz:4: the lines above do not add up to its digest." in refusal(path)


def test_an_edited_run_inside_a_merged_file_is_refused(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one.gz"), write(tmp_path / "two.gz", [RESULT] * 3, header("2027"))
    lines = lines_of(merged(tmp_path / "both.gz", one, two))
    lines[7] = lines[7].replace(b'"passed"', b'"failed"')
    assert ":11: the lines above do not add up" in refusal(zipped(tmp_path / "edited.gz", *lines))


def test_a_missing_run_is_one_sentence(tmp_path: Path) -> None:
    assert "No such file or directory. Give a run file" in refusal(tmp_path / "absent.gz")
    assert "Is a directory. Give a run file" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"not gzip", "neither gzip nor JSON Lines"),
        (b"", "no header in it"),
        (b"\x1f\x8b", "no header in it"),
        (gzip.compress(b"", mtime=0), "no header in it"),
        (gzip.compress(b"{}\n", mtime=0), ":1: Object missing required field `type`"),
        (b"{}\n", ":1: Object missing required field `type`"),
        (gzip.compress(b"nonsense\n", mtime=0), ":1: JSON is malformed"),
        (
            msgspec.json.encode(header(format="bce-conformance-run/9")) + b"\n",
            ":1: format 'bce-conformance-run/9'; this version reads 'bce-conformance-run/1'. Read",
        ),
        (
            b'{"type":"merged","format":"bce-conformance-run/9","runs":1}\n' + HEAD,
            ":1: format 'bce-conformance-run/9'; this version reads",
        ),
        (msgspec.json.encode(header(format="\x1b[31m\n" * 900)) + b"\n", r":1: format '\x1b[31m\n"),
        (ANSWER + HEAD, ":1: a result has no place here."),
        (b'{"type":"merged","format":"bce-conformance-run/1","runs":1}\n' + ANSWER, ":2: a result"),
        (HEAD + b'{"type":"merged","format":"bce-conformance-run/1","runs":1}\n', ":2: a merged"),
        (HEAD + ANSWER + HEAD, ":3: a header has no place here."),
        (b'{"type":"merged","format":"bce-conformance-run/1","runs":0}\n', "no header in it"),
        (
            b'{"type":"merged","format":"bce-conformance-run/1","runs":1}\n' + HEAD + HEAD,
            ":3: a header more than it has runs. Put runs into one file with `bce-conformance",
        ),
    ],
)
def test_what_is_no_run_is_one_sentence(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "run.gz"
    path.write_bytes(content)
    assert problem in refusal(path)


def test_files_put_one_behind_the_other_are_refused_with_the_remedy(tmp_path: Path) -> None:
    one = write(tmp_path / "one.gz").read_bytes()
    path = tmp_path / "both.gz"
    path.write_bytes(one + one)
    assert "with `bce-conformance merge`" in refusal(path)


@pytest.mark.parametrize("line", [ANSWER, msgspec.json.encode(NOT_RUN) + b"\n"])
def test_nothing_comes_after_the_footer(tmp_path: Path, line: bytes) -> None:
    lines = lines_of(write(tmp_path / "run.gz"))
    assert ":5: a " in refusal(zipped(tmp_path / "more.gz", *lines, line))


def test_a_second_footer_is_refused(tmp_path: Path) -> None:
    lines = lines_of(write(tmp_path / "run.gz"))
    assert ":5: a footer has no place" in refusal(zipped(tmp_path / "x.gz", *lines, lines[-1]))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b'"a/b"', b"1", "Expected `str`, got `int` - at `$.case`"),
        (b'"passed"', b'"fine"', "Invalid enum value 'fine' - at `$.status`"),
        (b'"passed"', b'"pa\\u001b[31m\\nssed"', r"Invalid enum value 'pa\x1b[31m\nssed'"),
        (b'"exact","outputs"', b'"splendid","outputs"', "matching regex"),
        (b'"exact","outputs"', b'"exact\\n","outputs"', "matching regex"),
        (b'{"grade":"exact"', b'{"grade":"0"', "at `$.outputs[...].grade`"),
        (b'"00"', b'"0g"', "at `$.outputs[...].bits`"),
        (b'"00"', b'"000"', "at `$.outputs[...].bits`"),
        (b'"00"', b'"00\\n"', "at `$.outputs[...].bits`"),
        (b"[1]", b"[-1]", "Expected `int` >= 0 - at `$.outputs[...].shape[0]`"),
        (b"[0.0]", b"[" + b"0," * 64 + b"0]", "length <= 64 - at `$.outputs[...].ulps`"),
        (b"0.5", b"NaN", "JSON is malformed"),
        (b"0.5", b"-Infinity", "JSON is malformed"),
        (b"0.5", b"1e999", "Number out of range - at `$.ms`"),
        (b"0.5", b"-0.5", "Expected `float` >= 0.0 - at `$.ms`"),
        (b"0.5", b"9" * 5000, "Number out of range - at `$.ms`"),
        (b'"numpy"', b'"\\ud800"', "JSON is malformed"),
        (b'"numpy"', b'"\xed\xa0\x80"', "codec can't decode"),
        (b'"numpy"', b'"\xff"', "codec can't decode"),
        (b'"numpy"', b'"\x00"', "JSON is malformed"),
        (b'"ms"', b'"more":' + b"[" * 400_000 + b"]" * 400_000 + b',"ms"', "nested too deeply"),
        (b'"type":"result"', b'"type":"' + b"x" * 500_000 + b'"', "Invalid value 'xxxx"),
    ],
)
def test_a_result_that_is_none_is_one_sentence(
    tmp_path: Path, old: bytes, new: bytes, problem: str
) -> None:
    assert 1 == ANSWER.count(old)
    path = zipped(tmp_path / "run.gz", HEAD, ANSWER, ANSWER.replace(old, new))
    sentence = refusal(path)
    assert problem in sentence
    assert sentence.startswith(f"{path}:3: ")
    assert sentence.endswith("Is this a run file of format bce-conformance-run/1?")


@pytest.mark.parametrize("items", [b"-3", b"1e3", b"1" + b"0" * 16, b"null", b'"3"', b"true"])
def test_items_are_a_number_from_zero_on(tmp_path: Path, items: bytes) -> None:
    line = msgspec.json.encode(NOT_RUN).replace(b'"items":3', b'"items":' + items) + b"\n"
    assert "at `$.items`" in refusal(zipped(tmp_path / "run.gz", HEAD, line))


def test_what_a_later_version_adds_is_read_over(tmp_path: Path) -> None:
    body = HEAD + ANSWER.replace(b'"ms"', b'"mood":[{"a":1}],"ms"')
    footer = {"type": "footer", "counts": {}, "digest": hashlib.sha256(body).hexdigest()}
    run = read_run(zipped(tmp_path / "run.gz", body, msgspec.json.encode(footer), b"\n"))
    assert [RESULT] == run.results
    assert run.footer is not None


def test_a_line_may_be_as_long_as_the_limit_and_no_longer(tmp_path: Path) -> None:
    def padded(length: int) -> bytes:
        return ANSWER[:-1] + b" " * (length - len(ANSWER)) + b"\n"

    path = zipped(tmp_path / "run.gz", HEAD, padded(records.MAX_LINE))
    assert [RESULT] == read_run(path).results
    zipped(path, HEAD, padded(records.MAX_LINE + 1))
    assert ":2: a line of more than 1,048,576 bytes" in refusal(path)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_of_100_megabytes_is_refused(tmp_path: Path, end: bytes) -> None:
    path = zipped(tmp_path / "run.gz", HEAD, b'{"type":"' + b"x" * 10**8, end)
    assert path.stat().st_size < 10**6
    assert ":2: a line of more than 1,048,576 bytes" in refusal(path)


def test_lines_have_a_limit(tmp_path: Path) -> None:
    path = zipped(tmp_path / "run.gz", HEAD, b"\n" * records.MAX_LINES)
    assert "has more than 1,000,000 lines" in refusal(path)


def test_a_run_of_no_more_than_the_limit_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_truncated(tmp_path / "run.gz", [RESULT] * 9)
    size = sum(map(len, lines_of(path)))
    monkeypatch.setattr(records, "MAX_LINES", 10)
    monkeypatch.setattr(records, "MAX_BYTES", size)
    assert 9 == len(read_run(path).results)
    monkeypatch.setattr(records, "MAX_LINES", 9)
    assert "more than 9 lines" in refusal(path)
    monkeypatch.setattr(records, "MAX_BYTES", size - 1)
    assert f"more than {size - 1:,} bytes" in refusal(path)


def test_the_garbage_collector_is_left_as_it_was(tmp_path: Path) -> None:
    import gc  # noqa: PLC0415

    path = write(tmp_path / "run.gz")
    read_runs(path)
    assert gc.isenabled()
    gc.disable()
    try:
        read_runs(path)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_only_a_run_of_this_version_or_nothing_is_replaced_by_a_run(tmp_path: Path) -> None:
    run = write(tmp_path / "run.gz")
    (tmp_path / "empty.gz").touch()
    other = [line.replace(b"run/1", b"run/9") for line in lines_of(run)]
    for path in (
        run,
        tmp_path / "empty.gz",
        tmp_path / "absent.gz",
        write_truncated(tmp_path / "cut.gz"),
        merged(tmp_path / "merged.gz", run),
    ):
        require_run(path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "other.gz").write_bytes(gzip.compress(b"mine"))
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8bmine")
    zipped(tmp_path / "newer.gz", *other)
    for name in ("notes.txt", "other.gz", "broken.gz", "newer.gz"):
        with pytest.raises(ConformanceError, match=r"exists, and is no run file\. Name another"):
            require_run(tmp_path / name)
