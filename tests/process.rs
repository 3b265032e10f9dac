//! Whole processes: what they leave behind when they end, and what they say when something is wrong.
//!
//! Each test runs this binary again with `ROLE` set; [`role`] is what the child does then.
#![allow(clippy::print_stdout, reason = "a child tells its results that way")]

#[path = "support/child.rs"]
mod child;

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use child::{child, said};
use observe::observe;
use observe_store::{RecordQuery, SqliteStore, Store, TraceQuery};

#[observe]
fn work(number: u32) -> u32 {
    helper(number) * 2
}

#[observe]
fn helper(number: u32) -> u32 {
    number + 1
}

/// What the child does; in the parent's run of the test list, nothing.
#[test]
fn role() {
    let Ok(role) = env::var("ROLE") else { return };
    match role.as_str() {
        "guard" => {
            let _observe = observe::init();
            println!("result {}", work(20));
        }
        "served" => {
            let _observe = observe::init();
            let parent = observe::SpanId::from_seed("a caller elsewhere");
            observe::trace_context(observe::TraceId::from_seed("served"), parent).sync_scope(|| work(20));
            let report = observe::flush(std::time::Duration::from_secs(10));
            assert!(report.complete, "{report:?}");
            // Not at the end of the process alone: the line below stands after the trace.
            eprintln!("flushed");
        }
        "judges later" => {
            let _observe = observe::init();
            let (trace, span) =
                (observe::TraceId::from_seed("served"), observe::SpanId::from_seed("a caller elsewhere"));
            observe::score("quality", 0.9).comment("to the point").on_trace(trace).record();
            observe::score("polite", true).on_span(trace, span).record();
            observe::score("mood", "cheerful").on_session("conversation-9").record();
            observe::metric("tickets", 2).on_trace(trace).persist().record();
        }
        "named" => {
            let _observe = observe::init();
            let scope = observe::attributes().name("by scope").version("1").environment("staging");
            scope.sync_scope(|| work(20));
            observe::span("root").sync_scope(|| {
                work(20);
                let whole = observe::current_trace().name("by word").version("2");
                whole.environment("testing").release("r7");
            });
        }
        "exit" => {
            std::mem::forget(observe::init());
            println!("result {}", work(20));
            std::process::exit(0);
        }
        "no init" => {
            println!("result {}", work(20));
            println!("result {}", work(20));
        }
        "thread" => {
            let _observe = observe::init();
            let thread = std::thread::spawn(|| println!("result {}", work(20)));
            thread.join().unwrap();
        }
        "twice" => {
            let _first = observe::init();
            let _second = observe::init();
            println!("result {}", work(20));
        }
        "much" => {
            let _observe = observe::init();
            #[observe]
            fn large(n: u32) -> String {
                (0..4_000)
                    .map(|i| char::from(b'a' + (n.wrapping_mul(31).wrapping_add(i * 7) % 26) as u8))
                    .collect()
            }
            println!("result {}", (0..1_000).map(|n| large(n).len()).sum::<usize>());
        }
        other => panic!("unknown role {other}"),
    }
}

