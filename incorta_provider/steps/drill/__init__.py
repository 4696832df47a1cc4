"""Drills: the plan is tried out beside the replica, in isolation, and cleaned up; it shows what a cutover takes."""
