"""A small simulator of Incorta that keeps its documented scripts, ports and REST calls.

What it is for: a copy of a site proves nothing by existing. The simulator *opens* the copy, as Incorta would, and
refuses to start, with the reason, when files and metadata do not belong together or when a value of the other site is
left (:mod:`lab.incorta.consistency`).

Four roles, each a process: ``agent`` starts and stops the services of its node, ``cmc`` shows the cluster,
``loaderService`` runs scheduled jobs, ``analyticsService`` answers queries.
"""
