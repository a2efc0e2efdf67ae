//! The report's numbers beside those of a computation that shares no code with it: the csv crate, and sums by hand.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use data_pipeline::summary::{ColumnSummary, Frequency};
use serde_json::Value;

use crate::{Place, column};

fn seeded() -> fastrand::Rng {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Rows of an id, a whole number, a fraction and a word: any but the id may be missing.
fn table(random: &mut fastrand::Rng, rows: usize) -> String {
    let mut table = "id,whole,fraction,word,time\n".to_owned();
    for id in 0..rows {
        let missing = |random: &mut fastrand::Rng, value: String| {
            if random.u8(..10) == 0 { String::new() } else { value }
        };
        let whole = random.i64(-50..50).to_string();
        let fraction = format!("{:.3}", random.f64() * 1e6 - 4e5);
        let word = ["ä", "b,c", "d\"e", "f g", "h"][random.usize(..5)].replace('"', "\"\"");
        let fields =
            [missing(random, whole), missing(random, fraction), missing(random, format!("\"{word}\""))];
        let time = format!("2024-02-{:02}T10:00:00", random.u8(1..=28));
        writeln!(table, "{id},{},{time}", fields.join(",")).unwrap();
    }
    table
}

/// The values of a column, as texts; missing ones are empty.
fn values(tables: &[&str], name: &str) -> Vec<String> {
    let mut values = Vec::new();
    for table in tables {
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let index = reader.headers().unwrap().iter().position(|header| header == name).unwrap();
        values.extend(reader.records().map(|record| record.unwrap()[index].to_owned()));
    }
    values
}

fn close(ours: f64, theirs: f64) -> bool {
    (ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0)
}

fn compare_counts(ours: &ColumnSummary, values: &[String], of_text: &dyn Fn(&str) -> Value) {
    let present: Vec<&String> = values.iter().filter(|value| !value.is_empty()).collect();
    let mut counts = HashMap::<&str, u64>::new();
    for value in &present {
        *counts.entry(value).or_default() += 1;
    }
    assert_eq!(ours.count, values.len() as u64, "{}", ours.name);
    assert_eq!(ours.missing, (values.len() - present.len()) as u64, "{}", ours.name);
    assert_eq!(ours.distinct, counts.len() as u64, "{}", ours.name);
    let mut most: Vec<u64> = counts.values().copied().collect();
    most.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(
        ours.most_frequent.iter().map(|frequency| frequency.records).collect::<Vec<_>>(),
        most[..5.min(most.len())]
    );
    for Frequency { value, records } in &ours.most_frequent {
        let theirs = counts.iter().find(|(text, _)| of_text(text) == *value).unwrap();
        assert_eq!(records, theirs.1, "{value}");
    }
}

fn compare_numbers(ours: &ColumnSummary, values: &[String]) {
    let mut numbers: Vec<f64> =
        values.iter().filter(|value| !value.is_empty()).map(|value| value.parse().unwrap()).collect();
    numbers.sort_by(f64::total_cmp);
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    let quantile = |share: f64| {
        let place = share * (count - 1.0);
        let (below, above) = (numbers[place.floor() as usize], numbers[place.ceil() as usize]);
        below + (above - below) * place.fract()
    };
    assert_eq!(ours.kind, "number");
    assert_eq!(ours.minimum.as_ref().unwrap().as_f64(), numbers.first().copied(), "{}", ours.name);
    assert_eq!(ours.maximum.as_ref().unwrap().as_f64(), numbers.last().copied(), "{}", ours.name);
    assert!(close(ours.mean.unwrap(), mean), "{ours:?} {mean}");
    let deviation = (squares / (count - 1.0)).sqrt();
    assert!(close(ours.standard_deviation.unwrap(), deviation), "{ours:?} {deviation}");
    for (ours, share) in ours.quartiles.unwrap().into_iter().zip([0.25, 0.5, 0.75]) {
        assert!(close(ours, quantile(share)), "{ours} {}", quantile(share));
    }
}

#[test]
fn every_number_equals_that_of_an_independent_computation() {
    let mut random = seeded();
    for rows in [1, 2, 3, 4, 5, 1000, 3001] {
        let place = Place::new();
        // So few rows may have no value of a column at all, and then nothing tells what it holds.
        let (first, second) = (table(&mut random, rows), table(&mut random, 777));
        let sources = [place.write("first.csv", &first), place.write("second.csv", &second)].join(",");
        let whole: &dyn Fn(&str) -> Value = &|text| text.parse::<i64>().unwrap().into();
        let fraction: &dyn Fn(&str) -> Value = &|text| text.parse::<f64>().unwrap().into();
        let word: &dyn Fn(&str) -> Value = &|text| text.into();
        let tables = if rows < 1000 { vec![second.as_str()] } else { vec![first.as_str(), second.as_str()] };
        let sources =
            if rows < 1000 { place.path("second.csv").to_str().unwrap().to_owned() } else { sources };
        let report = place.report_of(&sources, &[]);
        for (name, of_text) in [("id", whole), ("whole", whole), ("fraction", fraction)] {
            compare_numbers(column(&report, name), &values(&tables, name));
            compare_counts(column(&report, name), &values(&tables, name), of_text);
        }
        compare_counts(column(&report, "word"), &values(&tables, "word"), word);
        let words = values(&tables, "word");
        assert_eq!(
            column(&report, "word").minimum,
            words.iter().filter(|word| !word.is_empty()).min().map(|word| word.as_str().into())
        );
        let last = values(&tables, "time").into_iter().max().unwrap();
        assert_eq!(column(&report, "time").maximum, Some(format!("{last}Z").into()));
    }
}

#[test]
fn quartiles_of_few_numbers_are_interpolated_between_the_nearest() {
    for (numbers, expected) in [
        (&[7.0][..], [7.0, 7.0, 7.0]),
        (&[1.0, 2.0], [1.25, 1.5, 1.75]),
        (&[3.0, 1.0, 2.0], [1.5, 2.0, 2.5]),
        (&[4.0, 1.0, 3.0, 2.0], [1.75, 2.5, 3.25]),
        (&[1.0, 1.0, 1.0, 9.0, 9.0], [1.0, 1.0, 9.0]),
    ] {
        let place = Place::new();
        let rows: String = numbers.iter().map(|number| format!("{number},x\n")).collect();
        let source = place.write("a.csv", format!("n,t\n{rows}"));
        let report = place.report_of(&source, &[]);
        assert_eq!(column(&report, "n").quartiles, Some(expected), "{numbers:?}");
    }
}

#[test]
fn one_number_has_no_standard_deviation_and_an_empty_column_no_numbers_at_all() {
    let place = Place::new();
    let report = place.report_of(&place.write("a.csv", "n,e\n5,\n"), &[]);
    let n = column(&report, "n");
    assert_eq!((n.mean, n.standard_deviation, n.distinct), (Some(5.0), None, 1));
    let e = column(&report, "e");
    assert_eq!((e.missing, e.distinct, &e.minimum, e.quartiles), (1, 0, &None, None));
    assert!(e.most_frequent.is_empty());
}

#[test]
fn numbers_that_are_none_of_json_leave_a_report_without_quartiles() {
    for other in ["inf", "-inf", "NaN"] {
        let place = Place::new();
        let report = place.report_of(&place.write("a.csv", format!("n\n1.5\n2.5\n{other}\n")), &[]);
        let n = column(&report, "n");
        assert_eq!((n.kind.as_str(), n.count, n.distinct, n.quartiles), ("number", 3, 3, None), "{other}");
    }
}

#[test]
fn a_source_without_values_has_no_say_in_what_a_column_of_its_name_holds() {
    let place = Place::new();
    let (empty, blank) = (place.write("empty.csv", "id,n\n"), place.write("blank.csv", "id,n\n1,\n"));
    let full = place.write("full.csv", "id,n\n1,1\n2,2.5\n");
    let text = place.write("text.csv", "id,n\n1,x\n");
    for (sources, kind) in [
        ([&empty, &full], "number"),
        ([&full, &empty], "number"),
        ([&blank, &full], "number"),
        ([&full, &blank], "number"),
        ([&full, &text], "text"),
        ([&empty, &text], "text"),
    ] {
        let report = place.report_of(&sources.map(String::as_str).join(","), &["--group-by", "id"]);
        let n = column(&report, "n");
        assert_eq!(n.kind, kind, "{sources:?}");
        assert_eq!(n.mean, (kind == "number").then_some(1.75), "{sources:?}");
    }
}

#[test]
fn columns_of_one_name_are_summed_up_together_over_the_sources_that_have_them() {
    let place = Place::new();
    let sources =
        [place.write("a.csv", "id,n,s\n1,1,x\n2,2,y\n"), place.write("b.csv", "id,n,only\n1,2.5,7\n")];
    let report = place.report_of(&sources.join(","), &[]);
    let names: Vec<&str> = report.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "n", "s", "only"]);
    let n = column(&report, "n");
    assert_eq!((n.count, n.missing, n.maximum.as_ref()), (3, 0, Some(&2.5.into())));
    assert_eq!((column(&report, "only").count, column(&report, "s").count), (1, 2));
}

