use proptest::prelude::*;

use super::*;
use crate::testing::Outcome;

fn cleaned(input: &[u8], names: Option<&str>) -> Result<(String, Outcome, Counts), CleanError> {
    let (mut input, mut output, mut rejected) = (input, Vec::new(), Outcome::default());
    let names = names.map(|names| names.parse::<Names>().unwrap());
    let counts = clean(&mut input, &mut output, &mut rejected, names.as_ref())?;
    Ok((String::from_utf8(output).unwrap(), rejected, counts))
}

#[test]
fn blank_lines_and_surrounding_space_are_gone() {
    let input = b"\n a , b\t,c\r\n\r\n   \t\n1, 2 ,3\n\n\"x y\",\" quoted \",\n\n";
    let (output, rejected, counts) = cleaned(input, None).unwrap();
    assert_eq!(output, "a,b,c\n1,2,3\nx y,quoted,\n");
    assert_eq!((counts, rejected.rejected_file()), (Counts { ok: 2, rejected: 0 }, Vec::new()));
}

#[test]
fn what_does_not_fit_is_set_aside_as_it_stands_behind_the_header() {
    let input = b"1,2\n 1 , 2 , 3\n\xff,2\nx\"y,2\n\"a\"b,2\n\"a\nb\",2\n\"open,2\n3,4";
    let (output, rejected, counts) = cleaned(input, Some("first,second\"")).unwrap();
    assert_eq!(output, "first,\"second\"\"\"\n1,2\n\"x\"\"y\",2\n\"a\nb\",2\n3,4\n");
    assert_eq!(rejected.rejected_file(), b"first,\"second\"\"\"\n 1 , 2 , 3\n\xff,2\n\"a\"b,2\n\"open,2\n");
    assert_eq!(counts, Counts { ok: 4, rejected: 4 });
    let expected = [
        (2, "expected 2 fields, found 3"),
        (3, "expected utf-8, byte 1 is not"),
        (5, "expected a comma after a closing quote"),
        (8, "expected the quote opened in this line to be closed"),
    ];
    assert_eq!(rejected.reasons().len(), expected.len());
    for ((line, reason), (expected_line, start)) in rejected.reasons().into_iter().zip(expected) {
        assert!(line == expected_line && reason.starts_with(start), "{line}: {reason}");
    }
}

#[test]
fn a_row_that_is_set_aside_can_be_mended_and_goes_the_same_way() {
    let (_, rejected, _) = cleaned(b"a,b\n1,2\n3\n4,5,6\n", None).unwrap();
    let mended =
        String::from_utf8(rejected.rejected_file()).unwrap().replace("3\n", "3,x\n").replace(",6", "");
    assert_eq!(cleaned(mended.as_bytes(), None).unwrap().0, "a,b\n3,x\n4,5\n");
}

#[test]
fn a_first_row_that_cannot_be_the_header_is_an_error_and_says_why() {
    for (input, expected) in [
        (&b""[..], "field 1 has no name"),
        (b"\n \n", "field 1 has no name"),
        (b"a,,c\n1,2,3\n", "field 2 has no name"),
        (b"a,b,a\n1,2,3\n", "fields 1 and 3 have the same name `a`"),
        (b"a,\xff\n1,2\n", "expected utf-8, byte 3 is not"),
        (b"\xff\xfea\0\n\0", "the file is utf-16 (little endian)"),
        (&[b'x'; (1 << 20) + 1], "longer than 1 MiB"),
    ] {
        let error = {
            let error = cleaned(input, None).err().unwrap();
            format!("{error}: {}", std::error::Error::source(&error).unwrap())
        };
        assert!(error.contains("first row") && error.contains(expected), "{error}");
    }
}

#[test]
fn no_row_at_all_is_an_error_that_shows_what_was_there_instead() {
    let page = b"<html>\n<body>Not here</body>\n</html>\n";
    let error = cleaned(page, Some("a,b")).err().unwrap().to_string();
    assert_eq!(
        error,
        "it has no row of 2 columns, and 3 others, the first in line 1: expected 2 fields, found 1"
    );
    let error = cleaned(b"a,b\n", None).err().unwrap().to_string();
    assert_eq!(error, "it has no row of 2 columns, and 0 others");
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_name() {
    assert_eq!(cleaned(b"\xef\xbb\xbfa,b\n1,2\n", None).unwrap().0, "a,b\n1,2\n");
}

#[test]
fn where_rows_have_one_column_blanks_are_no_row() {
    assert_eq!(cleaned(b"a\n \n\n x \n\"\"\n", None).unwrap().0, "a\nx\n");
}

#[test]
fn a_row_beyond_a_mebibyte_is_set_aside_and_not_held() {
    let mut input = b"a,b\n1,2\n".to_vec();
    input.resize(input.len() + (5 << 20), b'x');
    input.extend_from_slice(b"\n3,4\n");
    let (output, rejected, counts) = cleaned(&input, None).unwrap();
    assert_eq!((output.as_str(), counts), ("a,b\n1,2\n3,4\n", Counts { ok: 2, rejected: 1 }));
    assert_eq!(rejected.reasons(), [(3, "longer than 1 MiB")]);
    assert_eq!(rejected.rejected_file().len(), "a,b\n".len() + (5 << 20) + 1);
}

#[test]
fn an_error_of_the_writer_is_passed_on_as_it_is() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let cleaned = clean(&mut &b"a\n1\n"[..], &mut Full, &mut (), None);
    assert!(matches!(cleaned, Err(CleanError::Io(error)) if error.kind() == io::ErrorKind::StorageFull));
}

proptest! {
    /// What comes out is what the csv crate reads of it, and cleaning that changes nothing.
    #[test]
    fn any_table_comes_out_trimmed_and_once_cleaned_stays_as_it_is(
        rows in prop::collection::vec(prop::array::uniform3("[ a\",\n\r\u{e9}]{0,5}"), 1..20)
    ) {
        let mut table = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        rows.iter().for_each(|row| table.write_record(row).unwrap());
        let table = table.into_inner().unwrap();
        let Ok((once, rejected, counts)) = cleaned(&table, Some("x,y,z")) else { return Ok(()) };
        prop_assert_eq!(rejected.reasons(), []);
        let read = csv::Reader::from_reader(once.as_bytes()).into_records().map(Result::unwrap);
        let read: Vec<Vec<String>> = read.map(|row| row.iter().map(str::to_owned).collect()).collect();
        let trimmed: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(|field| field.trim()).collect()).collect();
        prop_assert_eq!(&read, &trimmed);
        prop_assert_eq!(counts.ok, rows.len() as u64);
        prop_assert_eq!(cleaned(once.as_bytes(), None).unwrap().0, once);
    }

    #[test]
    fn any_bytes_are_accounted_for(input: Vec<u8>, names in prop::option::of(Just("a,b"))) {
        if let Ok((output, rejected, counts)) = cleaned(&input, names) {
            prop_assert_eq!(counts.rejected, rejected.reasons().len() as u64);
            let rows = csv::Reader::from_reader(output.as_bytes()).into_records().map(Result::unwrap).count();
            prop_assert_eq!(counts.ok, rows as u64);
        }
    }
}
