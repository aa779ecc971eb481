"""The job store in Redis, and the life of a job."""