/// Runs `role` with its data in `directory`.
fn run(role: &str, directory: &Path, variables: &[(&str, &str)]) -> Output {
    let output = child(role).env("OBSERVE_DIR", directory).envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

fn results(output: &Output) -> usize {
    String::from_utf8_lossy(&output.stdout).lines().filter(|l| l.ends_with("result 42")).count()
}

/// The names of the spans in the directory's only trace, parents first.
fn recorded(directory: &Path) -> Vec<String> {
    let store = SqliteStore::open_read_only(directory.join("observe.db")).unwrap();
    let traces = store.traces(&TraceQuery::default()).unwrap().items;
    assert_eq!(traces.len(), 1, "{traces:?}");
    let trace = store.trace(traces[0].trace_id).unwrap().unwrap();
    trace.spans.into_iter().map(|s| s.name).collect()
}

#[test]
fn every_orderly_end_of_a_process_keeps_its_spans() {
    for role in ["guard", "exit", "thread", "twice"] {
        let directory = tempfile::tempdir().unwrap();
        let output = run(role, directory.path(), &[]);
        assert_eq!((results(&output), said(&output)), (1, vec![]), "{role}");
        assert_eq!(recorded(directory.path()), ["work", "helper"], "{role}");
        let write_ahead_log = directory.path().join("observe.db-wal");
        assert!(fs::metadata(write_ahead_log).map_or(0, |m| m.len()) == 0, "{role} closed its database");
    }
}

#[test]
fn a_program_that_never_calls_init_records_and_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let output = run("no init", directory.path(), &[]);
    assert_eq!((results(&output), said(&output)), (2, vec![]));
    let output = run("no init", directory.path(), &[("OBSERVE_DEBUG", "1")]);
    let said = said(&output);
    assert!(said.len() == 1 && said[0].contains("before observe::init()"), "{said:?}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn switched_off_nothing_is_recorded() {
    for variable in [("OBSERVE_ENABLED", "false"), ("OBSERVE_DESTINATIONS", "none")] {
        let directory = tempfile::tempdir().unwrap();
        let output = run("guard", directory.path(), &[variable]);
        assert_eq!((results(&output), said(&output)), (1, vec![]));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "{variable:?}");
    }
}

