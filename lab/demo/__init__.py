"""The whole story on two real sites: replicate, drill, lose the primary in the middle of a load job, cut over, compare.

One file a chapter, in this order: :mod:`~lab.demo.stage` (a clean start), :mod:`~lab.demo.primary`,
:mod:`~lab.demo.replication`, :mod:`~lab.demo.drill`, :mod:`~lab.demo.disaster`, :mod:`~lab.demo.cutover`,
:mod:`~lab.demo.comeback`, :mod:`~lab.demo.checks`, :mod:`~lab.demo.summary`.
:mod:`~lab.demo.story` tells them one after the other.
"""
