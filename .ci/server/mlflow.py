"""mlflow.py VENV PROGRAMS: what `docs_chat` sends to MLflow, read back through its REST API."""

import base64
import json

import common

EXPERIMENT = "docs_chat"
KINDS = {"agent": "AGENT", "span": "CHAIN", "tool": "TOOL", "retriever": "RETRIEVER", "generation": "LLM"}
STATUS = {"ok": "STATUS_CODE_OK", "error": "STATUS_CODE_ERROR"}


def plain(value):
    """An OTLP value in JSON as a value."""
    ((kind, inner),) = value.items() if value else (("none", None),)
    if kind == "array_value":
        return [plain(item) for item in inner.get("values", [])]
    if kind == "kvlist_value":
        return attributes(inner.get("values", []))
    return inner


def attributes(pairs):
    """Attributes in JSON as a dictionary."""
    return {pair["key"]: plain(pair["value"]) for pair in pairs}


def hexadecimal(text):
    """An id that is base64 in JSON."""
    return base64.b64decode(text).hex() if text else None


def check_span(found, recorded, trace):
    """One span."""
    said = attributes(found["attributes"])
    usage = said.get("mlflow.chat.tokenUsage")
    failures = [attributes(event["attributes"])["exception.message"] for event in found.get("events", [])]
    common.same(
        f"span {recorded['name']}",
        {
            "trace_id": hexadecimal(found["trace_id"]),
            "parent_id": hexadecimal(found.get("parent_span_id")),
            "name": found["name"],
            "kind": said["mlflow.spanType"],
            "status": found["status"]["code"],
            "status_message": found["status"].get("message") or None,
            "errors": failures,
            "input": said.get("mlflow.spanInputs"),
            "output": said.get("mlflow.spanOutputs"),
            "session": said.get("session.id"),
            "user": said.get("user.id"),
            "tokens": usage and (usage["input_tokens"], usage["output_tokens"]),
        },
        {
            "trace_id": trace["trace_id"],
            "parent_id": recorded["parent_id"],
            "name": recorded["name"],
            "kind": KINDS[recorded["span_type"]],
            "status": STATUS[recorded["status"]],
            "status_message": recorded["status_message"],
            "errors": [error["message"] for error in (recorded["details"] or {}).get("errors", [])],
            "input": recorded["input"],
            "output": recorded["output"],
            "session": trace["session"],
            "user": trace["user"],
            "tokens": common.tokens(recorded) if recorded["model"] else None,
        },
    )


def check_trace(server, info, trace):
    """One trace with its sums, and all its spans."""
    said = info["trace_metadata"]
    generations = [span for span in trace["spans"].values() if span["model"]]
    sums = json.loads(said["mlflow.trace.tokenUsage"])
    root = next(span for span in trace["spans"].values() if span["depth"] == 0)
    common.same(
        "trace",
        {
            "session": said["mlflow.trace.session"],
            "user": said["mlflow.trace.user"],
            "state": info["state"],
            "tokens": [(sums["input_tokens"], sums["output_tokens"])],
            "input": json.loads(info["request_preview"]),
            "output": json.loads(info["response_preview"]),
        },
        {
            "session": trace["session"],
            "user": trace["user"],
            "state": trace["status"].upper(),
            "tokens": [common.tokens(span) for span in generations],
            "input": root["input"],
            "output": root["output"],
        },
    )
    cost = json.loads(said["mlflow.trace.cost"])["total_cost"]
    common.near("cost of the trace", cost, sum(map(common.cost, generations)))
    found = common.ask("GET", f"{server}/api/3.0/mlflow/traces/get?trace_id={info['trace_id']}")["trace"]["spans"]
    ids = sorted(hexadecimal(span["span_id"]) for span in found)
    common.same("ids of the spans, each once", ids, sorted(trace["spans"]))
    for span in found:
        check_span(span, trace["spans"][hexadecimal(span["span_id"])], trace)
    print(f"  trace of {trace['user']}: {len(found)} spans, each once and as it was recorded, {sums['total_tokens']} tokens, ${cost:.6f}")


def main():
    """Starts MLflow, and looks."""
    port = common.free_port()
    server = f"http://127.0.0.1:{port}"
    command = [common.VENV / "bin" / "mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", 1]
    command += ["--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "artifacts"]
    env = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with common.Server(command, f"{server}/health", env):
        traces = common.run_example(
            OBSERVE_DESTINATIONS="mlflow", MLFLOW_TRACKING_URI=server, MLFLOW_EXPERIMENT_NAME=EXPERIMENT
        )
        # The destination has made it.
        named = f"{server}/api/2.0/mlflow/experiments/get-by-name?experiment_name={EXPERIMENT}"
        experiment = common.ask("GET", named)["experiment"]["experiment_id"]

        def search(**more):
            """Traces of the experiment."""
            place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
            return common.ask("POST", f"{server}/api/3.0/mlflow/traces/search", {"locations": [place], **more})["traces"]

        def all_there():
            """It answers before it has written them."""
            found = search(max_results=2 * len(traces))
            return len(found) >= len(traces) and found

        found = {info["trace_id"].removeprefix("tr-"): info for info in common.until("all traces", all_there)}
        common.same("ids of the traces", sorted(found), sorted(traces))
        for trace_id, info in found.items():
            check_trace(server, info, traces[trace_id])
        for session in sorted({trace["session"] for trace in traces.values()}):
            ids = {info["trace_id"] for info in search(filter=f"metadata.`mlflow.trace.session` = '{session}'")}
            expected = {f"tr-{trace_id}" for trace_id, trace in traces.items() if trace["session"] == session}
            common.same(f"traces of the session {session}", ids, expected)


main()
