"""Upload, and the uploaded image beside what the model kept of it."""

from dash import dcc, html
from dash.development.base_component import Component

from services.ui.presentation import texts
from services.ui.presentation.components import aria, bar, data, dot, fault, icon
from services.ui.presentation.vocabulary import Vocabulary
from services.ui.security.request_guard import LARGEST_BODY, too_large
from services.ui.session.state import Further, Query


def upload_panel() -> Component:
    """Where an image is dropped or chosen, and what is known of it."""
    zone = [
        icon("image"),
        html.Span(texts.UPLOAD_PROMPT, className="upload-prompt first"),
        html.Span(texts.UPLOAD_AGAIN, className="upload-prompt again"),
        html.Button("Choose a file", id="upload-button", className="button", type="button"),
        html.Span([texts.UPLOAD_KINDS, html.Br(), texts.UPLOAD_PRIVACY], className="upload-kinds muted"),
    ]
    upload = dcc.Upload(zone, id="upload", className="upload", className_active="upload over", style_active={})
    return html.Section(
        [
            html.H2("Image", className="sr-only"),
            html.Div(id="query-panel", className="query-panel", children=_pair(), hidden=True),
            html.Div(upload, id="upload-frame", className="upload-frame"),
            html.Div(fault(too_large(LARGEST_BODY), doing=texts.UPLOADING), id="upload-too-large", hidden=True),
            html.Div(id="upload-error"),
        ],
        className="side-section",
        **aria(label="Image"),
    )


def _pair() -> list[Component]:
    query = html.Figure(
        [html.Div(html.Img(id="query-image", alt="Your image"), className="picture"), html.Figcaption("Your image")]
    )
    kept = html.Figure(
        [
            html.Div(html.Img(id="reconstruction", alt="What the model kept of your image"), className="picture"),
            html.Figcaption("Reconstruction"),
        ]
    )
    forget = html.Button([icon("close"), "Forget"], id="forget", className="button quiet small", type="button")
    return [
        html.Div([query, kept], className="pair"),
        html.Div([html.Div(id="query-name", className="query-name"), forget], className="query-line"),
        _further(),
        html.Div(id="quality", role="status"),
        html.Div(id="class-head", className="class-head"),
    ]


def _further() -> Component:
    """A second upload, for other images of the same lesion."""
    button = html.Button([icon("plus"), texts.ADD_IMAGE], className="button quiet small", type="button")
    upload = dcc.Upload(button, id="upload-further", className="upload-further", style_active={})
    return html.Div([upload, html.Div(id="further-names"), html.Div(id="further-error")])


def further_names(further: list[Further]) -> Component | None:
    """The other images of the lesion by their names, each with a button that takes it away."""
    if not further:
        return None
    return html.Ul([_further_name(place, one.name) for place, one in enumerate(further)], className="further")


def _further_name(place: int, name: str) -> Component:
    drop = html.Button(
        icon("close"),
        id={"type": "drop-further", "place": place},
        className="bare",
        type="button",
        **aria(label=f"Take {name} away"),
    )
    return html.Li([html.Span(name, title=name), drop])


def query_name(query: Query) -> list[Component]:
    """Name and size of the uploaded image."""
    quality = query.encoded.quality
    size = f"{quality.width} × {quality.height} px"
    return [html.Strong(query.name, title=query.name), html.Span(size, className="muted")]


def quality(query: Query) -> Component | None:
    """What a clinician should know about the image itself; none if nothing is odd."""
    warnings = query.encoded.quality.warnings
    if not warnings:
        return None
    return html.Ul([html.Li(text) for text in warnings], className="warnings")


def class_head(query: Query, vocabulary: Vocabulary) -> list[Component]:
    """The head's probabilities as bars, most probable first."""
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
