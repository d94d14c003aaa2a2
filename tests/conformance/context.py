"""Lets the tools' own checks import what all tools share."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "python"))

import message_pack  # noqa: E402, F401
import websocket_client  # noqa: E402, F401
