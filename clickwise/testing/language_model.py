"""An OpenAI-compatible server on loopback for tests and benchmarks, with faults to choose from.

What it answers is `clickwise.testing.writer`'s. It also takes `POST /mode/<mode>`, so that a test
can change its mind while other processes use it: `python -m clickwise.testing.language_model`
prints its address and serves until it is ended.
"""

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self, cast, get_args

import msgspec

from clickwise.testing.writer import MODEL, Mode, reply_to, within
from clickwise.writing.port import Message, estimated_tokens

SLOW_SECONDS = 0.3


class _Turn(msgspec.Struct):
    role: str
    content: str


class _Asked(msgspec.Struct):
    model: str
    messages: list[_Turn]
    max_tokens: int = 16
    temperature: float = 1.0


class LanguageModel:
    """The server, in a thread of this process until the end of the `with` block."""

    def __init__(self, mode: Mode = "good", *, key: str = "") -> None:
        """`key`: calls without it are refused (empty: everybody may ask)."""
        self.mode: Mode = mode
        self.calls = 0
        self._key = key
        self._stopping = threading.Event()
        model = self

        class Handler(BaseHTTPRequestHandler):
            """Answers by the model's mode."""

            def do_POST(self) -> None:
                """Chat, or another mode."""
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                model._answer(self, body)  # its own handler

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its base's name
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        """Of loopback."""
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        """Its root."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """What CLICKWISE_TEXTS_URL takes."""
        return f"{self.address}/v1"

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End; calls that hang are dropped."""
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if handler.path.startswith("/mode/"):
            mode = handler.path.removeprefix("/mode/")
            if mode in get_args(Mode):
                self.mode = cast("Mode", mode)
            _send(handler, 200 if mode == self.mode else 404, {"mode": self.mode})
            return
        self.calls += 1
        if self._key and handler.headers.get("authorization") != f"Bearer {self._key}":
            _send(handler, 401, {"error": {"message": "wrong key"}})
            return
        mode = self.mode
        if mode == "hung":
            while self.mode == "hung" and not self._stopping.wait(0.05):
                pass
            handler.close_connection = True
            return
        if mode == "error":
            _send(handler, 500, {"error": {"message": "out of order"}})
            return
        if mode == "slow":
            time.sleep(SLOW_SECONDS)
        _send(handler, 200, _chat(msgspec.json.decode(body, type=_Asked), mode))


def _chat(asked: _Asked, mode: Mode) -> dict[str, object]:
    messages = [
        Message("system" if turn.role == "system" else "user", turn.content)
        for turn in asked.messages
    ]
    said = reply_to(messages, mode)
    text = within(said, asked.max_tokens)
    prompt = sum(estimated_tokens(message.content) for message in messages)
    return {
        "id": "chat-1",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop" if text == said else "length",
                "message": {"role": "assistant", "content": text},
            }
        ],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": estimated_tokens(text),
            "total_tokens": prompt + estimated_tokens(text),
        },
    }


def _send(handler: BaseHTTPRequestHandler, status: int, value: object) -> None:
    body = msgspec.json.encode(value)
    try:
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
    except OSError:
        handler.close_connection = True  # whoever asked has gone


def main() -> int:
    """Serve until standard input ends."""
    with LanguageModel() as model:
        sys.stdout.write(f"{model.address}\n")
        sys.stdout.flush()
        sys.stdin.buffer.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
