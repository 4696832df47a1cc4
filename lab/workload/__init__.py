"""The work that a site does while it is being replicated: load jobs, uploads and clean-up, on real data.

A load job behaves like Incorta's from 5.1 on: new versions of some tables beside the live ones, then one transaction in
the metadata, then the snapshots, then the removal of versions that nothing names any more. Each commit has one counter,
in the metadata and in every Parquet row, and a line in a log outside of the sites: so that
:mod:`lab.incorta.checker` can say afterwards which commits a restored site has, and that it has none of them half.
"""
