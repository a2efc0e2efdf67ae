//! What of the protocol can be left out: the model must notice, or the reason must stand here.

use crate::configurations::{
    CUT_CONVERTER, CUT_DELIVERER, CUT_PUBLISHER, DELIVERERS, PERSON, SETTLE, TWO, TWO_FILES,
};
use crate::explore::explore;
use crate::protocol::Protocol;
use crate::state::Pc;

/// Something that the protocol does, and that the model can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// These steps.
    Skip(&'static [Pc]),
    /// To go away where another holds the lock.
    Lock,
    /// Whole paths, which a takeover makes invalid.
    KeepDescriptor,
    /// A name of the owner's own for the output until it is finished.
    OwnOutput,
    /// To keep the input until the output has its name.
    InputUntilCommit,
    /// To look for an output in an orphan.
    FindOutput,
    /// To look for what was rejected in an orphan that has neither input nor output.
    FindRejected,
    /// Not to replace what has the public name.
    NoReplace,
    /// To look whether the plain name is free.
    LookForNames,
}

use Mutation::{
    FindOutput, FindRejected, InputUntilCommit, KeepDescriptor, Lock, LookForNames, NoReplace, OwnOutput,
    Skip,
};

const LOST: &str = "a file is lost";
const TWICE: &str = "a file is in two places";
const REJECTED_LOST: &str = "what was rejected is lost";
const REJECTED_TWICE: &str = "what was rejected is in two places";
const TORN: &str = "a public file is not whole";
const HALF: &str = "a file was converted that was not complete";
const STOLEN: &str = "a claim is taken from an owner that holds its lock";
const AGAIN: &str = "a document is posted again that a journal says is answered";
const STRANDED: &str = "nothing leads to an end from here";

/// What is left out, where it matters, what comes of it by the shortest way.
const NEEDED: &[(Mutation, Protocol, &str)] = &[
    // The lock, and that it is the one with the name.
    (Lock, TWO, STOLEN),
    (Lock, DELIVERERS, STOLEN),
    (Skip(&[Pc::LockNew]), DELIVERERS, "a document is posted twice though nothing failed"),
    (Skip(&[Pc::CheckNew]), TWO, STOLEN),
    (Skip(&[Pc::CheckOrphan]), TWO, STOLEN),
    // The fence.
    (Skip(&[Pc::RaiseGeneration]), TWO_FILES, REJECTED_TWICE),
    (Skip(&[Pc::RaiseGeneration]), DELIVERERS, AGAIN),
    (KeepDescriptor, TWO_FILES, REJECTED_TWICE),
    (KeepDescriptor, DELIVERERS, AGAIN),
    // The order of the steps.
    (OwnOutput, CUT_PUBLISHER, TORN),
    (InputUntilCommit, TWO, LOST),
    (FindOutput, TWO, LOST),
    (Skip(&[Pc::Commit]), TWO, LOST),
    (Skip(&[Pc::DropInput]), CUT_DELIVERER, TWICE),
    (Skip(&[Pc::PublishReasons]), TWO, REJECTED_LOST),
    (Skip(&[Pc::PublishRejected]), TWO, REJECTED_LOST),
    (NoReplace, TWO_FILES, "a public file is overwritten"),
    (Skip(&[Pc::ClearAll]), DELIVERERS, STRANDED),
    (Skip(&[Pc::DropLock]), TWO, STRANDED),
    (Skip(&[Pc::ReadJournal]), DELIVERERS, AGAIN),
    // The looks at the input.
    (Skip(&[Pc::LookAgain]), SETTLE, HALF),
    (Skip(&[Pc::Judge, Pc::LookAgain]), PERSON, "what a person wrote is lost"),
    (Skip(&[Pc::Clear]), SETTLE, REJECTED_TWICE),
    // The syncs, in their order.
    (Skip(&[Pc::SyncClaims]), CUT_CONVERTER, LOST),
    (Skip(&[Pc::SyncTaken]), CUT_CONVERTER, REJECTED_TWICE),
    (Skip(&[Pc::SyncTaken]), CUT_DELIVERER, TWICE),
    (Skip(&[Pc::SyncOrphan]), CUT_CONVERTER, REJECTED_TWICE),
    (Skip(&[Pc::SyncOrphan]), CUT_PUBLISHER, LOST),
    (Skip(&[Pc::SyncReasons]), CUT_CONVERTER, TORN),
    (Skip(&[Pc::SyncRejected]), CUT_CONVERTER, TORN),
    (Skip(&[Pc::SyncOutput]), CUT_CONVERTER, TORN),
    (Skip(&[Pc::SyncBeforeCommit]), CUT_CONVERTER, REJECTED_LOST),
    (Skip(&[Pc::SyncCommit]), CUT_CONVERTER, LOST),
    (Skip(&[Pc::SyncJournal]), CUT_DELIVERER, AGAIN),
    (Skip(&[Pc::SyncJournalName]), CUT_DELIVERER, AGAIN),
    (Skip(&[Pc::SyncDropped]), CUT_DELIVERER, TWICE),
    (Skip(&[Pc::SyncRejectedPublished]), CUT_CONVERTER, REJECTED_LOST),
    (Skip(&[Pc::SyncPublished]), CUT_CONVERTER, LOST),
];

/// What nothing rests on by itself, where that was looked for, and what it is there for.
const NOT_NEEDED: &[(Mutation, &[Protocol], &str)] = &[
    (
        Skip(&[Pc::SyncOrphans]),
        &[CUT_CONVERTER, CUT_DELIVERER, CUT_PUBLISHER],
        "nobody outlives a cut, so that a generation that it takes back fences nobody",
    ),
    (
        Skip(&[Pc::Judge]),
        &[PERSON, SETTLE],
        "the look before the commit sees the same; this one saves the work",
    ),
    (Skip(&[Pc::DropOlderJournal]), &[DELIVERERS], "the greatest journal counts; the others take up room"),
    (LookForNames, &[TWO_FILES], "a name that is taken is noticed by the rename; this one keeps the order"),
    (
        FindRejected,
        &[TWO, CUT_CONVERTER],
        "the output is published last; this one is for what nobody thought of",
    ),
];

#[test]
fn the_protocol_fails_without_any_of_the_steps_that_it_needs() {
    for (without, protocol, flaw) in NEEDED {
        let report = explore(&Protocol { without: Some(*without), ..*protocol });
        let violation =
            report.violation.unwrap_or_else(|| panic!("nothing comes of leaving out {without:?}"));
        println!("{without:?}: {}, after {} steps", violation.flaw, violation.steps.len());
        assert_eq!(violation.flaw, *flaw, "{without:?}");
    }
}

#[test]
#[ignore = "for just nightly: nothing of what it looks for can break a promise"]
fn what_the_protocol_does_besides_is_known() {
    for (without, protocols, reason) in NOT_NEEDED {
        println!("{without:?}: {reason}");
        for protocol in *protocols {
            let report = explore(&Protocol { without: Some(*without), ..*protocol });
            assert!(report.violation.is_none(), "{without:?}: {report}");
        }
    }
}
