"""What a measurement says before it begins, on a terminal where a bar moves already."""

import signal

from terminal import OnTerminal


def test_what_is_said_first_has_a_line_of_its_own(new_place):
    place = new_place()
    bench = OnTerminal("bench", "--quick", "--data-dir", place / "none", columns=200)
    shown, is_interrupted = "", False
    for some in bench.shown():
        shown += some
        if not is_interrupted and "for this measurement.\n" in shown:
            bench.process.send_signal(signal.SIGINT)
            is_interrupted = True
    bench.process.wait()
    assert f"\nNo stack is running on {place / 'none'}: starting one for this measurement.\n" in shown
