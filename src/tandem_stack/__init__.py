"""The local stack: PostgreSQL, MongoDB, instances and a load balancer as ordinary processes on 127.0.0.1.

Nothing here needs Docker or root. `tandem up` is two processes that watch each other (`guard`): the one that
was started, and its child, which starts the parts, restarts what dies and ends them all in order
(`supervisor`). Each kind of part has a module that says how it is prepared, started and asked whether it is
ready (`postgres`, `mongodb`, `instance`, `nginx`); `stack` puts them together. The `data_folder` holds what
is kept between runs.
"""
