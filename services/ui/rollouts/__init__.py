"""Rollouts, and names of dimensions."""
