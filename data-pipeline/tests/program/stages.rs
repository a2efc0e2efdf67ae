//! Stages run one by one over a shared directory.

use crate::{Place, comparable, entries};

const STAGES: [&str; 5] = ["extract", "transform", "aggregate", "report", "cleanup"];

#[test]
fn one_by_one_the_stages_make_the_same_report_and_print_the_same_lines() {
    let (whole, stepwise) = (Place::new(), Place::new());
    let expected = whole.succeed(&[]);
    let lines: String = STAGES.map(|stage| stepwise.succeed(&[stage]).stdout + "\n").concat();
    let expected =
        expected.stdout.split_once('\n').unwrap().1.replace("Pipeline completed successfully!\n", "");
    let report = |place: &Place| place.reports()[0].to_str().unwrap().to_owned();
    assert_eq!(lines.replace(&report(&stepwise), "R"), expected.replace(&report(&whole), "R"));
    assert_eq!(comparable(whole.report()), comparable(stepwise.report()));
    assert_eq!(stepwise.report().stages.len(), 3);
    stepwise.assert_clean();
}

#[test]
fn a_stage_starts_only_where_the_one_before_has_left_what_it_needs() {
    let place = Place::new();
    let refused = |stage: &str, before: &str, there: &str| {
        let ended = place.run(&[stage]);
        assert_eq!(ended.status, Some(1), "{stage}: {ended:?}");
        let temp = place.path("temp");
        let expected = format!(
            "failed: `{stage}` needs what `{before}` leaves in {}, and there is {there}\n",
            temp.display()
        );
        assert!(ended.stdout.ends_with(&expected), "{ended:?} for {expected}");
    };
    refused("transform", "extract", "nothing");
    refused("aggregate", "transform", "nothing");
    refused("report", "aggregate", "nothing");
    place.succeed(&["extract"]);
    refused("aggregate", "transform", "what `extract` has left");
    place.succeed(&["transform"]);
    refused("report", "aggregate", "what `transform` has left");
    refused("transform", "extract", "what `transform` has left");
    place.succeed(&["aggregate"]);
    place.succeed(&["report"]);
    assert_eq!(
        place.succeed(&["cleanup"]).stdout.lines().last(),
        Some("✓ Cleanup completed: 3 files removed")
    );
    place.assert_clean();
}

#[test]
fn a_stage_that_failed_is_tried_again_with_what_the_one_before_left() {
    let place = Place::new();
    let source = place.write("a.csv", "id\n1\n2\n2\n");
    let arguments = |stage, limit| place.run(&[stage, "--data-sources", &source, "--max-rejected", limit]);
    assert_eq!(arguments("extract", "5%").status, Some(0));
    // The source itself may be gone by then.
    std::fs::remove_file(&source).unwrap();
    assert_eq!(arguments("transform", "5%").status, Some(1));
    assert_eq!(arguments("transform", "1").status, Some(0));
}

#[test]
fn the_rules_of_a_stage_alone_are_for_what_was_extracted() {
    let place = Place::new();
    let source = place.write("a.csv", "n\n1\n2\n");
    let rules = |source: &str| {
        let text = format!("[[rule]]\nsource = '{source}'\nname = 'positive'\ncheck = 'n > 0'\n");
        place.write("rules.toml", text)
    };
    place.succeed(&["extract", "--data-sources", &source]);
    let ended = place.run(&["transform", "--rules-file", &rules("source-1")]);
    assert!(ended.stdout.contains("has a rule for the source `source-1`, which is none of a"), "{ended:?}");
    place.succeed(&["transform", "--rules-file", &rules("a")]);
}

#[test]
fn extract_begins_anew_whatever_is_there() {
    let place = Place::new();
    place.succeed(&["extract", "--data-sources", "5"]);
    place.succeed(&["transform"]);
    place.succeed(&["extract", "--data-sources", "1"]);
    let files = entries(&place.path("temp/data-pipeline"));
    let names: Vec<&str> = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["lock", "source-1.csv", "state.json"]);
}

#[test]
fn clean_up_of_nothing_succeeds() {
    let place = Place::new();
    let ended = place.succeed(&["cleanup"]);
    assert!(ended.stdout.ends_with("✓ Cleanup completed: 0 files removed\n"), "{ended:?}");
    place.assert_clean();
}
