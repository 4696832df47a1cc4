"""The files that recovery points need and the live replica does not have: what is kept, and what may go."""
