"""byoid: bring your own identity."""
