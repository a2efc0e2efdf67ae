//! Every sync and every rename is needed: each is left out in turn, and something must break.

use std::collections::BTreeSet;

use super::change::Rule;
use super::life::Life;
use super::recorder::Trouble;
use super::script::Script;
use super::site::Site;

/// Lives that come by what no script foresees: a new sync or rename cannot be forgotten here.
const LIVES: u64 = 100;

#[test]
fn without_any_one_of_its_syncs_and_renames_the_protocol_breaks() {
    let mut needless = Vec::new();
    for site in sites() {
        match break_without(&site) {
            Some(broken) => println!("without {site}: {broken}"),
            None => needless.push(site.to_string()),
        }
    }
    assert!(needless.is_empty(), "nothing breaks without {needless:#?}");
}

fn sites() -> BTreeSet<Site> {
    let lives = (0..LIVES).map(|seed| Life::new(seed, None).first_run(Rule::Either));
    let pairs = Script::pairs();
    let kills = pairs.iter().flat_map(|pair| pair.troubled(Rule::Either, None, || Trouble::Kill));
    lives.chain(kills).flat_map(|run| run.unwrap().machine.sites).collect()
}

/// How the protocol breaks without what is asked for at one place; scripts that come by it undisturbed are tried first.
fn break_without(site: &Site) -> Option<String> {
    let (rule, left_out) = (Rule::Either, Some(site));
    let mut scripts = Script::pairs();
    scripts.extend([Script::own_name(), Script::whole_way()]);
    let is_near = |script: &Script| script.run(rule, None, None).unwrap().machine.sites.contains(site);
    scripts.retain(is_near);
    let undisturbed = scripts.iter().find_map(|script| script.cut_everywhere(rule, left_out).err());
    let taken_over = || Script::taken_over().cut_everywhere_after_a_kill(rule, left_out).err();
    let killed = || {
        Script::pairs()
            .iter()
            .find_map(|pair| pair.trouble_everywhere(rule, left_out, || Trouble::Kill).err())
    };
    undisturbed.or_else(taken_over).or_else(killed)
}
