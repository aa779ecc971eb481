"""Clients of the services: the only place that imports httpx."""

from casekin.clients.encoder import EncoderClient
from casekin.clients.projector import ProjectorClient
from casekin.clients.search import SearchClient

__all__ = ["EncoderClient", "ProjectorClient", "SearchClient"]
