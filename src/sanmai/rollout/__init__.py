"""From problems to graded groups to token batches."""
