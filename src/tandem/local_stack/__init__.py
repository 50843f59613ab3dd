"""The local stack: PostgreSQL, MongoDB, instances and a load balancer as ordinary processes on 127.0.0.1.

Nothing here needs Docker or root. `tandem up` is two processes that watch each other (`guard`): the one that
was started, and the supervisor, which starts the parts in order, restarts what dies and ends them in reverse order
(`supervisor`). Each server has a module that says how it is initialised, started and asked whether it is ready
(`postgres`, `mongodb`, `nginx`, `instance`); `stack` puts them together. All that is kept between runs lives in the data
folder (`data_folder`).
"""
