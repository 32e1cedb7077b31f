"""The optimizer step, and the run folder that survives anything."""
