"""The second way: the target's server is a replica of the source's, held between recovery points.

It reads all that the source commits and applies none of it, until a recovery point is made: then exactly so much that
its data are the state that was counted at the source. So between two points the live schema is that of the last one, as
the files are.
"""
