//! Which steps are syncs, and what comes behind a step that can be left out.

use crate::place::{Directory, Own};
use crate::state::Pc;

/// What a step makes durable.
pub(super) enum Synced {
    Directory(Directory),
    Own(Own),
}

/// The steps that are syncs. [`Directory::Claim`] is the worker's own.
pub(super) fn synced(pc: Pc) -> Option<Synced> {
    Some(match pc {
        Pc::SyncClaims | Pc::SyncOrphans => Synced::Directory(Directory::Claims),
        Pc::SyncTaken | Pc::SyncPublished => Synced::Directory(Directory::Data),
        Pc::SyncRejectedPublished => Synced::Directory(Directory::Rejected),
        Pc::SyncOrphan | Pc::SyncBeforeCommit | Pc::SyncCommit | Pc::SyncJournalName | Pc::SyncDropped => {
            Synced::Directory(Directory::Claim(0))
        }
        Pc::SyncReasons => Synced::Own(Own::Reasons),
        Pc::SyncRejected => Synced::Own(Own::Rejected),
        Pc::SyncOutput => Synced::Own(Own::Output),
        Pc::SyncJournal => Synced::Own(Own::NewJournal),
        _ => return None,
    })
}

/// What comes behind a step that can be left out.
pub(super) fn behind(pc: Pc, stage: u8) -> Pc {
    match pc {
        Pc::LockNew => Pc::CheckNew,
        Pc::CheckNew => Pc::SyncClaims,
        Pc::SyncClaims if stage == 0 => Pc::MakeOutput,
        Pc::SyncClaims => Pc::TakeInput,
        Pc::SyncTaken => Pc::Judge,
        Pc::RaiseGeneration => Pc::CheckOrphan,
        Pc::CheckOrphan => Pc::SyncOrphans,
        Pc::SyncOrphans => Pc::SyncOrphan,
        Pc::SyncOrphan => Pc::Recover,
        Pc::Judge => Pc::Clear,
        Pc::Clear => Pc::Read,
        Pc::SyncReasons => Pc::NameReasons,
        Pc::SyncRejected => Pc::NameRejected,
        Pc::SyncOutput if stage == 0 => Pc::Commit,
        Pc::SyncOutput => Pc::LookAgain,
        Pc::LookAgain => Pc::SyncBeforeCommit,
        Pc::SyncBeforeCommit => Pc::Commit,
        Pc::Commit => Pc::SyncCommit,
        Pc::SyncCommit => Pc::DropInput,
        Pc::ReadJournal => Pc::Post,
        Pc::SyncJournal => Pc::NameJournal,
        Pc::SyncJournalName => Pc::DropOlderJournal,
        Pc::DropOlderJournal => Pc::MakeOutput,
        Pc::DropInput | Pc::SyncDropped => Pc::PublishReasons,
        Pc::PublishReasons => Pc::PublishRejected,
        Pc::PublishRejected => Pc::LookForName,
        Pc::SyncRejectedPublished => Pc::LookForName,
        Pc::SyncPublished => Pc::ClearAll,
        Pc::ClearAll => Pc::DropLock,
        Pc::DropLock => Pc::RemoveDirectory,
        other => unreachable!("{other:?} cannot be left out"),
    }
}
