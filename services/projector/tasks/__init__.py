"""What workers run: one handler for each kind of job."""
