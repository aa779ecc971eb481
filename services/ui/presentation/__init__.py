"""Texts, colours and small components that all features share."""
