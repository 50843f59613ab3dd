"""What is told of the machine: our own CPU is not mistaken for that of others."""

import os
import subprocess
import sys

from tandem_lab.bench.probe import Usage
from tandem_lab.bench.proc import MachineTimes, all_below, cpu_us, machine_times, main_threads_us

BURN = "import time\nwhile time.process_time() < 0.3: pass"


def usage(at, busy_us, ours_us, **more):
    found = {"cpu_us": {}, "event_loops_us": 0, "core_wait_us": {}, "wal_bytes": 0, "journal_bytes": 0}
    machine = MachineTimes(at, busy_us, more.pop("disk_wait_us", 0))
    return Usage(machine=machine, ours_us=ours_us, **found | more)


def test_what_is_neither_ours_nor_idle_is_that_of_others():
    before, after = usage(10.0, 1_000_000, 500_000), usage(12.0, 5_000_000, 3_000_000)
    # 4 s of CPU in 2 s, of which 2.5 s are ours.
    assert after.others_busy(before) == 0.75


def test_ticks_that_were_rounded_do_not_make_others_negative():
    assert usage(11.0, 990_000, 1_000_000).others_busy(usage(10.0, 0, 0)) == 0


def test_waits_are_threads_and_cores_in_the_mean():
    before = usage(10.0, 0, 0, core_wait_us={"postgres": 100})
    after = usage(12.0, 0, 0, core_wait_us={"postgres": 3_000_100}, disk_wait_us=500_000)
    assert after.waiting_for_core(before) == {"postgres": 1.5}
    assert after.waiting_for_disk(before) == 0.25


def test_cpu_each_divides_what_was_used_meanwhile():
    before, after = usage(0.0, 0, 0, cpu_us={"nginx": 100}), usage(1.0, 0, 0, cpu_us={"nginx": 1_100})
    assert after.cpu_each(before, 10) == {"nginx": 100.0}
    assert after.cpu_each(before, 0) == {"nginx": 1_000.0}


def test_the_cpu_of_a_child_that_has_ended_stays_its_parents():
    before, machine_before = cpu_us([os.getpid()]), machine_times().busy_us
    subprocess.run([sys.executable, "-c", BURN], check=True)
    # It had 0.3 s, of which the kernel's ticks hide some.
    assert cpu_us([os.getpid()]) - before >= 200_000
    assert machine_times().busy_us - machine_before >= 200_000


def test_a_process_below_two_roots_counts_once():
    child = subprocess.Popen([sys.executable, "-c", f"{BURN}\nprint(flush=True)\ninput()"], **PIPES)
    child.stdout.readline()
    assert child.pid in {process.pid for process in all_below([os.getpid()])}
    both, alone = cpu_us([os.getpid(), child.pid]), cpu_us([os.getpid()])
    child.communicate(b"\n")
    # This process goes on between the two questions; the child has had its 0.3 s before.
    assert abs(both - alone) < 200_000


def test_other_threads_of_a_process_do_not_count_as_its_main_one():
    burn = f"import threading\nother = threading.Thread(target=exec, args=[{BURN!r}])\n"
    wait = "other.start()\nother.join()\nprint(flush=True)\ninput()"
    child = subprocess.Popen([sys.executable, "-c", burn + wait], **PIPES)
    child.stdout.readline()
    main, whole = main_threads_us([child.pid]), cpu_us([child.pid])
    child.communicate(b"\n")
    # The other thread had 0.3 s, of which the kernel's ticks hide some.
    assert main <= whole - 200_000


def test_a_process_that_is_gone_has_used_nothing():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert cpu_us([child.pid]) == main_threads_us([child.pid]) == 0


PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
