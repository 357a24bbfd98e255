//! Key names and value types of the JSON equal those of the documents' samples
//! (`fixtures/seeds/*.json`); more keys may be there, none may be missing.

use crate::place::{DB, Place, fill, servers, wait_rows};
use crate::support::samples::{assert_like, assert_like_value, sample};
use crate::support::{serial, wait};

#[test]
fn the_answers_have_the_documents_form() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let place = Place::empty(&[from], to, "all");
    let source = place.json(&["operate-source", "create", "source-1.yaml"]);
    assert_like("33-operate-source.json", &source);
    assert_like("33-operate-source.json", &place.json(&["operate-source", "show"]));
    assert_like("02-start-task.json", &place.json(&["start-task", "task.yaml"]));
    wait_rows(to, "t", 2);
    let outcome = place.dm(&["query-status", "test"]).expect_success();
    assert!(outcome.stdout.starts_with("{\n    \"result\": true,\n    \"msg\": \"\",\n"));
    wait::until("the source's end is known", crate::place::PATIENCE, || {
        place.status("source-1")["sync"]["masterBinlog"].as_str().is_some_and(|at| !at.is_empty())
    });
    let status = place.json(&["query-status", "test"]);
    assert_like("02-query-status.json", &status);
    // Later releases of DM have these as well; 64-bit numbers are texts.
    let subtask = &status["sources"][0]["subTaskStatus"][0];
    assert_eq!(subtask.get("validation"), Some(&serde_json::Value::Null));
    for key in ["ioTotalBytes", "dumpIOTotalBytes", "totalRows", "totalRps", "recentRps"] {
        let number = subtask["sync"][key].as_str().map(str::parse::<u64>);
        assert!(matches!(number, Some(Ok(_))), "{key}: {status:#}");
    }
    // While all is well the manual's other samples have the same keys.
    assert_like("27-query-status-after-skip.json", &status);
    assert_like_value(
        "26-query-status-long.json",
        &sample("26-query-status-long.json")["sources"][0],
        &status["sources"][0],
    );
    let sync = &status["sources"][0]["subTaskStatus"][0]["sync"];
    let position = sync["syncerBinlog"].as_str().unwrap();
    assert!(position.starts_with('(') && position.contains(", "), "{position}");
    assert_like("06-query-status-short.json", &place.json(&["query-status"]));
    assert_like("34-pause-task.json", &place.json(&["pause-task", "test"]));
    to.run(DB, "INSERT INTO t VALUES (3, 'foreign')");
    from.run(DB, "INSERT INTO t VALUES (3, 'three')");
    place.json(&["resume-task", "test"]);
    place.wait_stage("source-1", "Paused");
    let status = place.json(&["query-status", "test"]);
    let result = &status["sources"][0]["subTaskStatus"][0]["result"];
    assert_eq!(result["isCanceled"], false);
    let message = result["errors"][0]["Message"].as_str().unwrap();
    let places = ["startLocation: [position: (", "], endLocation: [position: ("];
    assert!(places.iter().all(|place| message.contains(place)), "{message}");
    assert_like("29-error-36027.json", result);
    assert_like("34-pause-task.json", &place.json(&["stop-task", "test"]));
    assert_like("28-show-ddl-locks.json", &place.json(&["show-ddl-locks", "test"]));
}

#[test]
fn a_copy_has_the_documents_form() {
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    fill(from, "more");
    let place = Place::empty(&[from], to, "full");
    place.json(&["start-task", "task.yaml", "--source-file", "source-1.yaml"]);
    place.wait_stage("source-1", "Finished");
    let status = place.json(&["query-status", "test"]);
    let mut load = sample("26-query-status-long.json")["sources"][1].clone();
    assert_eq!(load["subTaskStatus"][0]["unit"], "Load");
    // The sample is of a copy that goes on, this one is finished: it has a result.
    load["subTaskStatus"][0]["result"] = serde_json::json!({"isCanceled": false, "errors": []});
    assert_like_value("26-query-status-long.json", &load, &status["sources"][0]);
    // The place of the copy, from which a stream would go on.
    let copy = &status["sources"][0]["subTaskStatus"][0]["load"];
    assert!(copy["metaBinlog"].as_str().is_some_and(|at| at.starts_with('(')), "{copy:#}");
    place.json(&["stop-task", "test"]);
}
