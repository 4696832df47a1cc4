"""The second half of a pass: bring what is pending into the run's workspace, and prove it."""
