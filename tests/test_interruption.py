"""What a process does when it is asked to stop, by real signals to this one."""

import os
import signal
import threading

import pytest

from lensnet.interruption import listening


def send(number):
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def _handlers(default_signals):
    """The handlers are those of before after each test."""
    yield
    for number, handler in default_signals.items():
        assert signal.getsignal(number) == handler


def test_what_is_ignored_stays_ignored():
    """As the shell of a script has its commands in the background ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with listening() as interruption, interruption.deferred():
            send(signal.SIGINT)
            assert not interruption.is_requested
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_where_nothing_is_lost_both_interrupt(number):
    with listening() as interruption:
        with pytest.raises(KeyboardInterrupt):
            send(number)
    assert not interruption.is_requested


@pytest.mark.parametrize(("number", "words"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGT")])
def test_a_block_may_look_itself(number, words):
    with listening() as interruption, interruption.deferred():
        assert not interruption.is_requested
        send(number)
        assert interruption.is_requested and interruption.words.startswith(words)
        # Schedulers ask twice; a second Ctrl-C is impatient.
        send(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_after_the_block_it_interrupts_again():
    with listening() as interruption:
        with interruption.deferred():
            pass
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)


def test_another_thread_leaves_signals_alone():
    found = []

    def listen():
        with listening() as interruption:
            found.append((signal.getsignal(signal.SIGINT), interruption.is_requested))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert found == [(before, False)]


def test_a_fork_ends_as_it_would():
    with listening():
        child = os.fork()
        if not child:
            try:
                send(signal.SIGTERM)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
