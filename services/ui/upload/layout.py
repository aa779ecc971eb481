"""Upload, and the uploaded image beside its reconstruction."""

from dash import dcc, html
from dash.development.base_component import Component

from casekin.contracts.encoder import EncodeResponse
from services.ui.presentation import texts
from services.ui.presentation.components import aria, bar, data, dot, icon
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.session.stores import AdditionalImage, Query


def upload_panel() -> Component:
    """Where images are dropped or chosen, and what the encoder says of the first."""
    zone = [
        icon("image"),
        html.Span(texts.UPLOAD_PROMPT, className="upload-prompt first"),
        html.Span(texts.UPLOAD_AGAIN, className="upload-prompt again"),
        html.Button("Choose files", id="upload-button", className="button", type="button"),
        html.Span([texts.UPLOAD_KINDS, html.Br(), texts.UPLOAD_PRIVACY], className="upload-kinds muted"),
    ]
    upload = dcc.Upload(
        zone, id="upload", multiple=True, className="upload", className_active="upload over", style_active={}
    )
    return html.Section(
        [
            html.H2("Image", className="sr-only"),
            html.Div(id="query-panel", className="query-panel", children=_pair(), hidden=True),
            html.Div(upload, id="upload-frame", className="upload-frame"),
            html.Div(id="upload-error"),
            html.Div([], id="additional-errors"),
        ],
        className="side-section",
        **aria(label="Image"),
    )


def _pair() -> list[Component]:
    query = html.Figure(
        [
            html.Div(html.Img(id="query-image", alt="Your image"), id="query-picture", className="picture"),
            html.Figcaption("Your image"),
        ]
    )
    reconstruction = html.Figure(
        [
            html.Div(html.Img(id="reconstruction", alt="Your image as the model reconstructs it"), className="picture"),
            html.Figcaption("Reconstruction"),
        ]
    )
    forget = html.Button([icon("close"), "Forget"], id="forget", className="button quiet small", type="button")
    return [
        html.Div([query, reconstruction], className="pair"),
        html.Div([html.Div(id="query-name", className="query-name"), forget], className="query-line"),
        _additional(),
        html.Div(id="quality", role="status"),
        html.Div(id="class-head", className="class-head"),
    ]


def _additional() -> Component:
    """A second upload, for additional images of the same lesion."""
    button = html.Button([icon("plus"), texts.ADD_IMAGE], className="button quiet small", type="button")
    upload = dcc.Upload(button, id="upload-additional", multiple=True, className="upload-additional", style_active={})
    return html.Div([upload, html.Div(id="additional-names")])


def additional_image_names(images: list[AdditionalImage]) -> Component | None:
    """The additional images of the lesion by their names, each with a button that removes it."""
    if not images:
        return None
    return html.Ul([_additional_name(place, one.name) for place, one in enumerate(images)], className="additional")


def _additional_name(place: int, name: str) -> Component:
    remove = html.Button(
        icon("close"),
        id={"type": "remove-additional", "place": place},
        className="bare",
        type="button",
        **aria(label=f"Remove {name}"),
    )
    return html.Li([html.Span(name, title=name), remove])


def query_name(query: Query) -> list[Component]:
    """Name and size of the uploaded image."""
    quality = query.encoded.quality
    size = f"{quality.width} × {quality.height} px"
    return [html.Strong(query.name, title=query.name), html.Span(size, className="muted")]


def picture_class(encoded: EncodeResponse) -> str:
    """The class of the frame around the uploaded image: it is shown turned where it was encoded so."""
    return "picture turned" if encoded.quality.turned else "picture"


def quality(query: Query) -> Component | None:
    """Warnings about the image itself; none if there are none."""
    warnings = query.encoded.quality.warnings
    if not warnings:
        return None
    return html.Ul([html.Li(text) for text in warnings], className="warnings")


def class_head(query: Query, vocabulary: Vocabulary) -> list[Component]:
    """The class head's probabilities as bars, most probable first."""
    ranked = sorted(query.encoded.probabilities.items(), key=lambda entry: -entry[1])
    rows = [
        html.Li(
            [
                html.Span([dot(vocabulary.colour(code)), html.Span(vocabulary.diagnosis(code))], className="head-name"),
                bar(share, colour=vocabulary.colour(code)),
                html.Span(texts.percent(share), className="figure"),
            ],
            **data(diagnosis=code),
        )
        for code, share in ranked
    ]
    return [html.H3(texts.CLASS_HEAD), html.Ul(rows)]
