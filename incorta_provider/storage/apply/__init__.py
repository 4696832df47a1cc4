"""Make the live replica a recovery point: plan, journal, and from then on only forward."""
