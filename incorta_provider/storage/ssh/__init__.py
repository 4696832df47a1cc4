"""Storage behind a node that is reached over SSH: an agent of our own for control, rsync for bytes.

Read in this order: ``wire`` (how the two ends talk), ``agent`` and ``agent_work`` (what runs at the node), ``bundle``
and ``node_agent`` (how it gets there, is called), ``tree`` (the source), ``rsync`` and ``routes`` (how bytes travel),
``volume`` and ``target`` (the replica and its vault at the node).
"""
