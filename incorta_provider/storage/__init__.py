"""Files: the source's tree, the transfer into a workspace, the catalog of recovery points, and the live replica.

What a storage can do is said by ``tree`` (a source), ``target``, and ``volume`` (the file system of a target, here or
at a node); ``url`` finds the class for a URL. There is one package for each kind:

- ``local``: what is mounted here; ``ssh``: what is behind a node; ``s3``: buckets; ``fsspec_tree``: any other source.

How a recovery point comes to be, in this order:

- ``survey``: list the source and decide what must be copied;
- ``copying``: bring it into the workspace of the run, and prove it; ``flow``: how fast, how far, and what if it hangs;
- ``manifest``: the files of a point, and what differs from the point before;
- ``catalog``: the points and their seal; ``records``: what lies beside them, such as the ledger and the pins;
- ``apply``: make the live replica a point; ``vault``: the bytes that points need and the replica does not have;
- ``verify``, ``mending``: compare the replica with its point, and bring it back.
"""
