"""The local stack: PostgreSQL, MongoDB, instances and a load balancer as ordinary processes on 127.0.0.1.

Nothing here needs Docker or root. `tandem up` is two processes that watch each other (`watchdog`): the one
that was started, and its child. The child starts the services, restarts those that die and ends them all in
order (`supervisor`). Each kind of service has a module that says how it is prepared and started, and how to
find out whether it is ready (`postgres`, `mongodb`, `instance`, `nginx`). `stack` puts them together.
`data_folder` has the files that are kept between runs.
"""
