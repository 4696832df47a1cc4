"""ZooKeeper: who is active, who works on a group right now, and whether an ensemble has its quorum."""
