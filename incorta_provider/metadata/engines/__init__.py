"""What differs between database servers: one file an engine."""
