"""The local stack on several hosts that are made of this machine, for `tandem up --hosts`.

A *cell* is a PostgreSQL and a MongoDB, on one host or replicated over three, and instances on hosts of their
own. `cell` starts one, of `etcd`, `patroni`, and the same servers as without hosts. `hosts_stack` starts all
cells, and HAProxy (`balancer`) in front of them. As root each host is a network namespace (`namespaces`),
otherwise an address of the loopback interface (`loopback`); `network` says what both can do.

Which cells there are to be is in the data folder (`desired`). Who wants to change that, or to let faults
happen to hosts, says it over a socket in the data folder (`control`).
"""
