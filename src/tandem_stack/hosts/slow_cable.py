"""A slow cable, as a program: hands frames on between a host and the switch, each after a while.

`python -m tandem_stack.hosts.slow_cable HOST DELAY_MS JITTER_MS LOSS_PERCENT`, in the switch's namespace. The
kernel could do it (netem), but many have no such module. Here two TAP devices, HOST-n and HOST-f, are the
ends of a cable, which the caller plugs in when this has said `ready`. It ends when its standard input does.
"""

import fcntl
import os
import random
import select
import struct
import sys
import time
from collections import deque

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
MOST_WAITING = 10_000  # frames each way; more are lost, as in a switch whose memory is full
AT_ONCE = 64  # so many are read before those that are due get their turn


def main(host: str, delay_ms: float, jitter_ms: float, loss_percent: float) -> None:
    """Make both ends, say `ready`, and hand frames on until the standard input ends."""
    ends = [_tap(f"{host}-n"), _tap(f"{host}-f")]
    print("ready", flush=True)  # noqa: T201 - this is how it speaks with the stack
    _relay(ends, delay_ms / 1000, jitter_ms / 1000, loss_percent / 100)


def _tap(name: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return descriptor


def _relay(ends: list[int], delay: float, jitter: float, loss: float) -> None:
    other = dict(zip(ends, reversed(ends), strict=True))
    # Frames on their way to each end, in order, with the moment at which each arrives.
    waiting: dict[int, deque[tuple[float, bytes]]] = {end: deque(maxlen=MOST_WAITING) for end in ends}
    poll = select.poll()
    for descriptor in (*ends, sys.stdin.fileno()):
        poll.register(descriptor, select.POLLIN)
    while True:
        arrivals = [frames[0][0] for frames in waiting.values() if frames]
        pause = max(0.0, min(arrivals) - time.monotonic()) * 1000 if arrivals else None
        # poll counts milliseconds. For less than one it is asked again and again.
        for descriptor, _ in poll.poll(pause if pause is None or pause >= 1 else 0):
            if descriptor not in other:
                return
            on_the_way = waiting[other[descriptor]]
            for frame in _frames(descriptor):
                if random.random() >= loss:  # noqa: S311
                    due = time.monotonic() + delay + random.random() * jitter  # noqa: S311
                    # None overtakes another, as on a real cable.
                    on_the_way.append((max(due, on_the_way[-1][0]) if on_the_way else due, frame))
        for end, frames in waiting.items():
            while frames and frames[0][0] <= time.monotonic():
                _send(end, frames.popleft()[1])


def _frames(descriptor: int) -> list[bytes]:
    frames: list[bytes] = []
    try:
        while len(frames) < AT_ONCE:
            frames.append(os.read(descriptor, 65_535))
    except OSError:  # none is left, or the device is not up yet
        return frames
    return frames


def _send(descriptor: int, frame: bytes) -> None:
    try:
        os.write(descriptor, frame)
    except OSError:  # a device that is down, or full, loses frames
        return


if __name__ == "__main__":
    try:
        main(sys.argv[1], *map(float, sys.argv[2:5]))
    except OSError as error:
        sys.exit(f"/dev/net/tun cannot be used ({error.strerror}).")
