"""Files: the source's tree, the transfer into a workspace, the catalog of recovery points, and the live replica.

Read in this order: ``tree`` (what a source can do), ``local``; ``target`` (what a target can do), ``volume`` (the file
system of one, here or at a node), ``local_target``; ``workspace``, ``survey``, ``transfer``, ``checks`` (how a recovery
point's files come together); ``catalog`` (how it is sealed); ``apply``, ``verify`` (how the live replica becomes it).
"""
