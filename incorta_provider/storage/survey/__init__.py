"""The first half of a pass: list the source and decide what must be copied."""
