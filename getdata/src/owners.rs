//! The names of users and groups, as the listing's columns show them.

use std::collections::HashMap;
use std::ffi::OsString;

/// The width of a user's or group's column, in bytes; `ls` of BusyBox cuts longer names.
const WIDTH: usize = 8;

/// So many ids are remembered; more than any system's own users, and what keeps memory bounded where every file has an
/// owner of its own.
const REMEMBERED: usize = 4096;

/// Who owns what: looks each id up once.
pub(crate) struct Owners {
    pub users: Columns,
    pub groups: Columns,
}

impl Owners {
    /// Asks the system's user database: the C library's, which reads `/etc/passwd` and `/etc/group` where nothing else
    /// is set up, also in a static binary, and finds nobody where they are missing.
    pub(crate) fn of_this_system() -> Self {
        Self {
            users: Columns::new(|id| Some(uzers::get_user_by_uid(id)?.name().to_owned())),
            groups: Columns::new(|id| Some(uzers::get_group_by_gid(id)?.name().to_owned())),
        }
    }

    #[cfg(test)]
    pub(crate) fn nobody() -> Self {
        Self { users: Columns::new(|_| None), groups: Columns::new(|_| None) }
    }
}

/// The columns of ids.
pub(crate) struct Columns {
    look_up: fn(u32) -> Option<OsString>,
    known: HashMap<u32, String>,
}

impl Columns {
    fn new(look_up: fn(u32) -> Option<OsString>) -> Self {
        Self { look_up, known: HashMap::new() }
    }

    /// What stands in the column for that id, as wide as the column.
    pub(crate) fn column(&mut self, id: u32) -> &str {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.entry(id).or_insert_with(|| column((self.look_up)(id), id))
    }
}

/// The name where it can stand in a line's column, else the number.
fn column(name: Option<OsString>, id: u32) -> String {
    let fits = |name: &String| !name.trim().is_empty() && !name.contains(char::is_control);
    let name = name.and_then(|name| name.into_string().ok()).filter(fits);
    let mut column = name.unwrap_or_else(|| id.to_string());
    // Half a character would not be UTF-8.
    column.truncate(column.floor_char_boundary(WIDTH));
    column.extend(std::iter::repeat_n(' ', WIDTH - column.len()));
    column
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn named(name: &[u8]) -> String {
        column(Some(OsString::from_vec(name.to_vec())), 1234)
    }

    #[test]
    fn names_fill_eight_columns_and_longer_ones_are_cut() {
        assert_eq!(named(b"root"), "root    ");
        assert_eq!(named(b"www-data"), "www-data");
        assert_eq!(named(b"systemd-network"), "systemd-");
        assert_eq!(named(b"with blank"), "with bla");
    }

    #[test]
    fn a_cut_never_leaves_half_a_character() {
        assert_eq!(named("üüüüü".as_bytes()), "üüüü");
        assert_eq!(named("aüüüü".as_bytes()), "aüüü ");
    }

    #[test]
    fn a_name_that_would_break_the_line_gives_way_to_the_number() {
        for name in [b"".as_slice(), b"  ", b"tab\there", b"line\nfeed", b"\xff"] {
            assert_eq!(named(name), "1234    ");
        }
    }

    #[test]
    fn an_id_without_a_name_is_a_number_cut_as_names_are() {
        assert_eq!(column(None, 0), "0       ");
        assert_eq!(column(None, u32::MAX - 1), "42949672");
    }

    #[test]
    fn each_id_is_looked_up_once() {
        static LOOKED_UP: AtomicUsize = AtomicUsize::new(0);
        let mut columns = Columns::new(|_| {
            LOOKED_UP.fetch_add(1, Ordering::Relaxed);
            None
        });
        for id in [1, 1, 2, 1, 2, 2] {
            columns.column(id);
        }
        assert_eq!(LOOKED_UP.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn memory_stays_bounded_where_everybody_owns_something() {
        let mut columns = Columns::new(|_| None);
        for id in 0..100_000 {
            assert_eq!(columns.column(id), column(None, id));
        }
        assert!(columns.known.len() <= REMEMBERED);
    }
}
