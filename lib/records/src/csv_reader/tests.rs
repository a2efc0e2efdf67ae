use proptest::prelude::*;

use crate::MAX_LINE;
use crate::listing::FIELDS;
use crate::listing::testing::Entries;

const A: &str = "-r--r--r--,1,root,root,4096,Mar 20 00:40,/a";

fn outcome(input: &str) -> Entries {
    Entries::of_csv(input.as_bytes())
}

proptest! {
    #[test]
    fn hostile_quotes_are_read_as_by_a_reader_without_any_art(
        lines in prop::collection::vec("(a,|\"\",){0,6}(\"|\"\"|,|a|\r|,\"|\",){0,5}", 0..12),
        crlf in any::<bool>(),
    ) {
        let input = lines.join(if crlf { "\r\n" } else { "\n" });
        let outcome = outcome(&input);
        let (entries, rejected) = plainly(&input);
        prop_assert_eq!(&outcome.entries, &entries);
        let rejects: Vec<_> = outcome.rejected.iter().map(|(line, _, bytes)| (*line, bytes.clone())).collect();
        prop_assert_eq!(rejects, rejected);
    }
}

/// Entries, and the rejected lines with their numbers.
type Plainly = (Vec<[String; FIELDS]>, Vec<(u64, Vec<u8>)>);

/// Reads character by character, as far ahead as it takes.
fn plainly(input: &str) -> Plainly {
    let lines: Vec<&str> = input.split_terminator('\n').collect();
    let mut outcome = Plainly::default();
    let mut at = 0;
    while at < lines.len() {
        if lines[at].trim_matches([' ', '\t', '\r']).is_empty() {
            at += 1;
        } else if let Some((entry, count)) = plain_record(&lines[at..]) {
            outcome.0.push(entry);
            at += count;
        } else {
            outcome.1.push((at as u64 + 1, lines[at].as_bytes().to_vec()));
            at += 1;
        }
    }
    outcome
}

/// The record that starts in the first line, if there is one, and how many lines it takes.
fn plain_record(lines: &[&str]) -> Option<([String; FIELDS], usize)> {
    let mut fields = vec![String::new()];
    let mut in_quotes = false;
    for (line, count) in lines.iter().zip(1..) {
        let mut characters = line.chars().peekable();
        let mut at_start = !in_quotes;
        while let Some(character) = characters.next() {
            if in_quotes {
                if character != '"' {
                    fields.last_mut()?.push(character);
                } else if characters.next_if_eq(&'"').is_some() {
                    fields.last_mut()?.push('"');
                } else {
                    in_quotes = false;
                    let rest: String = characters.clone().collect();
                    if !(rest.is_empty() || rest == "\r" || rest.starts_with(',')) {
                        return None;
                    }
                }
            } else if character == ',' {
                fields.push(String::new());
                at_start = true;
                continue;
            } else if character == '"' && at_start {
                in_quotes = true;
            } else if !(character == '\r' && characters.peek().is_none()) {
                fields.last_mut()?.push(character);
            }
            at_start = false;
        }
        if !in_quotes {
            return Some((fields.try_into().ok()?, count));
        }
        fields.last_mut()?.push('\n');
    }
    None
}

#[test]
fn lines_may_end_in_crlf_and_start_with_a_byte_order_mark() {
    let outcome = outcome(&format!("\u{feff}{A}\r\n\r\n{A}\r\n\"a\",b,c,d,e,f,\"g\"\r\n\u{feff}{A}\r"));
    assert_eq!(outcome.paths(), ["/a", "/a", "g", "/a"]);
    assert_eq!(outcome.entries[3][0], "\u{feff}-r--r--r--");
    assert_eq!(super::tests::outcome("\u{feff}\"a\",b,c,d,e,f,\"g\ng\"").entries[0][0], "a");
    assert_eq!(super::tests::outcome("\u{feff}\"a\",b").rejected[0].2, "\u{feff}\"a\",b".as_bytes());
}

