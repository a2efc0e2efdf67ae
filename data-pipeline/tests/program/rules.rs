//! Validation by rules.

use data_pipeline::summary::{Reason, Records};

use crate::Place;

#[test]
fn records_that_fail_a_rule_are_set_aside_with_its_name_and_the_commonest_comes_first() {
    let place = Place::new();
    let source = place.write(
        "orders.csv",
        "id,amount,name\n1,5.5,a\n2,-1,b\n3,,c\n4,-2,d\n5,1,\n6,7\n1,9,again\n-8,-8,\n9,1,\n99,1,z\n",
    );
    let rules = place.write(
        "rules.toml",
        "[[rule]]\nsource = 'orders'\nname = \"amount isn't negative\"\ncheck = 'amount >= 0'\n\
         [[rule]]\nname = 'named'\ncheck = 'name IS NOT NULL'\n\
         [[rule]]\nname = 'id in range'\ncheck = 'id BETWEEN 1 AND 8'\n",
    );
    let report = place.report_of(&source, &["--rules-file", &rules, "--max-rejected", "90%"]);
    assert_eq!(report.records, Records { read: 10, valid: 2, rejected: 8 });
    let reasons: Vec<(&str, u64)> = report.sources[0]
        .reasons
        .iter()
        .map(|Reason { reason, records }| (reason.as_str(), *records))
        .collect();
    assert_eq!(
        reasons,
        [
            ("amount isn't negative", 3),
            ("named", 2),
            ("doubled key", 1),
            ("id in range", 1),
            ("wrong number of columns", 1),
        ]
    );
}

#[test]
fn the_first_valid_record_of_a_key_counts() {
    let place = Place::new();
    let source = place.write("a.csv", "id,day,n\n1,mon,-1\n1,mon,2\n1,tue,3\n1,mon,4\n,mon,5\n,mon,6\n");
    let rules = place.write(
        "rules.toml",
        "[[key]]\ncolumns = ['id', 'day']\n[[rule]]\nname = 'positive'\ncheck = 'n > 0'\n",
    );
    let report = place.report_of(&source, &["--rules-file", &rules, "--max-rejected", "2"]);
    assert_eq!(report.records.valid, 4);
    let rejects = place.rejects("a");
    let lines: Vec<&str> = rejects.lines().collect();
    assert_eq!(
        lines,
        [
            "file,line,rule,id,day,n".to_owned(),
            format!("{source},2,positive,1,mon,-1"),
            format!("{source},5,doubled key,1,mon,4"),
        ]
    );
}

#[test]
fn a_rule_over_numbers_holds_where_there_are_none() {
    let place = Place::new();
    let rules = place.write("rules.toml", "[[rule]]\nname = 'r'\ncheck = 'amount * quantity >= 0'\n");
    for rows in ["", ",\n", ",2\n", ",2\n,3\n"] {
        let source = place.write("a.csv", format!("amount,quantity\n{rows}"));
        let report = place.report_of(&source, &["--rules-file", &rules]);
        assert_eq!(report.records.rejected, 0, "{rows}");
    }
}

#[test]
fn whole_numbers_too_long_for_64_bits_are_keys_all_the_same() {
    let place = Place::new();
    for first in ["9223372036854775808", "10000000000000000000000", "-9223372036854775809"] {
        let (rest, last) = first.split_at(first.len() - 1);
        let rows = (0..10).map(|digit| format!("{rest}{digit}\n")).collect::<String>();
        let source = place.write("a.csv", format!("id\n{rows}{rest}{last}\n"));
        let report = place.report_of(&source, &["--max-rejected", "1"]);
        assert_eq!((report.records.valid, report.records.rejected), (10, 1), "{first}");
        let id = crate::column(&report, "id");
        assert_eq!((id.kind.as_str(), id.distinct), ("text", 10), "{first}");
    }
    let source = place.write("a.csv", "id\n9223372036854775807\n-9223372036854775808\n");
    assert_eq!(crate::column(&place.report_of(&source, &[]), "id").kind, "number");
}

#[test]
fn values_that_are_not_what_their_column_holds_are_faults_of_their_records() {
    let place = Place::new();
    let rows: String =
        (0..40).map(|n| format!("{n},{}.5,2024-01-{:02},{}\n", n, n % 28 + 1, n % 2 == 0)).collect();
    let faults = "x,1,2024-01-01,true\n41,y,2024-01-01,true\n";
    let source = place.write("a.csv", format!("k,f,t,b\n{rows}{faults}43,1,z,true\n44,1,2024-01-01,yes\n"));
    let report = place.report_of(&source, &["--max-rejected", "10%"]);
    assert_eq!(report.records, Records { read: 44, valid: 40, rejected: 4 });
    let rejects = place.rejects("a");
    for (line, rule) in [
        (42, "k is no whole number"),
        (43, "f is no number"),
        (44, "t is no time"),
        (45, "b is neither true nor false"),
    ] {
        assert!(rejects.contains(&format!("{source},{line},{rule},")), "{rejects}");
    }
}
