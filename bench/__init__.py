"""How fast: vrfbgp, BIRD, FRR and the bare kernel, measured in turn on the same input (`make bench`).

Like the labs, nothing here imports the product: it is started as a user starts it. Nothing here is a test,
and no test depends on it.

    feed        what the routers announce: made from a seed, kept under .cache/bench
    router      a bare BGP speaker that sends a feed as fast as TCP takes it   (a process of its own)
    raw         the kernel's own limit: batches of netlink messages, made before the clock starts   (likewise)
    probe       datagrams at 1 kHz through the tables   (likewise)
    script      how those three are started, told and listened to
    stage       the node, the routers and the wires between them, in network namespaces
    tables      when a table holds what it should, seen cheaply from outside
    gauge       CPU seconds and memory of the processes under test
    lock        how long the kernel's lock had to be waited for
    contender   what is measured: `bird`, `frr`, `vrfbgp`, each a module of its own
    play        a contender on a stage, under the gauge
    fill, withdraw, failover, churn, restart, idle      what is done to it, a function for each measure
    scenarios   all of them, with their sizes and limits
    report      medians, ratios, the table, JSON
"""