#[test]
fn any_seven_fields_are_a_record() {
    let outcome = outcome("mode,links,user,group,size,date,path\n,,,,,,\n\0,é, ,\t,\r,a\"b,c\"\n");
    assert_eq!(outcome.rejected, []);
    assert_eq!(outcome.entries[1], [""; FIELDS].map(str::to_owned));
    assert_eq!(outcome.entries[2], ["\0", "é", " ", "\t", "\r", "a\"b", "c\""].map(str::to_owned));
}

#[test]
fn a_record_of_another_length_is_rejected_with_both_numbers() {
    let outcome = outcome(&format!("a\n{A},b\n\"{A}\"\n{A}\n"));
    let reason = |found| format!("expected 7 fields, found {found}");
    assert_eq!(outcome.reasons(), [(1, &*reason(1)), (2, &*reason(8)), (3, &*reason(1))]);
    assert_eq!(outcome.paths(), ["/a"]);
}

#[test]
fn a_stray_quote_costs_no_line_but_its_own() {
    for stray in ["\"", "a,b,c,d,e,f,\"g", "\"a\"b", "a,b,c,d,e,f,\"g\"h", "a,b,c,d,e,f,g,\"h"] {
        let outcome = outcome(&format!("{A}\n{stray}\n{A}\n\"-\",1,r,r,1,d,\",\"\n{A}\n"));
        assert_eq!(outcome.paths(), ["/a", "/a", ",", "/a"], "{stray}");
        assert_eq!(outcome.rejected.len(), 1);
        assert_eq!(outcome.rejected[0].2, stray.as_bytes());
    }
}

#[test]
fn reasons_say_what_is_wrong_with_a_quote() {
    let open = outcome("a,b,c,d,e,f,\"g\nh");
    assert_eq!(
        open.reasons()[0],
        (1, "expected the quote opened in this line to be closed within 1 MiB, before a comma or a line end")
    );
    let after = outcome("a,b,c,d,e,f,\"g\" ");
    let reason = "expected a comma after a closing quote (quotes inside a field are doubled)";
    assert_eq!(after.reasons(), [(1, reason)]);
    let both = outcome("a,b,c,d,e,f,g,\"h\ni\"");
    let reason = "expected 7 fields, found 8 and the last one's quote not closed in this line";
    assert_eq!(both.reasons()[0], (1, reason));
}

#[test]
fn a_record_of_many_lines_is_read_up_to_the_longest() {
    let start = "a,b,c,d,e,f,\"";
    let longest = "\n".repeat(MAX_LINE - start.len() - 1);
    assert_eq!(outcome(&format!("{start}{longest}\"\n{A}")).paths(), [&longest, "/a"]);
    let outcome = outcome(&format!("{start}{longest}\n\"\n{A}"));
    assert_eq!(outcome.paths(), ["/a"]);
    assert_eq!(
        outcome.rejected[0],
        (
            1,
            "expected the quote opened in this line to be closed within 1 MiB, before a comma or a line end"
                .into(),
            start.into()
        )
    );
}

#[test]
fn a_record_that_is_no_utf_8_is_rejected_as_a_whole() {
    let outcome = Entries::of_csv(b"a,b,c,d,e,f,\"\n\xff\"\na,b,\xff,d,e,f,g");
    assert_eq!(
        outcome.reasons(),
        [(1, "expected utf-8, byte 15 is not"), (3, "expected utf-8, byte 5 is not")]
    );
    assert_eq!(outcome.rejected[0].2, b"a,b,c,d,e,f,\"\n\xff\"");
}

#[test]
fn hostile_quotes_take_no_quadratic_time() {
    // With a look ahead to the end of the file at each line these would take minutes.
    const LENGTH: usize = MAX_LINE / 4;
    for line in
        ["\"", "\"\"\"", "\"\"\"\"", "a\",\"b", "a,b,c,d,e,f,\"g", ",\"", "\",\"", "\",\",\",a", "\"\"\"a"]
    {
        let input = format!("{line}\n").repeat(LENGTH / line.len());
        let outcome = outcome(&input);
        assert!(outcome.rejected.iter().map(|(.., line)| line.len() + 1).sum::<usize>() <= input.len());
    }
    let odd = format!("\"\n{}", "x\n".repeat(LENGTH));
    assert_eq!(outcome(&odd).rejected.len(), 1 + LENGTH);
}
