"""The plan tried out in isolation beside the replica, then cleaned up: what it takes, and proof that it works."""
