"""A worker of the standard library alone, which speaks the protocol right but for one deed.

    python worker_fakes.py DEED [FOLDER]

It does the deed of DEEDS when a question has the logit 13, that of STARTS when it is started.
Each of its processes leaves a mark in FOLDER, a file of the name of its number; one that gets
away from its group leaves it in the folder "away" beside.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Message = dict[str, Any]

GUILTY = struct.pack("<d", 13.0).hex()
LATE_S = 2.0
"""More than the limit of whoever lets it be late."""

STATE: dict[str, bool] = {}


def loss_of(logit: float, target: float) -> float:
    """The cancellation-free form."""
    return max(logit, 0.0) - logit * target + math.log1p(math.exp(-abs(logit)))


def numbers(array: Message) -> list[float]:
    return [each for (each,) in struct.iter_unpack("<d", bytes.fromhex(array["bits"]))]


def answer(question: Message) -> Message:
    logits, targets = (question["inputs"][name] for name in ("logits", "targets"))
    losses = map(loss_of, numbers(logits), numbers(targets))
    bits = b"".join(struct.pack("<d", loss) for loss in losses).hex()
    loss = {"dtype": "float64", "shape": logits["shape"], "bits": bits}
    return {"id": question["id"], "outputs": {"loss": loss}}


def started(**changes: Any) -> Message:
    adapter = {
        "name": "plain",
        "operations": ["bce_with_logits"],
        "outputs": ["loss"],
        "dtypes": ["float64"],
        "versions": {"plain": "1.0"},
    }
    return {"type": "started", "protocol": 1, "adapter": adapter} | changes


def write(text: bytes, place: int = 1) -> None:
    while text:
        text = text[os.write(place, text) :]


def say(message: Message) -> None:
    write(json.dumps(message).encode() + b"\n")


def mark(pid: int, *, away: bool = False) -> None:
    if len(sys.argv) > 2:
        folder = Path(sys.argv[2])
        (folder.with_name("away") if away else folder).joinpath(str(pid)).touch()


def hang(reply: object = None) -> None:
    time.sleep(600)


def start_child(*, away: bool = False) -> None:
    code = "import time; time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-S", "-c", code], start_new_session=away)
    mark(child.pid, away=away)


def segfault(reply: Message) -> None:
    ctypes.string_at(0)


def abort(reply: Message) -> None:
    write(b"what():  an assertion\n", 2)
    os.abort()


def exit_(reply: Message) -> None:
    os._exit(3)


def flood_lines(reply: Message) -> None:
    while True:
        write(b'{"type": "answers"}\n' * 1000)


def flood_without_end(reply: Message) -> None:
    while True:
        write(b"x" * 2**16)


def flood_beside(reply: Message) -> None:
    while True:
        write(b"warning\n" * 1000, 2)


def flood_beside_and_answer(reply: Message) -> None:
    write(b"warning\n" * 500_000, 2)
    say(reply)


def answer_out_of_order(reply: Message) -> None:
    reply["answers"].reverse()
    say(reply)


def answer_twice(reply: Message) -> None:
    say(reply)
    say(reply)


def repeat_an_answer(reply: Message) -> None:
    reply["answers"].append(reply["answers"][0])
    say(reply)


def answer_too_late(reply: Message) -> None:
    time.sleep(LATE_S)
    say(reply)


def answer_other_questions(reply: Message) -> None:
    for each in reply["answers"]:
        each["id"] += 1000
    say(reply)


def answer_another_message(reply: Message) -> None:
    reply["id"] += 1000
    say(reply)


def speak_garbage(reply: Message) -> None:
    write(b"\xff\x00{[\x1b[31m\n")


def nest_deeply(reply: Message) -> None:
    write(b"[" * 100_000 + b"\n")


def break_off(reply: Message) -> None:
    write(json.dumps(reply).encode()[:-9])
    os._exit(0)


def answer_nothing(reply: Message) -> None:
    say(reply | {"answers": []})


def forget_the_last(reply: Message) -> None:
    say(reply | {"answers": reply["answers"][:-1]})


def answer_one_more(reply: Message) -> None:
    reply["answers"].append(reply["answers"][0] | {"id": 0})
    say(reply)


def change_each(reply: Message, **changes: Any) -> None:
    reply["answers"] = [each | changes for each in reply["answers"]]
    say(reply)


def answer_in_two_ways(reply: Message) -> None:
    change_each(reply, declined="no")


def answer_in_no_way(reply: Message) -> None:
    change_each(reply, outputs=None)


def ask_to_be_alone(reply: Message) -> None:
    change_each(reply, outputs=None, alone=True)


def change_arrays(reply: Message, **changes: Any) -> None:
    for each in reply["answers"]:
        each["outputs"]["loss"] |= changes
    say(reply)


def send_too_few_bits(reply: Message) -> None:
    change_arrays(reply, shape=[7])


def send_no_bits(reply: Message) -> None:
    change_arrays(reply, bits="zz")


def send_an_unknown_dtype(reply: Message) -> None:
    change_arrays(reply, dtype="float8")


def send_a_huge_shape(reply: Message) -> None:
    change_arrays(reply, bits="", shape=[2**53, 2**53, 0])


def send_a_wide_array(reply: Message) -> None:
    change_arrays(reply, strides=[2**62])


def close_the_output(reply: Message) -> None:
    os.close(1)
    hang()


def leave_the_output_to_a_child(reply: Message) -> None:
    start_child()
    os._exit(0)


def answer_and_die(reply: Message) -> None:
    say(reply)
    os._exit(5)


def print_beside(reply: Message) -> None:
    libc = ctypes.CDLL(None)
    libc.puts(b"INFO: initialized")
    libc.fflush(None)
    say(reply)


def start_again(reply: Message) -> None:
    say(started())


def answer_and_leave_a_child(reply: Message) -> None:
    start_child()
    say(reply)


def hang_with_a_child(reply: Message) -> None:
    start_child()
    hang()


def die_at_the_next_question(reply: Message) -> None:
    say(reply)
    STATE["dying"] = True


def fail(reply: Message) -> None:
    say({"type": "failed", "message": "The licence has expired. Renew it."})


def answer_right(reply: Message) -> None:
    say(reply)


def read_no_more(reply: Message) -> None:
    """Beside, a child gets away, which holds the pipes open: see ``lines``."""


DEEDS: dict[str, Callable[[Message], None]] = {
    deed.__name__: deed
    for deed in (
        segfault,
        abort,
        exit_,
        read_no_more,
        flood_lines,
        flood_without_end,
        flood_beside,
        flood_beside_and_answer,
        answer_out_of_order,
        answer_twice,
        repeat_an_answer,
        answer_too_late,
        answer_other_questions,
        answer_another_message,
        speak_garbage,
        nest_deeply,
        break_off,
        answer_nothing,
        forget_the_last,
        answer_one_more,
        answer_in_two_ways,
        answer_in_no_way,
        ask_to_be_alone,
        send_too_few_bits,
        send_no_bits,
        send_an_unknown_dtype,
        send_a_huge_shape,
        send_a_wide_array,
        close_the_output,
        leave_the_output_to_a_child,
        answer_and_die,
        print_beside,
        start_again,
        answer_and_leave_a_child,
        hang_with_a_child,
        die_at_the_next_question,
        fail,
        answer_right,
    )
}


def crash_with_a_word() -> None:
    write(b"Loading...\nlibcudart.so.12: cannot open shared object file\n", 2)
    os._exit(127)


def greet() -> None:
    write(b"Welcome!\n")


def speak_another_version() -> None:
    say(started(protocol=2))
    hang()


def refuse() -> None:
    say({"type": "failed", "message": "no licence is found"})


def answer_before_the_start() -> None:
    say({"type": "answers", "id": 1, "answers": []})


def have_a_bad_name() -> None:
    say(started(adapter=started()["adapter"] | {"name": "a b\n"}))


def offer_nothing() -> None:
    say({"type": "started", "protocol": 1})


STARTS: dict[str, Callable[[], object]] = {
    deed.__name__: deed
    for deed in (
        crash_with_a_word,
        hang,
        greet,
        speak_another_version,
        refuse,
        answer_before_the_start,
        have_a_bad_name,
        offer_nothing,
    )
}


def lines() -> Any:
    """Those of standard input; who is to read no more stops in the middle of one."""
    rest = b""
    while piece := os.read(0, 2**16):
        rest += piece
        if sys.argv[1] == read_no_more.__name__ and GUILTY.encode() in rest:
            start_child(away=True)
            hang()
        *whole, rest = rest.split(b"\n")
        yield from whole


def main() -> None:
    mark(os.getpid())
    # Whatever it is doing, it is no use without whoever has started it.
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if sys.argv[1].startswith("start:"):
        STARTS[sys.argv[1].removeprefix("start:")]()
    for line in lines():
        message = json.loads(line)
        if message["type"] == "stop":
            return
        if message["type"] == "start":
            asked = {device: {"name": "a device"} for device in message.get("devices", ())}
            say(started(devices=asked))
            continue
        if STATE.get("dying"):
            os._exit(6)
        questions = message["questions"]
        guilty = any(GUILTY in each["inputs"]["logits"]["bits"] for each in questions)
        reply = {
            "type": "answers",
            "id": message["id"],
            "answers": [answer(each) for each in questions],
        }
        DEEDS[sys.argv[1] if guilty else "answer_right"](reply)


if __name__ == "__main__":
    main()