#[test]
fn groups_are_counted_and_have_the_means_of_their_numbers() {
    let mut random = seeded();
    let place = Place::new();
    // So many that every number and none at all comes up, each beside a fraction.
    let table = table(&mut random, 5000);
    let report = place.report_of(&place.write("a.csv", &table), &["--group-by", "whole"]);
    let groups = report.groups.unwrap();
    let mut expected = BTreeMap::<String, (u64, Vec<f64>)>::new();
    for (whole, fraction) in values(&[&table], "whole").into_iter().zip(values(&[&table], "fraction")) {
        let (records, fractions) = expected.entry(whole).or_default();
        *records += 1;
        fractions.extend(fraction.parse::<f64>());
    }
    assert_eq!(groups.by, "whole");
    assert!(expected.len() > 100, "a hundred numbers, and those without one");
    assert_eq!((groups.groups.len(), groups.others), (100, expected.len() as u64 - 100));
    assert!(groups.groups.is_sorted_by_key(|group| std::cmp::Reverse(group.records)));
    for group in groups.groups {
        let key = if group.value.is_null() { String::new() } else { group.value.to_string() };
        let (records, fractions) = &expected[&key];
        assert_eq!(group.records, *records, "{key}");
        let mean = fractions.iter().sum::<f64>() / fractions.len() as f64;
        assert!(close(group.means["fraction"], mean), "{key}");
        assert!(!group.means.contains_key("whole"));
    }
}
