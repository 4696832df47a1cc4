"""The tool that people write themselves: ``rsync --delete``, then ``mariadb-dump | mariadb``, in a loop.

Each of its parts is right, and most of its copies are good. What it lacks is what the provider adds: a joint moment of
files and metadata, and a copy that is either whole or not there. Tests cut it off at random moments and count how often
the simulator refuses to start on what it left.
"""
