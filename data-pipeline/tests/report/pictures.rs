//! The page in a browser: whether it fits its window, and pictures of it to look at.

use std::fs;
use std::path::Path;
use std::process::Command;

use data_pipeline::report::Format;

use crate::{rendered, samples};

/// The widths of a phone and of a desk.
const WIDTHS: [u32; 2] = [360, 1600];
/// What `preferredColorScheme` calls them.
const SCHEMES: [(&str, u8); 2] = [("dark", 0), ("light", 1)];
/// Taller pictures than this are not looked at.
const TALLEST: u32 = 4000;

#[test]
#[ignore = "starts Chromium two dozen times"]
fn no_page_is_wider_than_its_window() {
    if Command::new("chromium").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "CI must have Chromium");
        eprintln!("left out, since there is no Chromium: no_page_is_wider_than_its_window");
        return;
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let pages = [
        ("flowers", samples::flowers()),
        ("nothing", samples::nothing()),
        ("no-rows", samples::no_rows()),
        ("extreme", samples::extreme()),
    ];
    for (name, report) in pages {
        let page = rendered(&report, Format::Html);
        for width in WIDTHS {
            let frame = directory.join(format!("{name}-{width}.html"));
            fs::write(&frame, framed(&page, width)).expect("the directory of this test is writable");
            let (wide, high) = size(&frame);
            assert_eq!(wide, width, "{name}");
            for (scheme, number) in SCHEMES {
                let picture = frame.with_extension(format!("{scheme}.png"));
                let args = [
                    format!("--screenshot={}", picture.display()),
                    format!("--window-size={},{}", width.max(500), high.min(TALLEST)),
                    format!("--blink-settings=preferredColorScheme={number}"),
                ];
                chromium(&frame, &args);
                assert!(picture.exists(), "no picture {}", picture.display());
            }
        }
    }
    println!("the pictures are in {}", directory.display());
}

/// A page with the page in a frame: no window of Chromium's is narrower than 500 pixels, a frame may be. It notes
/// the size of what is in the frame.
fn framed(page: &str, width: u32) -> String {
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    let noted = "let inside = this.contentDocument.documentElement; this.height = inside.scrollHeight; \
                 this.dataset.size = inside.scrollWidth + ' ' + inside.scrollHeight";
    format!(
        "<!DOCTYPE html><meta charset=utf-8><meta name=color-scheme content='light dark'>\
         <body style='margin: 0'><iframe style='border: 0; display: block' width={width} \
         onload=\"{noted}\" srcdoc=\"{page}\"></iframe>"
    )
}

fn size(frame: &Path) -> (u32, u32) {
    let dom = chromium(frame, &["--dump-dom".to_owned(), "--window-size=2000,1000".to_owned()]);
    let noted = dom.split("data-size=\"").nth(1).and_then(|rest| rest.split('"').next());
    let (width, height) = noted.and_then(|noted| noted.split_once(' ')).expect("the frame has loaded");
    (width.parse().expect("a width"), height.parse().expect("a height"))
}

fn chromium(page: &Path, args: &[String]) -> String {
    let profile = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new("chromium")
        // Its sandbox refuses to run as root, and what it loads is ours.
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(args)
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("Chromium is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("Chromium writes UTF-8")
}
