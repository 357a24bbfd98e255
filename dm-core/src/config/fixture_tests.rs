//! Runs every YAML file of the fixture directories against the expectation beside it.
//!
//! A case is `NAME.yaml` with `NAME.expect`. Adding one needs no Rust: write the file, run the test, compare
//! what it prints. Lines of an expectation:
//!
//! ```text
//! kind: task | source | fragment     what the file is; a fragment is a part of a task (default: task)
//! sources: id ...                    sources that the task names, made up by the test
//! with: FILE                         a source file of the same directory
//! instance: {...}                    what a fragment's instance says besides its source-id
//! mode: MODE                         a fragment's task-mode (default: all)
//! env: NAME=value                    a variable that is set
//! problem: CODE LINE KEY             a mistake that must be found
//! warning: LINE KEY                  a doubt that must be raised
//! # ...                              why
//! ```
//!
//! Nothing else may be found. A place in the file that the test made up has no line: `-`.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

#[derive(Default)]
struct Expect {
    kind: String,
    mode: String,
    sources: Vec<String>,
    with: Vec<String>,
    instance: String,
    env: Vec<(String, String)>,
    found: Vec<String>,
}

fn expectation(text: &str) -> Expect {
    let mut expect = Expect { kind: "task".into(), mode: "all".into(), ..Expect::default() };
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let (word, value) = line.split_once(": ").unwrap_or((line, ""));
        let words = || value.split_whitespace().map(str::to_owned);
        match word {
            "kind" => expect.kind = value.into(),
            "mode" => expect.mode = value.into(),
            "sources" => expect.sources.extend(words()),
            "with" => expect.with.extend(words()),
            "instance" => expect.instance = value.into(),
            "env" => {
                let (name, value) = value.split_once('=').unwrap();
                expect.env.push((name.into(), value.into()));
            }
            "problem" | "warning" => expect.found.push(line.into()),
            other => panic!("`{other}` is no line of an expectation"),
        }
    }
    expect.found.sort();
    expect
}

const TARGET: &str = "target-database: {host: 10.0.0.1, port: 4000, user: root}";

/// The texts of a case: the task first.
fn texts(path: &Path, text: &str, expect: &Expect) -> Vec<(String, String)> {
    let made_up = |id: &String| {
        let text = format!("source-id: {id}\nfrom: {{host: 10.0.0.2, user: root}}\n");
        ("made-up".to_owned(), text)
    };
    let mut texts = match expect.kind.as_str() {
        "task" => vec![("main".to_owned(), text.to_owned())],
        "source" => {
            let mode = &expect.mode;
            let ids: Vec<_> =
                expect.sources.iter().map(|id| format!("{{source-id: {id}}}")).collect();
            let task = format!(
                "name: t\ntask-mode: {mode}\n{TARGET}\nmysql-instances: [{}]\n",
                ids.join(", ")
            );
            return vec![("made-up".to_owned(), task), ("main".to_owned(), text.to_owned())];
        }
        "fragment" => {
            let mut task = format!("{text}\n");
            let rest = [
                ("name:", "name: fragment".to_owned()),
                ("task-mode:", format!("task-mode: {}", expect.mode)),
                ("target-database:", TARGET.to_owned()),
                (
                    "mysql-instances:",
                    format!(
                        "mysql-instances: [{{source-id: s{}{}}}]",
                        if expect.instance.is_empty() { "" } else { ", " },
                        expect.instance.trim_matches(['{', '}'])
                    ),
                ),
            ];
            for (key, line) in rest {
                if !text.lines().any(|l| l.starts_with(key)) {
                    task.push_str(&line);
                    task.push('\n');
                }
            }
            vec![("main".to_owned(), task)]
        }
        other => panic!("`{other}` is no kind"),
    };
    let none = expect.kind == "fragment" && expect.sources.is_empty();
    let ids = if none { vec!["s".to_owned()] } else { expect.sources.clone() };
    texts.extend(ids.iter().map(made_up));
    for file in &expect.with {
        texts.push((file.clone(), fs::read_to_string(path.with_file_name(file)).unwrap()));
    }
    texts
}

