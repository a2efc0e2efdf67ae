//! A report whose words can do nothing, to compare others with.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use data_pipeline::summary::Report;

/// The same report with one word instead of all others.
pub(crate) fn harmless(mut report: Report) -> Report {
    let plain = |text: &mut String| *text = "word".to_owned();
    plain(&mut report.generated_at);
    report.stages.iter_mut().for_each(|stage| plain(&mut stage.name));
    for source in &mut report.sources {
        plain(&mut source.name);
        plain(&mut source.location);
        source.reasons.iter_mut().for_each(|reason| plain(&mut reason.reason));
    }
    for column in &mut report.columns {
        plain(&mut column.name);
        plain(&mut column.kind);
        let extremes = [&mut column.minimum, &mut column.maximum].into_iter().flatten();
        extremes.filter(|value| !value.is_number()).for_each(|value| *value = "word".into());
        column.most_frequent.iter_mut().for_each(|frequency| frequency.value = "word".into());
    }
    if let Some(groups) = &mut report.groups {
        plain(&mut groups.by);
        groups.groups.iter_mut().for_each(|group| group.value = "word".into());
        // Names of means decide which cells there are: each becomes another word.
        let names: BTreeSet<String> =
            groups.groups.iter().flat_map(|group| group.means.keys().cloned()).collect();
        let words: BTreeMap<_, _> =
            names.into_iter().enumerate().map(|(at, name)| (name, format!("word{at:04}"))).collect();
        for group in &mut groups.groups {
            group.means = mem::take(&mut group.means)
                .into_iter()
                .map(|(name, mean)| (words[&name].clone(), mean))
                .collect();
        }
    }
    report
}
