use super::parse;
use crate::Unreadable;

fn fields(line: &str) -> Result<[String; 7], Unreadable> {
    let mut size = String::new();
    parse(line, &mut size).map(|entry| entry.fields().map(str::to_owned))
}

#[track_caller]
fn assert_read(line: &str, expected: [&str; 7]) {
    assert_eq!(fields(line), Ok(expected.map(str::to_owned)), "{line:?}");
}

#[track_caller]
fn assert_rejected(line: &str, why: Unreadable) {
    assert_eq!(fields(line), Err(why), "{line:?}");
}

/// A line with this path, and otherwise the most ordinary one.
fn with_path(path: &str) -> String {
    format!("-rw-r--r--    1 root     root            19 Mar 19 23:57 {path}")
}

#[test]
fn a_line_of_busybox_is_read() {
    assert_read(
        "-r--------    1 root     root            19 Mar 19 23:57 /sys/module/sr_mod/sections/.init.text",
        ["-r--------", "1", "root", "root", "19", "Mar 19 23:57", "/sys/module/sr_mod/sections/.init.text"],
    );
    assert_read(
        "-rw-r--r--    1 40000000 123456   7696581394432 Feb  3  2035 huge",
        ["-rw-r--r--", "1", "40000000", "123456", "7696581394432", "Feb  3  2035", "huge"],
    );
}

#[test]
fn a_line_of_gnu_ls_is_read() {
    assert_read(
        "drwxrwxrwt  12 4000000000 systemd-network   4096 Nov 21 03:54 sticky",
        ["drwxrwxrwt", "12", "4000000000", "systemd-network", "4096", "Nov 21 03:54", "sticky"],
    );
    assert_read(
        "-rw-r--r-- 1 root root 0 2026-11-21 03:54:15.867381846 +0000 a",
        ["-rw-r--r--", "1", "root", "root", "0", "2026-11-21 03:54:15.867381846 +0000", "a"],
    );
    assert_read(
        "-rw-r--r-- 1 root root 0 2035-02-03  a",
        ["-rw-r--r--", "1", "root", "root", "0", "2035-02-03", "a"],
    );
}

#[test]
fn the_path_is_all_that_follows_one_blank_behind_the_date() {
    for path in [
        " lead",
        "  ",
        "trail ",
        "co,mma",
        "qu\"ote",
        "name -> target",
        "l -> ink -> nowhere",
        "tab\there",
        "bell\u{7}",
        "carriage\rreturn",
        "carriage return\r",
        "back\\slash\\n",
        "Ünïcode 日本 🦀",
        "5 Mar 19 23:57 date",
        "directory:",
    ] {
        let line = with_path(path);
        let fields = fields(&line).unwrap();
        assert_eq!(fields[6], path);
        assert_eq!(fields[5], "Mar 19 23:57");
    }
}

#[test]
fn a_mode_may_be_of_any_kind_and_marked() {
    for mode in [
        "drwxrwxrwt",
        "lrwxrwxrwx",
        "prw-r--r--",
        "srwxr-xr-x",
        "-rwsr-sr-x",
        "-rwSr-Sr-T",
        "Drw-------",
        "Crw-------",
        "Mrw-------",
        "nrw-------",
        "Prw-------",
        "?---------",
        "-rw-r--r--+",
        "-rw-r--r--.",
        "drwxr-xr-x@",
    ] {
        let line = with_path("a").replacen("-rw-r--r--", mode, 1);
        assert_eq!(fields(&line).unwrap()[0], mode);
    }
}

#[test]
fn the_size_of_a_device_has_one_blank() {
    for size in ["8,   0", "8, 0", "  8,       0", "8,0"] {
        let line = format!("brw-rw----    1 root     disk     {size} Mar 19 23:57 /dev/sda");
        assert_read(&line, ["brw-rw----", "1", "root", "disk", "8, 0", "Mar 19 23:57", "/dev/sda"]);
    }
    assert_read(
        "crw-r--r--    1 root     root      240, 1048575 Nov 21 03:54 chr",
        ["crw-r--r--", "1", "root", "root", "240, 1048575", "Nov 21 03:54", "chr"],
    );
    assert_read(
        "crw-r--r-- 1 root root 0 Nov 21 03:54 chr",
        ["crw-r--r--", "1", "root", "root", "0", "Nov 21 03:54", "chr"],
    );
    let devices_size = with_path("a").replace("  19 ", "8, 0 ");
    assert_rejected(&devices_size, Unreadable::AmbiguousColumns);
    assert_rejected("brw-rw---- 1 root 8, 0 Mar 19 23:57 a", Unreadable::Names);
    assert_rejected("brw-rw---- 1 root disk 8, x Mar 19 23:57 a", Unreadable::Size);
    assert_rejected("brw-rw---- 1 root disk , 0 Mar 19 23:57 a", Unreadable::Size);
}

