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

/// What is synced besides where an old name may stay.
#[test]
fn where_an_old_name_may_stay_every_sync_against_it_is_needed() {
    let (rule, kill): (_, fn() -> Fault) = (Rule::OldNameStays, || Fault::Kill);
    let (one_stage, collected, taken_over) = (Script::one_stage(), Script::collected(), Script::taken_over());
    let mut sites = of_all_kills(&taken_over, rule);
    sites.extend(collected.run(rule, None, None).unwrap().machine.sites);
    one_stage.cut_twice(None, |run| sites.extend(run.machine.sites.clone())).unwrap();
    let known = ways().into_iter().flat_map(|way| way.sites).collect();
    let is_judged = |site: &&Site| !site.is_in(OF_VOID_NAMES) && !site.is(OF_TAKEOVERS_WHERE_NAMES_STAY);
    for site in sites.difference(&known).filter(is_judged) {
        let broken = collected
            .cut_everywhere(rule, Some(site))
            .and_then(|()| taken_over.fault_everywhere(rule, Some(site), kill))
            .and_then(|()| one_stage.cut_twice(Some(site), |_| {}));
        println!("without {site}: {}", broken.expect_err(&format!("nothing breaks without {site}")));
    }
}

/// What makes a name void: those count on it who look at the same moment, which nobody does in a script.
const OF_VOID_NAMES: &str = "claim_directory.rs";

/// Every program that starts syncs the data directory for its own directories. One that runs already does not.
const OF_TAKEOVERS_WHERE_NAMES_STAY: (&str, &str) = ("take_over.rs", "the data directory");

/// A way to see something break.
struct Way {
    script: Script,
    /// What it comes by.
    sites: BTreeSet<Site>,
    lead: fn(&Script, &Site) -> Result<(), String>,
}

/// All of them, the short ones first.
fn ways() -> Vec<Way> {
    let own_names = [Script::own_name(), Script::own_name().archiving()];
    let undisturbed = Script::pairs().into_iter().chain(own_names).chain([Script::whole_way()]);
    let undisturbed = undisturbed.map(|script| Way {
        sites: script.run(Rule::Either, None, None).unwrap().machine.sites,
        lead: |script, left_out| script.cut_everywhere(Rule::Either, Some(left_out)),
        script,
    });
    let killed = Script::pairs().into_iter().map(|script| Way {
        sites: of_all_kills(&script, Rule::Either),
        lead: |script, left_out| script.fault_everywhere(Rule::Either, Some(left_out), || Fault::Kill),
        script,
    });
    let taken_over = [Script::taken_over()].map(|script| Way {
        sites: of_all_kills(&script, Rule::Either),
        lead: |script, left_out| script.cut_everywhere_after_a_kill(Rule::Either, Some(left_out)),
        script,
    });
    undisturbed.chain(taken_over).chain(killed).collect()
}

fn of_all_kills(script: &Script, rule: Rule) -> BTreeSet<Site> {
    let runs = script.faulted(rule, None, || Fault::Kill);
    runs.flat_map(|run| run.unwrap().machine.sites).collect()
}
