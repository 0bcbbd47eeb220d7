"""The model behind the `anthropic` SDK: Claude, Claude on Vertex and Bedrock, or any server that speaks its protocol."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2
from anthropic import AsyncStream

from llm.body import body_of, json_bytes
from llm.clients import AnthropicClient
from llm.errors import ModelError, ModelRefusesRequest, ModelUnavailable
from llm.failures import SDK_ERRORS, request_id_of, translated
from llm.messages import JsonObject, ModelReply, ModelRequest
from llm.model import Progress
from llm.reply import ReplyInProgress, broken, reply_of