#[test]
fn the_console_prints_a_finished_trace_as_a_tree() {
    let directory = tempfile::tempdir().unwrap();
    let output = run("guard", directory.path(), &[("OBSERVE_DESTINATIONS", "console")]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = stderr.lines().collect();
    assert!(lines[0].starts_with("trace "), "{stderr}");
    assert!(
        lines[1].starts_with("└─ work [span] ") && lines[1].ends_with(r#"<- {"number":20}  -> 42"#),
        "{stderr}"
    );
    assert!(
        lines[2].starts_with("   └─ helper [span] ") && lines[2].ends_with(r#"<- {"number":20}  -> 21"#),
        "{stderr}"
    );
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn the_console_prints_what_belongs_to_a_trace_of_another_service_when_its_top_span_has_ended() {
    let directory = tempfile::tempdir().unwrap();
    let output = run("served", directory.path(), &[("OBSERVE_DESTINATIONS", "console")]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = stderr.lines().collect();
    assert!(lines[0].starts_with("trace "), "{stderr}");
    assert!(lines[1].starts_with("└─ work [span] "), "{stderr}");
    assert!(lines[2].starts_with("   └─ helper [span] "), "{stderr}");
    assert_eq!(lines[3..], ["flushed"], "{stderr}");
}

#[test]
fn a_later_process_judges_what_another_one_recorded() {
    let directory = tempfile::tempdir().unwrap();
    run("served", directory.path(), &[]);
    assert_eq!(said(&run("judges later", directory.path(), &[])), Vec::<String>::new());
    let store = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
    let trace = store.trace(observe::TraceId::from_seed("served")).unwrap().unwrap();
    let mut scores: Vec<_> = trace.scores.iter().map(|score| &score.record).collect();
    scores.sort_by_key(|score| &score.name);
    let names: Vec<_> = scores.iter().map(|score| score.name.as_str()).collect();
    assert_eq!((trace.spans.len(), names), (2, vec!["polite", "quality"]));
    assert_eq!(scores[0].target.span_id, Some(observe::SpanId::from_seed("a caller elsewhere")));
    assert_eq!(scores[1].comment.as_deref(), Some("to the point"));
    assert_eq!(trace.metrics[0].record.value, 2.0);
    let session = RecordQuery { session: Some("conversation-9".into()), ..RecordQuery::default() };
    assert_eq!(store.scores(&session).unwrap().items[0].record.name, "mood");
}

#[test]
fn a_name_from_a_scope_or_from_inside_is_the_traces_in_the_lists() {
    let directory = tempfile::tempdir().unwrap();
    let output = run("named", directory.path(), &[("OBSERVE_RELEASE", "process's")]);
    assert!(output.status.success(), "{output:?}");
    let store = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
    let mut told: Vec<_> = store.traces(&TraceQuery::default()).unwrap().items;
    told.sort_by_key(|trace| trace.start);
    let told: Vec<_> = told
        .iter()
        .map(|t| {
            [Some(t.name.as_str()), t.version.as_deref(), t.release.as_deref(), t.environment.as_deref()]
        })
        .collect();
    let expected = [["by scope", "1", "process's", "staging"], ["by word", "2", "r7", "testing"]];
    assert_eq!(told, expected.map(|texts| texts.map(Some)));
}

#[test]
fn a_wrong_setting_is_reported_and_the_rest_works() {
    let directory = tempfile::tempdir().unwrap();
    let variables = [
        ("OBSERVE_DESTINATIONS", "locale,local"),
        ("OBSERVE_ENABLED", "maybe"),
        ("OBSERVE_SAMPLE_RATE", "7"),
    ];
    let output = run("guard", directory.path(), &variables);
    let said = said(&output).join("\n");
    for part in ["`locale`", "OBSERVE_ENABLED=maybe", "OBSERVE_SAMPLE_RATE=7"] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(recorded(directory.path()), ["work", "helper"]);
}

#[test]
fn a_data_directory_that_cannot_be_written_gives_one_line() {
    let directory = tempfile::tempdir().unwrap();
    // A file where the directory should be stops root too, whom permissions do not.
    let file = directory.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    let locked = directory.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
    let is_root = fs::write(locked.join("probe"), "").is_ok();
    for path in [Some(file.join("data")), (!is_root).then_some(locked)].into_iter().flatten() {
        let output = run("guard", &path, &[]);
        assert_eq!(results(&output), 1);
        let said = said(&output);
        assert!(said.len() == 1 && said[0].contains("OBSERVE_DIR"), "{said:?}");
    }
}

#[test]
fn a_journal_that_cannot_be_kept_gives_one_line_and_the_spans_arrive() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("journal"), "not a directory").unwrap();
    let output = run("guard", directory.path(), &[]);
    let said = said(&output);
    assert!(said.len() == 1 && said[0].contains("if the process is killed"), "{said:?}");
    assert_eq!(recorded(directory.path()), ["work", "helper"]);
}

#[test]
fn an_orderly_end_leaves_no_journal() {
    let directory = tempfile::tempdir().unwrap();
    run("guard", directory.path(), &[]);
    assert_eq!(fs::read_dir(directory.path().join("journal")).unwrap().count(), 0);
}

#[test]
fn a_damaged_database_is_set_aside_and_a_new_one_begun() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("observe.db");
    let damaged = [b'x'; 10_000];
    fs::write(&database, damaged).unwrap();
    let output = run("guard", directory.path(), &[]);
    assert_eq!(results(&output), 1);
    let said = said(&output);
    assert!(said.len() == 1 && said[0].contains("set aside as"), "{said:?}");
    assert_eq!(recorded(directory.path()), ["work", "helper"]);
    let aside = fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().path());
    let aside: Vec<_> = aside.filter(|p| p.to_string_lossy().contains(".corrupt-")).collect();
    assert_eq!(fs::read(&aside[0]).unwrap(), damaged);
}

/// A file system of 1 MB. Mounting one takes root, which CI has; elsewhere a limit on file sizes stands in.
#[test]
fn a_full_disk_gives_one_line_and_leaves_the_results_alone() {
    let directory = tempfile::tempdir().unwrap();
    let mount = |args: &[&str]| Command::new(args[0]).args(&args[1..]).arg(directory.path()).status();
    let mounted = mount(&["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs"]).is_ok_and(|s| s.success());
    let output = if mounted {
        run("much", directory.path(), &[])
    } else {
        let script =
            format!("ulimit -f 900; exec {:?} --exact role --nocapture", env::current_exe().unwrap());
        let mut command = Command::new("sh");
        command.args(["-c", &script]).env("ROLE", "much").env("OBSERVE_DIR", directory.path());
        command.output().unwrap()
    };
    if mounted {
        mount(&["umount"]).unwrap();
    }
    let said = said(&output);
    assert!(String::from_utf8_lossy(&output.stdout).contains("result 4000000"), "{output:?}");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(!mounted || said[0].contains("disk is full"), "{said:?}");
}
