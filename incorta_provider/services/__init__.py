"""What of an Incorta site is no file and no database: nodes over SSH, the CMC, Analytics, and what is ready."""