#[test]
fn names_with_blanks_are_told_apart_by_their_columns_or_not_at_all() {
    assert_read(
        "-rw-r--r-- 1 John Doe   users    12 Mar 19 23:57 a",
        ["-rw-r--r--", "1", "John Doe", "users", "12", "Mar 19 23:57", "a"],
    );
    assert_read(
        "-rw-r--r--    1 root     Domain Users    12 Mar 19 23:57 a",
        ["-rw-r--r--", "1", "root", "Domain Users", "12", "Mar 19 23:57", "a"],
    );
    assert_read(
        "-rw-r--r-- 1 John Doe  Domain Users 12 Mar 19 23:57 a",
        ["-rw-r--r--", "1", "John Doe", "Domain Users", "12", "Mar 19 23:57", "a"],
    );
    for names in [
        "John Doe users",
        "a  b  c",
        "root root   root",
        "root   root root",
        "A B grp   A B",
        "A B   grp A B",
    ] {
        assert_rejected(&format!("-rw-r--r-- 1 {names} 12 Mar 19 23:57 a"), Unreadable::AmbiguousNames);
    }
}

#[test]
fn names_that_look_like_other_columns_are_names() {
    assert_read(
        "-rw-r--r-- 1 Mar 12 2024 Jan  5 10:00 a",
        ["-rw-r--r--", "1", "Mar", "12", "2024", "Jan  5 10:00", "a"],
    );
    assert_read(
        "-rw-r--r-- 1 may May 19 Mar 19 23:57 a",
        ["-rw-r--r--", "1", "may", "May", "19", "Mar 19 23:57", "a"],
    );
}

#[test]
fn dates_of_other_locales_are_rejected_even_if_the_path_holds_a_known_one() {
    for date in
        ["19. Mär 23:57", "19 mars 23:57", "19 mars   2024", "3月 19 23:57", "mar 19 23:57", "Mai 19 23:57"]
    {
        for names in ["root root", "root     root", "John Doe  users"] {
            let line = format!("-rw-r--r-- 1 {names} 12 {date} a");
            assert_rejected(&line, Unreadable::Date);
            assert_rejected(&format!("{line}     5 Mar 19 23:57 b"), Unreadable::AmbiguousColumns);
        }
    }
    assert!(Unreadable::Date.to_string().contains("LC_ALL=C"));
    assert!(Unreadable::AmbiguousColumns.to_string().contains("LC_ALL=C"));
}

#[test]
fn columns_of_other_options_are_rejected() {
    let line = with_path("a");
    assert_rejected(&format!("10010793 {line}"), Unreadable::ColumnBeforeMode);
    assert_rejected(&format!("  4 {line}"), Unreadable::ColumnBeforeMode);
    assert_rejected(&format!("10010793 4.0K {line}"), Unreadable::ColumnBeforeMode);
    assert_rejected("-rw-r--r-- 1 root root 4.0K Nov 21 03:54 a", Unreadable::Size);
    assert_rejected("-rw-r--r-- 1 root root ? 4096 Nov 21 03:54 a", Unreadable::SecurityContext);
    assert_rejected("-rw-r--r-- 1 root     root ? 4096 Nov 21 03:54 a", Unreadable::SecurityContext);
    assert_rejected(
        "-rw-r--r--. 1 root     root unconfined_u:object_r:user_home_t:s0 12 Nov 21 03:54 a",
        Unreadable::SecurityContext,
    );
    assert_rejected("-rw-r--r-- 1 root 4096 Nov 21 03:54 a", Unreadable::Names);
    assert_rejected("-rw-r--r-- 1 4096 Nov 21 03:54 a", Unreadable::Date);
}

#[test]
fn lines_that_are_no_entries_are_rejected() {
    assert_rejected("ls: cannot access 'x': No such file or directory", Unreadable::Message);
    assert_rejected("-????????? ? ?    ?       ?            ? name", Unreadable::UnknownMode);
    for line in
        ["name", "rw-r--r-- 1 root root 1 Mar 19 23:57 a", "-rw-r--r--x 1 a b 1 Mar 19 23:57 a", "-rw-r--r"]
    {
        assert_rejected(line, Unreadable::Mode);
    }
    assert_rejected(" -rw-r--r-- 1 root root 1 Mar 19 23:57 a", Unreadable::ColumnBeforeMode);
    assert_rejected("-rw-r--r--", Unreadable::Links);
    assert_rejected("-rw-r--r-- x root root 1 Mar 19 23:57 a", Unreadable::Links);
    assert_rejected("-rw-r--r-- 1 root root 1", Unreadable::Date);
    assert_rejected("-rw-r--r--\t1\troot\troot\t1\tMar 19 23:57\ta", Unreadable::Mode);
    assert_rejected("-rw-r--r-- 1 root root 1 Mar 19 23:57", Unreadable::Path);
    assert_rejected("-rw-r--r-- 1 root root 1 Mar 19 23:57 ", Unreadable::Path);
    assert_rejected("-rw-r--r-- 1 root root 1 2024-03-19  ", Unreadable::Path);
}
