//! The `observe` command as a user runs it.

#[path = "../src/test_data.rs"]
mod test_data;

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use observe_store::SqliteStore;
use serde_json::Value;
use tempfile::TempDir;

/// The command with a database of its own, named by `OBSERVE_DIR`.
struct Fixture(TempDir);

impl Fixture {
    fn filled() -> Self {
        let fixture = Self(tempfile::tempdir().unwrap());
        test_data::fill(&mut SqliteStore::open(fixture.database()).unwrap());
        fixture
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("observe.db")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_observe"));
        command.args(args).env("OBSERVE_DIR", self.0.path()).env_remove("CLICOLOR_FORCE");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn stdout(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Exit code and stderr.
    fn failure(&self, args: &[&str]) -> (i32, String) {
        let output = self.run(args);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn sessions_are_a_table_and_json_on_request() {
    let fixture = Fixture::filled();
    let table = fixture.stdout(&["sessions"]);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].contains("support/7") && lines[1].contains("Where is my order 1001?"), "{table}");
    assert!(lines[2].contains('—'), "unknown tokens are not 0: {table}");
    let page: Value = serde_json::from_str(&fixture.stdout(&["sessions", "--json"])).unwrap();
    let traces: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|s| s["traces"].as_u64().unwrap()).collect();
    assert_eq!(traces, [3, 1]);
}

#[test]
fn traces_are_narrowed_and_paged() {
    let fixture = Fixture::filled();
    let json = |args: &[&str]| serde_json::from_str::<Value>(&fixture.stdout(args)).unwrap();
    let count = |page: &Value| page["items"].as_array().unwrap().len();
    assert_eq!(count(&json(&["traces", "--json"])), 5);
    assert_eq!(count(&json(&["traces", "--json", "--session", "support/7"])), 3);
    assert_eq!(count(&json(&["traces", "--json", "--status", "error"])), 1);
    assert_eq!(count(&json(&["traces", "--json", "--project", "other"])), 0);
    let first = json(&["traces", "--json", "--limit", "4"]);
    let cursor = first["next"].as_str().unwrap();
    assert_eq!(count(&json(&["traces", "--json", "--after", cursor])), 1);
    assert!(fixture.stdout(&["traces", "--limit", "4"]).contains(cursor), "the table names the next page");
}

#[test]
fn a_trace_is_a_tree_that_says_what_failed() {
    let fixture = Fixture::filled();
    let id = test_data::failing_trace().to_string();
    let tree = fixture.stdout(&["trace", &id]);
    let lines: Vec<_> = tree.lines().skip(4).collect();
    assert_eq!(tree.lines().nth(2), Some("scores: verdict half right"), "{tree}");
    assert!(tree.lines().nth(1).unwrap().ends_with("  ! 3 spans dropped"), "{tree}");
    assert!(lines[0].starts_with("✓ assist") && lines[0].contains("  ! 3 spans dropped here  "), "{tree}");
    assert!(lines[1].starts_with("├─ ✓ find_orders"), "{tree}");
    assert!(lines[2].starts_with("├─ ✗ change_address") && lines[2].contains("250 ms"), "{tree}");
    assert!(lines[2].ends_with("address service refused: unknown street"), "{tree}");
    assert!(lines[3].starts_with("└─ ✓ complete"), "{tree}");
    assert_eq!(lines[4..], ["     quality true · quality 0.5"], "{tree}");
    let json: Value = serde_json::from_str(&fixture.stdout(&["trace", &id, "--json"])).unwrap();
    assert_eq!(json["spans"].as_array().unwrap().len(), 4);
}

#[test]
fn a_trace_says_what_was_said_of_it_and_why_its_spans_failed() {
    let tree = Fixture::filled().stdout(&["trace", &test_data::running_trace().to_string()]);
    let lines: Vec<_> = tree.lines().collect();
    assert!(lines[0].starts_with("index_catalogue  … running"), "{tree}");
    assert!(lines[1].contains(" · version 3 · release r7 · environment staging"), "{tree}");
    assert_eq!(lines[2..5], ["failed: the address was not changed", r#"summary: {"steps":3}"#, ""], "{tree}");
    assert!(lines[5].starts_with("… index_catalogue"), "{tree}");
    let below = ["  shop::Refused: address service refused ← unknown street", "  first token after 120 ms"];
    assert_eq!(lines[6..], below, "{tree}");
}

#[test]
fn colours_are_for_terminals() {
    let fixture = Fixture::filled();
    assert!(!fixture.stdout(&["traces"]).contains('\u{1b}'));
    let forced =
        fixture.command(&["traces"]).env("CLICOLOR_FORCE", "1").env_remove("NO_COLOR").output().unwrap();
    assert!(String::from_utf8(forced.stdout).unwrap().contains('\u{1b}'));
}

#[test]
fn the_exit_code_tells_failure_from_wrong_usage() {
    let fixture = Fixture::filled();
    let unknown = "00000000000000000000000000000001";
    for (args, code, reason) in [
        (&["trace", unknown][..], 1, "there is no trace 00000000000000000000000000000001"),
        (&["trace", "xyz"], 2, "32 lower-case hexadecimal digits"),
        (
            &["sessions", "--database", "/nowhere/observe.db"],
            1,
            "there is no database at /nowhere/observe.db",
        ),
        (&["sessions", "--limit", "0"], 2, "0 is not in 1..=1000"),
        (&["traces", "--status", "bad"], 2, "expected one of running, ok, error"),
        (&["traces", "--after", "nonsense"], 1, "start again from the first page"),
        (&["view", "--listen", "nowhere"], 2, "invalid socket address"),
        (&["view", "--listen", "0.0.0.0:0"], 1, "set a token (--token)"),
        (&[], 2, "Usage"),
    ] {
        let (got, stderr) = fixture.failure(args);
        assert_eq!(got, code, "{args:?}: {stderr}");
        assert!(stderr.contains(reason), "{args:?}: {stderr}");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let (code, stderr) = Fixture::filled().failure(&["view", "--listen", &addr]);
    assert_eq!(code, 1);
    assert!(stderr.contains(&format!("{addr} is in use")), "{stderr}");
}

#[test]
fn the_view_prints_where_it_is_and_answers_there() {
    let fixture = Fixture::filled();
    let mut command = fixture.command(&["view", "--listen", "localhost:0"]);
    let mut viewer = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(viewer.stdout.take().unwrap()).lines();
    let url = lines.next().unwrap().unwrap();
    assert!(lines.next().unwrap().unwrap().contains(&fixture.database().display().to_string()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer =
        runtime.block_on(async { reqwest::get(format!("{url}api/v1/sessions")).await?.text().await });
    viewer.kill().unwrap();
    viewer.wait().unwrap();
    assert_eq!(
        answer.unwrap().trim(),
        fixture.stdout(&["sessions", "--json"]).trim(),
        "the JSON is the API's"
    );
}
