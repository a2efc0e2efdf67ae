//! Every sync and every rename is needed: each is left out in turn, and something must break.

use std::collections::BTreeSet;

use super::change::Rule;
use super::lifetime::Lifetime;
use super::recorder::Fault;
use super::script::Script;
use super::site::Site;

/// Lifetimes that come by what no script foresees: a new sync or rename cannot be forgotten here.
const LIFETIMES: u64 = 100;

/// What nothing breaks without here, since nobody outlives a cut: on a network file system the clients outlive one of their
/// server, and a takeover that it forgets would fence nobody.
const OF_TAKEOVERS: (&str, &str) = ("take_over.rs", "a stage's directory");

#[test]
fn without_any_one_of_its_syncs_and_renames_the_protocol_breaks() {
    let ways = ways();
    let lifetimes = (0..LIFETIMES).map(|seed| Lifetime::new(seed).first_run(Rule::Either).unwrap());
    let mut sites: BTreeSet<Site> = lifetimes.flat_map(|run| run.machine.sites).collect();
    sites.extend(ways.iter().flat_map(|way| way.sites.clone()));
    let mut needless = Vec::new();
    for site in sites.into_iter().filter(|site| !site.is(OF_TAKEOVERS)) {
        let mut near = ways.iter().filter(|way| way.sites.contains(&site));
        match near.find_map(|way| (way.lead)(&way.script, &site).err()) {
            Some(broken) => println!("without {site}: {broken}"),
            None => needless.push(site.to_string()),
        }
    }
    assert!(needless.is_empty(), "nothing breaks without {needless:#?}");
}

/// A way to see something break.
struct Way {
    script: Script,
    /// What it comes by.
    sites: BTreeSet<Site>,
    lead: fn(&Script, &Site) -> Result<(), String>,
}

/// All of them, the short ones first.
fn ways() -> Vec<Way> {
    let undisturbed = Script::pairs().into_iter().chain([Script::own_name(), Script::whole_way()]);
    let undisturbed = undisturbed.map(|script| Way {
        sites: script.run(Rule::Either, None, None).unwrap().machine.sites,
        lead: |script, left_out| script.cut_everywhere(Rule::Either, Some(left_out)),
        script,
    });
    let killed = Script::pairs().into_iter().map(|script| Way {
        sites: of_all_kills(&script),
        lead: |script, left_out| script.fault_everywhere(Rule::Either, Some(left_out), || Fault::Kill),
        script,
    });
    let taken_over = [Script::taken_over()].map(|script| Way {
        sites: of_all_kills(&script),
        lead: |script, left_out| script.cut_everywhere_after_a_kill(Rule::Either, Some(left_out)),
        script,
    });
    undisturbed.chain(taken_over).chain(killed).collect()
}

fn of_all_kills(script: &Script) -> BTreeSet<Site> {
    let runs = script.faulted(Rule::Either, None, || Fault::Kill);
    runs.flat_map(|run| run.unwrap().machine.sites).collect()
}
