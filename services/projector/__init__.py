"""Projector: the job API and the Celery workers behind it."""
