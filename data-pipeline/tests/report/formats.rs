use data_pipeline::report::{Format, FormatError};

#[test]
fn each_format_has_a_name_and_an_extension() {
    for (name, extension) in [("json", "json"), ("text", "txt"), ("html", "html")] {
        let format: Format = name.parse().unwrap();
        assert_eq!((format.to_string().as_str(), format.extension()), (name, extension));
    }
}

#[test]
fn a_list_of_formats_keeps_its_order() {
    assert_eq!(Format::parse_list("html, json"), Ok(vec![Format::Html, Format::Json]));
    assert_eq!(Format::parse_list("text"), Ok(vec![Format::Text]));
}

#[test]
fn a_list_with_an_unknown_a_doubled_or_no_name_is_refused() {
    let cases = [
        ("json,pdf", "`pdf` is no report format; there are json, text, html"),
        ("JSON", "`JSON` is no report format; there are json, text, html"),
        ("", "`` is no report format; there are json, text, html"),
        ("json,", "`` is no report format; there are json, text, html"),
        ("a\u{1b}", "`a\\u{1b}` is no report format; there are json, text, html"),
        ("json,html, json", "the report format `json` is named twice"),
    ];
    for (list, message) in cases {
        assert_eq!(Format::parse_list(list).unwrap_err().to_string(), message, "{list:?}");
    }
    assert_eq!(Format::parse_list("text,text"), Err(FormatError::Twice(Format::Text)));
}