/// What reading a case finds, in the form of an expectation.
fn found(path: &Path, text: &str, expect: &Expect) -> Vec<String> {
    let texts = texts(path, text, expect);
    let sources: Vec<_> = texts.iter().map(|(name, text)| SourceText { name, text }).collect();
    let env =
        |name: &str| expect.env.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    let file = |_: &str| Ok("from-a-file\nsecond line\n".to_owned());
    let lookup = Lookup { env: &env, file: &file, key: SecretKey::built_in() };
    let (task, sources) = sources.split_first().unwrap();
    let (problems, warnings) = match TaskPlan::from_yaml_with(task, sources, &lookup) {
        Ok((plan, warnings)) => {
            let printed = format!("{plan:?}");
            assert!(!printed.contains("123456"), "a password is printed: {printed}");
            (Vec::new(), warnings)
        }
        Err(p) => (p.problems, p.warnings),
    };
    let lines = text.lines().count();
    let line = |file: &str, at: Option<Span>| match at {
        Some(at) if file == "main" && at.line as usize <= lines => at.line.to_string(),
        _ => "-".to_owned(),
    };
    let problems = problems
        .iter()
        .map(|p| format!("problem: {} {} {}", p.code.number, line(&p.file, p.at), p.key));
    let warnings = warnings.iter().map(|w| format!("warning: {} {}", line(&w.file, w.at), w.key));
    let mut found: Vec<_> = problems.chain(warnings).map(|l| l.trim_end().to_owned()).collect();
    found.sort();
    found
}

fn cases(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(directory);
    let mut paths: Vec<_> = fs::read_dir(&directory)
        .unwrap_or_else(|e| panic!("{}: {e}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .filter(|path| path.with_extension("expect").exists())
        .collect();
    paths.sort();
    paths
}

fn run(directory: &str, at_least: usize) {
    let cases = cases(directory);
    assert!(cases.len() >= at_least, "{} cases in {directory}", cases.len());
    let mut wrong = String::new();
    for path in cases {
        let text = fs::read_to_string(&path).unwrap();
        let expect = expectation(&fs::read_to_string(path.with_extension("expect")).unwrap());
        let found = found(&path, &text, &expect);
        if found != expect.found {
            wrong += &format!(
                "\n{}\nexpected:\n  {}\nfound:\n  {}\n",
                path.display(),
                expect.found.join("\n  "),
                found.join("\n  ")
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn seeds_behave_as_their_notes_say() {
    run("seeds", 25);
}

#[test]
fn wrong_files_are_told_at_their_lines() {
    run("config/bad", 20);
}

#[test]
fn right_files_are_taken() {
    run("config/good", 4);
}

#[test]
fn recorded_answers_are_json() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/seeds");
    let mut count = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "json") {
            let text = fs::read_to_string(&path).unwrap();
            let json: Result<serde_json::Value, _> = serde_json::from_str(&text);
            assert!(json.is_ok(), "{}: {json:?}", path.display());
            assert!(path.with_extension("about").exists(), "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 8, "{count}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// Whatever becomes of a file, it is read or refused with a reason.
    #[test]
    fn damaged_files_are_read_or_refused(
        case in 0_usize..100,
        edits in proptest::collection::vec((0_usize..100, 0_u8..5), 1..4),
    ) {
        let cases: Vec<_> = cases("seeds").into_iter().chain(cases("config/good")).collect();
        let path = &cases[case % cases.len()];
        let text = fs::read_to_string(path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (line, edit) in edits {
            let line = line % lines.len();
            match edit {
                0 if lines.len() > 1 => drop(lines.remove(line)),
                1 => lines.insert(line, lines[line].clone()),
                2 => lines[line] = lines[line].trim_start().to_owned(),
                3 => lines[line] = format!("  {}", lines[line]),
                _ => lines[line] = lines[line].replace([':', '"'], ""),
            }
        }
        let text = lines.join("\n");
        let file = SourceText { name: "damaged", text: &text };
        for (task, sources) in [(&file, &[][..]), (&file, std::slice::from_ref(&file))] {
            if let Err(p) = TaskPlan::from_yaml(task, sources, &|_| None) {
                proptest::prop_assert!(!p.problems.is_empty(), "refused without a reason:\n{text}");
            }
        }
    }
}
