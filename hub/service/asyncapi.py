"""The AsyncAPI document of the live socket, made from the words of the domain."""

from __future__ import annotations

from typing import Any

from hub.domain.events import event_names
from hub.domain.topics import TopicKind
from hub.domain.views import ENTITIES, VIEWS

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def _messages() -> dict[str, dict[str, Any]]:
    topic = {
        "type": "string",
        "pattern": "^(administration|(" + "|".join(k for k in TopicKind if k != "administration") + "):.+)$",
    }
    entity = {"enum": list(ENTITIES)}
    change = _object(
        ("topic", "epoch", "offset", "entity", "id", "version", "op", "event", "at"),
        topic=topic, epoch=_COUNT, offset={"type": "integer", "minimum": 1}, entity=entity, id=_TEXT, version=_COUNT,
        op={"enum": ["put", "out", "delete"]}, row={"type": "object"}, event={"enum": list(event_names(ENTITIES))},
        at={"type": "string", "format": "date-time"},
    )  # fmt: skip
    return {
        "subscribe": _object(("topic",), topic=topic, epoch=_COUNT, offset=_COUNT, page=_COUNT),
        "unsubscribe": _object(("topic",), topic=topic),
        "authenticate": _object(("token",), token=_TEXT),
        "position": _object(("points",), points={"type": "array", "items": {"type": "object"}}),
        "seen": _object(("topic", "entity", "id", "version"), topic=topic, entity=entity, id=_TEXT, version=_COUNT),
        "change": change,
        "head": _object(
            ("at", "rate", "topics"),
            at=_TEXT,
            rate={"type": "number"},
            topics={"type": "object", "additionalProperties": _COUNT},
        ),
        "positions": _object(("topic", "riders"), topic=topic, riders={"type": "array", "items": {"type": "object"}}),
        "revoked": _object(("topic", "reason"), topic=topic, reason=_TEXT),
        "expiring": _object(("at",), at={"type": "number"}),
        "resync": _object(("topic",), topic=topic),
        "draining": _object(("reconnect_in_ms",), reconnect_in_ms=_COUNT),
        "closing": _object(("code", "reconnect"), code=_TEXT, reconnect={"type": "boolean"}),
    }


# An event that both sides send has one message each way; a message is called as its event otherwise.
EVENTS = {"positions": "position"}
CLIENT_SENDS = ("subscribe", "unsubscribe", "authenticate", "position", "seen")


def asyncapi_document(hub_host: str) -> dict[str, Any]:
    """AsyncAPI 3.0 for the default namespace; `x-views` says which fields an entity shows in each kind of topic."""
    messages = _messages()
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Hotpass live", "version": "1"},
        "servers": {"hub": {"host": hub_host, "protocol": "socketio", "pathname": "/socket.io/"}},
        "channels": {
            "live": {
                "address": "/",
                "messages": {
                    key: {"name": EVENTS.get(key, key), "payload": schema} for key, schema in messages.items()
                },
            }
        },
        "operations": {
            name: {
                "action": "receive" if name in CLIENT_SENDS else "send",
                "channel": {"$ref": "#/channels/live"},
                "messages": [{"$ref": f"#/channels/live/messages/{name}"}],
            }
            for name in messages
        },
        "x-views": {
            entity: {str(kind): list(fields) for kind, fields in kinds.items()} for entity, kinds in VIEWS.items()
        },
    }
