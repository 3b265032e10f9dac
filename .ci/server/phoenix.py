"""phoenix.py VENV PROGRAMS: what `docs_chat` sends to Arize Phoenix, read back through its REST and GraphQL APIs."""

import json
import urllib.parse

import common

PROJECT = "docs chat"
KINDS = {"agent": "AGENT", "span": "CHAIN", "tool": "TOOL", "retriever": "RETRIEVER", "generation": "LLM"}
SESSION = """query($id: String!) { getProjectSessionById(sessionId: $id) {
  sessionId userId numTraces numTracesWithError tokenUsage { prompt completion } costSummary { total { cost } }
  firstInput { value } lastOutput { value }
} }"""
COSTS = """query($id: ID!) { node(id: $id) { ... on Span { tokenCountPrompt tokenCountCompletion costSummary { total { cost } } } } }"""


def query(server, text, **variables):
    """The data of a GraphQL answer."""
    answer = common.ask("POST", f"{server}/graphql", {"query": text, "variables": variables})
    assert "errors" not in answer, answer
    return answer["data"]


def written(value):
    """An input or output as it stands in an attribute: a text as it is, all else as JSON."""
    return value if isinstance(value, str) or value is None else json.dumps(value)


def read(value, kind):
    """The same from what the server has."""
    return json.dumps(json.loads(value)) if kind == "application/json" else value


def check_span(server, found, recorded, trace):
    """One span, and what it cost."""
    attributes = found["attributes"]
    common.same(
        f"span {recorded['name']}",
        {
            "trace_id": found["context"]["trace_id"],
            "parent_id": found["parent_id"],
            "name": found["name"],
            "kind": found["span_kind"],
            "status": found["status_code"],
            "status_message": found["status_message"] or None,
            "errors": [event["attributes"]["exception.message"] for event in found["events"]],
            "input": read(attributes.get("input.value"), attributes.get("input.mime_type")),
            "output": read(attributes.get("output.value"), attributes.get("output.mime_type")),
            "session": attributes.get("session.id"),
            "user": attributes.get("user.id"),
            "tags": attributes.get("tag.tags"),
            "model": attributes.get("llm.model_name"),
        },
        {
            "trace_id": trace["trace_id"],
            "parent_id": recorded["parent_id"],
            "name": recorded["name"],
            "kind": KINDS[recorded["span_type"]],
            "status": recorded["status"].upper(),
            "status_message": recorded["status_message"],
            "errors": [error["message"] for error in (recorded["details"] or {}).get("errors", [])],
            "input": written(recorded["input"]),
            "output": written(recorded["output"]),
            "session": trace["session"],
            "user": trace["user"],
            "tags": trace["tags"],
            "model": recorded["model"],
        },
    )
    if recorded["model"]:
        counted = query(server, COSTS, id=found["id"])["node"]
        common.same("tokens", (counted["tokenCountPrompt"], counted["tokenCountCompletion"]), common.tokens(recorded))
        common.near("cost", counted["costSummary"]["total"]["cost"], common.cost(recorded))


def check_session(server, session, traces):
    """What Phoenix made of one session, out of its `traces` in their order."""
    found = query(server, SESSION, id=session)["getProjectSessionById"]
    spans = [span for trace in traces for span in trace["spans"].values()]
    generations = [span for span in spans if span["model"]]
    root = [next(span for span in trace["spans"].values() if span["depth"] == 0) for trace in traces]
    prompt, completion = (sum(part) for part in zip(*map(common.tokens, generations)))
    cost = found.pop("costSummary")["total"]["cost"]
    common.same(
        f"session {session}",
        {**found, "firstInput": json.loads(found["firstInput"]["value"]), "lastOutput": found["lastOutput"]["value"]},
        {
            "sessionId": session,
            "userId": traces[0]["user"],
            "numTraces": len(traces),
            "numTracesWithError": sum(any(s["status"] == "error" for s in t["spans"].values()) for t in traces),
            "tokenUsage": {"prompt": prompt, "completion": completion},
            "firstInput": root[0]["input"],
            "lastOutput": root[-1]["output"],
        },
    )
    common.near("cost of the session", cost, sum(map(common.cost, generations)))
    print(f"  session of {found['userId']}: {len(traces)} traces, {prompt} + {completion} tokens, ${cost:.6f}")


def main():
    """Starts Phoenix, and looks."""
    port = common.free_port()
    server = f"http://127.0.0.1:{port}"
    env = {
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(common.free_port()),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
        "PHOENIX_LOGGING_LEVEL": "warning",
    }
    with common.Server([common.VENV / "bin" / "phoenix", "serve"], f"{server}/healthz", env):
        traces = common.run_example(
            OBSERVE_DESTINATIONS="phoenix", PHOENIX_COLLECTOR_ENDPOINT=server, PHOENIX_PROJECT_NAME=PROJECT
        )
        expected = {span_id: (span, trace) for trace in traces.values() for span_id, span in trace["spans"].items()}
        listed = f"{server}/v1/projects/{urllib.parse.quote(PROJECT)}/spans?limit={2 * len(expected)}"

        def spans():
            """It answers before it has written them."""
            status, answer = common.http_call("GET", listed)
            return status == 200 and len(answer["data"]) >= len(expected) and answer["data"]

        found = common.until("all spans", spans)
        ids = sorted(span["context"]["span_id"] for span in found)
        common.same("ids of the spans, each once", ids, sorted(expected))
        for span in found:
            check_span(server, span, *expected[span["context"]["span_id"]])
        print(f"  {len(found)} spans, each once and as it was recorded")
        for session in sorted({trace["session"] for trace in traces.values()}):
            of_session = [trace for trace in traces.values() if trace["session"] == session]
            check_session(server, session, sorted(of_session, key=lambda trace: trace["start"]))


main()
