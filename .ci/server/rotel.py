"""rotel.py VENV PROGRAMS: what `docs_chat` sends to rotel, a collector, comes out of it unchanged.

A recorder stands on both sides of rotel: what passes through the first is forwarded to rotel, which exports to the
second. Each span must come out once, and equal to what went in, down to the last attribute.
"""

import base64
import gzip
import itertools
import json

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import common

PROTOCOLS = {"http/protobuf": "application/x-protobuf", "http/json": "application/json"}
COMPRESSIONS = ("none", "gzip")
IDS = ("traceId", "spanId", "parentSpanId")


def request_of_json(text):
    """OTLP's JSON differs from protobuf's in that ids are hexadecimal."""
    request = json.loads(text)
    for resource in request["resourceSpans"]:
        for span in itertools.chain.from_iterable(scope["spans"] for scope in resource["scopeSpans"]):
            for thing in (span, *span.get("links", [])):
                thing.update({key: base64.b64encode(bytes.fromhex(thing[key])).decode() for key in IDS if key in thing})
    return json_format.ParseDict(request, ExportTraceServiceRequest())


class Recorder:
    """Keeps every span that is sent to it."""

    def __init__(self, then):
        self.spans, self.kinds, self.then = [], set(), then

    def take(self, path, headers, body):
        """A request, which is answered as `then` says."""
        kind, encoding = headers["content-type"], headers.get("content-encoding")
        self.kinds.add((kind, encoding))
        plain = gzip.decompress(body) if encoding == "gzip" else body
        request = request_of_json(plain) if kind == "application/json" else ExportTraceServiceRequest.FromString(plain)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans += [(span.span_id.hex(), resource.resource, scope.scope, span) for span in scope.spans]
        return self.then(path, headers, body)


def arrived(*_):
    """The answer of a receiver that has it all."""
    return 200, {"content-type": "application/x-protobuf"}, b""


def forward(rotel):
    """Passes a request on, and the answer back."""

    def to_rotel(path, headers, body):
        sent = {key: value for key, value in headers.items() if key.lower() in ("content-type", "content-encoding")}
        status, answer = common.http_call("POST", rotel + path, body, sent)
        answer = json.dumps(answer).encode() if isinstance(answer, dict) else answer
        return status, {"content-type": headers["content-type"]}, answer

    return to_rotel


def check(protocol, compression):
    """One run of the example."""
    receives, grpc = common.free_port(), common.free_port()
    after = Recorder(arrived)
    with common.Listener(after.take) as behind:
        command = [next(common.VENV.glob("lib/python*/site-packages/rotel/rotel-agent")), "start", "--pid-file", "pid"]
        command += ["--otlp-http-endpoint", f"127.0.0.1:{receives}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}"]
        command += ["--log-file", "log", "--exporter", "otlp", "--otlp-exporter-protocol", "http"]
        command += ["--otlp-exporter-endpoint", behind.url]
        rotel = f"http://127.0.0.1:{receives}"
        before = Recorder(forward(rotel))
        with common.Server(command, rotel), common.Listener(before.take) as front:
            traces = common.run_example(
                OBSERVE_DESTINATIONS="otlp",
                OTEL_EXPORTER_OTLP_ENDPOINT=front.url,
                OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
                OTEL_EXPORTER_OTLP_COMPRESSION=compression,
            )
            common.until("all spans", lambda: len(after.spans) >= len(before.spans))
    encoding = None if compression == "none" else compression
    common.same("form of the requests", before.kinds, {(PROTOCOLS[protocol], encoding)})
    recorded = sorted(span_id for trace in traces.values() for span_id in trace["spans"])
    for what, recorder in (("sent", before), ("exported by rotel", after)):
        common.same(f"ids of the spans that were {what}, each once", sorted(span[0] for span in recorder.spans), recorded)
    sent = {span[0]: span[1:] for span in before.spans}
    for span_id, *span in after.spans:
        for what, found, expected in zip(("resource", "scope", "span"), span, sent[span_id]):
            common.same(f"{what} of {expected}", found, expected)
    print(f"  {len(recorded)} spans went through rotel, each once and unchanged")


def main():
    """Every form in which spans are sent."""
    for protocol, compression in itertools.product(PROTOCOLS, COMPRESSIONS):
        print(f"  {protocol}, compression {compression}")
        check(protocol, compression)


main()
