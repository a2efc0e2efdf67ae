//! Any report that the types allow.

use data_pipeline::summary::{
    ColumnSummary, Frequency, Group, Groups, Reason, Records, Report, SourceSummary, StageTime,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Any report; its times are any that a clock gives.
pub(crate) fn any_report() -> impl Strategy<Value = Report> {
    let stages = vec((text(), 0.0..1e9), 0..3);
    let stages =
        stages.prop_map(|all| all.into_iter().map(|(name, seconds)| StageTime { name, seconds }).collect());
    let groups = proptest::option::of((text(), vec(group(), 0..3), any::<u64>()));
    let groups = groups.prop_map(|all| all.map(|(by, groups, others)| Groups { by, groups, others }));
    (text(), stages, vec(source(), 0..3), records(), vec(column(), 0..3), groups).prop_map(
        |(generated_at, stages, sources, records, columns, groups)| Report {
            generated_at,
            stages,
            sources,
            records,
            columns,
            groups,
        },
    )
}

fn text() -> impl Strategy<Value = String> {
    let markup = "[<>/!&\"'=a-c;\\\\\u{0}-\u{20}\u{7f}-\u{a0}\u{200b}-\u{202f}\u{2066}-\u{2069}\u{fdd0}\u{feff}-]{0,40}";
    prop_oneof![markup, any::<String>()]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::num::f64::ANY.prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        text().prop_map(|key| json!({ key: [null] })),
    ]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![-1e6..1e6, proptest::num::f64::ANY]
}

fn records() -> impl Strategy<Value = Records> {
    let small = (0..1000_u64, 0..1000_u64, 0..1000_u64);
    prop_oneof![small, any::<(u64, u64, u64)>()].prop_map(|(read, valid, rejected)| Records {
        read,
        valid,
        rejected,
    })
}

fn source() -> impl Strategy<Value = SourceSummary> {
    let reasons = vec((text(), any::<u64>()), 0..13);
    (text(), text(), records(), reasons).prop_map(|(name, location, records, reasons)| SourceSummary {
        name,
        location,
        records,
        reasons: reasons.into_iter().map(|(reason, records)| Reason { reason, records }).collect(),
    })
}

fn column() -> impl Strategy<Value = ColumnSummary> {
    let names = (text(), text());
    let counts = any::<[u64; 3]>();
    let extremes = proptest::option::of((value(), value()));
    let means = proptest::option::of((number(), number()));
    let quartiles = proptest::option::of([number(), number(), number()]);
    let frequent = vec((value(), any::<u64>()), 0..12);
    (names, counts, extremes, means, quartiles, frequent).prop_map(
        |((name, kind), [count, missing, distinct], extremes, means, quartiles, frequent)| {
            let (minimum, maximum) = extremes.unzip();
            let (mean, standard_deviation) = means.unzip();
            let most_frequent =
                frequent.into_iter().map(|(value, records)| Frequency { value, records }).collect();
            ColumnSummary {
                name,
                kind,
                count,
                missing,
                distinct,
                minimum,
                maximum,
                mean,
                standard_deviation,
                quartiles,
                most_frequent,
            }
        },
    )
}

fn group() -> impl Strategy<Value = Group> {
    (value(), any::<u64>(), btree_map(text(), number(), 0..3)).prop_map(|(value, records, means)| Group {
        value,
        records,
        means,
    })
}
