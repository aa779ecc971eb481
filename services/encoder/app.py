"""The composition root of the encoder."""

from fastapi import FastAPI

from casekin.bundle import open_bundle
from casekin.service.app import create_service
from services.encoder.model import Model
from services.encoder.routes import encoder_routes
from services.encoder.settings import EncoderSettings
from services.encoder.workers import Workers


def create_app(settings: EncoderSettings) -> FastAPI:
    """The encoder with its bundle loaded; raises `BundleRefused` where the bundle cannot be used."""
    model = Model(open_bundle(settings.bundle), threads=settings.threads, decode_batch=settings.decode_batch)
    workers = Workers(concurrency=settings.concurrency, waiting=settings.waiting)
    return create_service("encoder", settings, [encoder_routes(model, workers)], ready=_loaded)


def _loaded() -> None:
    """Nothing more to check: an application without its bundle is never made."""
