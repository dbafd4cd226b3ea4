"""What fan-out costs: deliveries per second of server CPU, latency, losses and memory, server beside server.

A measurement is one server, started afresh on one core, and one load on another core: a C program, or
a smaller Python one where there is no compiler. Servers take turns within a round, and what counts is
the ratio to the C ceiling *of the same round*, so that a busy machine disturbs both alike.

    cli       options, the order of runs       servers   what is compared and how it is started
    build     the C parts                      machine   cores, processes, readiness
    workloads W1 to W7, one measurement each   search    the highest rate that is delivered in time
    figures   medians, ratios, needs (pure)    report    tables (pure)
    disk      what one fdatasync costs         progress  the line on stderr
    loadgen.c, pyload.py  the load             limit.c, threaded.py  two of the servers
"""
