"""A cell of three database hosts goes on when one of them is lost, and takes it back."""

import os
import socket
import urllib.error
import urllib.request
from contextlib import suppress

import pytest

from command_line import finished
from desk import Desk
from hosts import Hosts
from tandem_stack.errors import StackError
from waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def accepts(address: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False


def require_cables(hosts: Hosts) -> None:
    if hosts.databases[0].namespace is None:
        pytest.skip("hosts without namespaces have no cables")


def test_the_status_names_hosts_and_roles_but_no_password(hosts: Hosts):
    hosts.create()
    said = finished("status", "--data-dir", hosts.up.data_dir).stdout
    assert "(primary)" in said
    assert "(synchronous standby)" in said
    assert all(host.name in said for host in hosts.cells[0].hosts)
    as_json = hosts.up.status()
    password = as_json["postgres"]["url"].split(":")[2].split("@")[0]
    assert password not in said
    assert [len(cell["hosts"]) for cell in as_json["cells"]] == [5]
    assert all(pid for host in as_json["cells"][0]["hosts"] for pid in host["pids"].values())


def test_only_the_load_balancer_listens_on_this_machines_own_address(hosts: Hosts):
    assert accepts("127.0.0.1", hosts.up.port)
    for host in hosts.databases:
        assert accepts(host.address, 5432)
    mine = [number for number in (2379, 2380, 8008, 27017) if accepts("127.0.0.1", number)]
    assert mine == []


def test_nobody_changes_etcd_or_patroni_without_a_password(hosts: Hosts):
    address = hosts.databases[0].address
    key = b'{"key": "L3NlcnZpY2Uv", "range_end": "L3NlcnZpY2Uw"}'
    for url, body in (
        (f"http://{address}:2379/v3/kv/range", key),
        (f"http://{address}:2379/v3/kv/deleterange", key),
        (f"http://{address}:8008/restart", b"{}"),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(url, body), timeout=5)
        assert refused.value.code in {400, 401}, (url, refused.value.read())


def test_commands_go_on_when_the_primarys_host_loses_its_power_and_it_comes_back_as_a_standby(hosts: Hosts):
    hosts.create()
    lost = hosts.primary()
    hosts.happen("kill", lost.name)
    assert not any(map(os.path.exists, (f"/proc/{pid}" for pid in lost.pids.values())))
    assert f"{lost.name}" in finished("status", "--data-dir", hosts.up.data_dir).stdout
    hosts.create()
    assert hosts.primary().name != lost.name
    dead = next(host for host in hosts.databases if host.name == lost.name)
    assert dead.is_dead
    assert set(dead.pids.values()) == {None}
    hosts.happen("boot", lost.name)
    eventually(lambda: hosts.roles().get(lost.name) in {"standby", "synchronous standby"}, "it is a standby")
    hosts.create()
    eventually(hosts.all_are_served, "all users are served")


def test_a_standbys_host_may_be_lost_without_a_pause(hosts: Hosts):
    primary = hosts.primary()
    lost = next(host for host in hosts.databases if host.name != primary.name)
    hosts.happen("kill", lost.name)
    hosts.create()
    assert hosts.primary().name == primary.name
    hosts.happen("boot", lost.name)
    eventually(lambda: lost.name in hosts.roles(), "it is a standby again")


def test_a_dead_patroni_is_started_again_and_its_postgresql_goes_on(hosts: Hosts):
    host = hosts.primary()
    os.kill(host.pids["patroni"], 9)

    def is_back() -> bool:
        now = next(each for each in hosts.databases if each.name == host.name)
        return now.pids["patroni"] not in {None, host.pids["patroni"]}

    eventually(is_back, "another Patroni runs")
    hosts.create()
    assert hosts.primary().pids["postgres"] == host.pids["postgres"]


def test_commands_go_on_when_the_primarys_cable_is_cut(hosts: Hosts):
    require_cables(hosts)
    lost = hosts.primary()
    hosts.happen("cut", lost.name)
    assert not accepts(lost.address, 5432)
    hosts.create()
    assert hosts.primary().name != lost.name
    hosts.happen("mend", lost.name)
    eventually(lambda: hosts.roles().get(lost.name) in {"standby", "synchronous standby"}, "it is a standby")
    eventually(hosts.all_are_served, "all users are served")


def test_a_primary_that_is_cut_off_from_its_standbys_alone_loses_nothing_either(hosts: Hosts):
    require_cables(hosts)
    lost = hosts.primary()
    hosts.happen("isolate", lost.name)
    assert accepts(lost.address, 8008)
    eventually(lambda: hosts.roles().get(lost.name) != "primary", "it is the primary no more")
    hosts.create()
    hosts.happen("mend", lost.name)
    eventually(lambda: hosts.roles().get(lost.name) in {"standby", "synchronous standby"}, "it is a standby")
    eventually(hosts.all_are_served, "all users are served")


def test_a_cable_may_lose_all_or_be_slow_and_be_mended(hosts: Hosts):
    require_cables(hosts)
    primary = hosts.primary()
    standby = next(host for host in hosts.databases if host.name != primary.name)
    try:
        hosts.happen("slow", standby.name, 0, 0, 100)
    except StackError as error:
        pytest.skip(str(error))
    assert not accepts(standby.address, 8008)
    hosts.happen("slow", standby.name, 5)
    eventually(lambda: accepts(standby.address, 8008), "it answers, slowly")
    hosts.happen("mend", standby.name)
    hosts.create()


def test_without_cables_a_cut_is_refused_and_says_what_is_needed(hosts: Hosts):
    if hosts.databases[0].namespace is not None:
        pytest.skip("hosts of root have cables")
    with pytest.raises(StackError, match="Start the stack as root"):
        hosts.happen("cut", hosts.databases[0].name)
    with pytest.raises(StackError, match="There is no host c9-db1"):
        hosts.happen("kill", "c9-db1")


def test_the_desk_takes_a_host_its_power_or_its_cable_and_gives_it_back(hosts: Hosts):
    desk = Desk(hosts.up)
    faults = {fault["name"]: fault for fault in desk.shown()["faults"]}
    standby = next(host for host in hosts.databases if host.name != hosts.primary().name)
    has_cables = standby.namespace is not None
    assert standby.name in faults["kill-host"]["targets"]
    assert ("cut-host" in faults) == has_cables
    for fault in ["kill-host", *(["cut-host"] if has_cables else [])]:
        struck = desk.strike(fault, target=standby.name, seconds=2)
        assert struck.status_code == 202, struck.text
        assert desk.strike("kill-host", target=standby.name).status_code == 409
        hosts.create()
        assert desk.until_over(struck.json()["id"])["state"] == "over"
    hosts.primary()  # all are there again


def test_the_desk_has_a_primary_hand_over(hosts: Hosts):
    before = hosts.primary().name
    struck = Desk(hosts.up).strike("failover-postgres")
    assert struck.status_code == 202, struck.text
    assert Desk(hosts.up).until_over(struck.json()["id"])["state"] == "over"
    assert hosts.primary().name != before
    assert hosts.create()
