"""What Ctrl-C and SIGTERM do to `faceserve up`."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from deployments.commands import up
from deployments.commands.up import stop_on_signals


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_it_starts_a_signal_ends_it_and_the_same_once_more_does_not_cut_the_clean_up_short(number: int) -> None:
    stopping = threading.Event()
    stop_on_signals(stopping, interrupts=True)

    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)
    os.kill(os.getpid(), number)  # under `uv run` one Ctrl-C arrives twice

    assert stopping.is_set()


def test_once_it_runs_a_signal_lets_it_stop_in_order_and_a_later_one_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = threading.Event()
    stop_on_signals(stopping)

    os.kill(os.getpid(), signal.SIGINT)
    assert stopping.is_set()

    monkeypatch.setattr(up, "IMPATIENT_AFTER_S", -1.0)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
