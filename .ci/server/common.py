"""What the checks of real servers share. Standard library only.

Each check is called as `CHECK.py VENV PROGRAMS`: the virtual environment with the server in it, and the directory of our
own programs. It starts the server on a port of its own on loopback, runs the example `docs_chat` with a chat model that
is a stand-in, sends what the example records to the server and to the local store, and compares the two.
"""

import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

VENV, PROGRAMS = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute()
# A machine that does other things as well needs longer; what takes this long does not work.
PATIENCE = 180
# What OpenAI charges for a million tokens of the model that the stand-in says it is.
MODEL = "gpt-4o-mini-2024-07-18"
PRICES = {"input": 0.15, "cache_read": 0.075, "output": 0.60}


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def http_call(method, url, body=None, headers=None):
    """Status and body of an answer; a dictionary is sent, and an answer that is JSON given, as JSON."""
    headers = dict(headers or {})
    if isinstance(body, dict):
        body, headers["content-type"] = json.dumps(body).encode(), "application/json"
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, kind, text = answer.status, answer.headers.get_content_type(), answer.read()
    except urllib.error.HTTPError as error:
        status, kind, text = error.code, error.headers.get_content_type(), error.read()
    return status, json.loads(text) if kind == "application/json" and text else text


def ask(method, url, body=None):
    """The body of an answer that must be a good one."""
    status, answer = http_call(method, url, body)
    assert status == 200, (method, url, status, answer)
    return answer


def until(what, probe):
    """What `probe` gives, once it gives something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := probe():
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {PATIENCE} s")


class Server:
    """A process that serves until the end of the `with`; every process that it started ends with it."""

    def __init__(self, command, ready, env=None):
        self.command, self.ready, self.env = [str(part) for part in command], ready, env or {}
        self.home = pathlib.Path(tempfile.mkdtemp())

    def __enter__(self):
        self.log, begun = self.home / "log", time.monotonic()
        with open(self.log, "wb") as log:
            env = {"PATH": f"{VENV}/bin:{os.environ['PATH']}", "HOME": str(self.home), **self.env}
            self.process = subprocess.Popen(
                self.command, cwd=self.home, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            until(self.command[0], self.answers)
        except BaseException:
            self.__exit__(AssertionError)
            raise
        print(f"  ready after {time.monotonic() - begun:.0f} s")
        return self

    def answers(self):
        """Whether it is ready."""
        assert self.process.poll() is None, "it ended by itself"
        try:
            return http_call("GET", self.ready)[0] < 500
        except OSError:
            return False

    def __exit__(self, kind, *_):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        if kind:
            print(self.log.read_text(errors="replace")[-4000:], file=sys.stderr)
        shutil.rmtree(self.home, ignore_errors=True)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers requests with what `take` of its server makes of their body."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """Any request that sends something."""
        body = self.rfile.read(int(self.headers["content-length"]))
        status, headers, answer = self.server.take(self.path, self.headers, body)
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Nothing."""


class Listener:
    """A server of ours, in a thread, until the end of the `with`."""

    def __init__(self, take):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.take = take
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def answer_as_model(_path, _headers, body):
    """What OpenAI's API would answer, with as many tokens as the question has characters."""
    question = json.loads(body)["messages"][-1]["content"]
    usage = {
        "prompt_tokens": 1000 + len(question),
        "prompt_tokens_details": {"cached_tokens": 400},
        "completion_tokens": 200,
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": f"You asked: {question}"}}
    answer = {"object": "chat.completion", "model": MODEL, "choices": [choice], "usage": usage}
    return 200, {"content-type": "application/json"}, json.dumps(answer).encode()


def run_example(**env):
    """Runs `docs_chat` with `env`, which says where it sends to; gives what the local store has of it: traces by their
    ids, each with its `spans` by theirs."""
    with tempfile.TemporaryDirectory() as home, Listener(answer_as_model) as model:
        env = {"PATH": os.environ["PATH"], "HOME": home, "OBSERVE_DIR": home, "OPENAI_BASE_URL": model.url, **env}
        env["OBSERVE_DESTINATIONS"] += ",local"
        done = subprocess.run([PROGRAMS / "examples" / "docs_chat", "--once"], env=env, capture_output=True, text=True)
        # The library says on stderr what went wrong.
        assert done.returncode == 0 and not done.stderr, (done.returncode, done.stderr)

        def observe(*args):
            said = subprocess.run([PROGRAMS / "observe", *args, "--json"], env=env, capture_output=True, text=True, check=True)
            return json.loads(said.stdout)

        traces = [observe("trace", item["trace_id"]) for item in observe("traces")["items"]]
    recorded = {trace["trace_id"]: {**trace, "spans": {span["span_id"]: span for span in trace["spans"]}} for trace in traces}
    spans = [span for trace in recorded.values() for span in trace["spans"].values()]
    generations = [span for span in spans if span["span_type"] == "generation"]
    assert len(recorded) == 6 and len(generations) == 6 and sum(span["status"] == "error" for span in spans) == 1, spans
    assert all(span["model"] == MODEL and span["usage"] for span in generations), generations
    print(f"  recorded: {len(recorded)} traces of {len(spans)} spans")
    return recorded


def tokens(span):
    """Tokens of a generation as platforms add them up: all that went in, and all that came out."""
    usage = span["usage"]
    return usage["input"] + usage.get("cache_read", 0), usage["output"] + usage.get("reasoning", 0)


def cost(span):
    """What a generation cost, in dollars, by the price list of the servers."""
    return sum(span["usage"][bucket] * price for bucket, price in PRICES.items()) / 1e6


def same(what, found, expected):
    """Fails if the two differ, and says how."""
    if found == expected:
        return
    if isinstance(found, dict) and isinstance(expected, dict):
        keys = [key for key in {**found, **expected} if found.get(key) != expected.get(key)]
        found, expected = {key: found.get(key) for key in keys}, {key: expected.get(key) for key in keys}
    raise AssertionError(f"{what}\n  at the server: {found}\n  recorded:      {expected}")


def near(what, found, expected):
    """The same for sums of money, which add up in another order."""
    assert found is not None and abs(found - expected) < 1e-9, f"{what}: {found} at the server, {expected} recorded"
