//! The Iris data from a URL to the API, by the README's commands.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::thread;

use end_to_end::{Recorder, documented_commands, program, run};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data-prep/test_data/iris.data");
const MEMBERS: [&str; 5] = ["sepal-length", "sepal-width", "petal-length", "petal-width", "class"];

/// Serves the data set.
fn serve(data: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = BufReader::new(&stream).lines().map_while(Result::ok);
            assert!(request.take_while(|line| !line.is_empty()).next().unwrap().starts_with("GET "));
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", data.len());
            stream.write_all((head + &data).as_bytes()).unwrap();
        }
    });
    address
}

/// The README's commands for the installed programs, with addresses of our own.
fn commands(data: SocketAddr, api: &str) -> Vec<String> {
    let all = documented_commands("README.md");
    let first = all.iter().position(|line| line.contains("-p data-prep")).expect("the README shows it");
    let commands = all[first..].iter().skip_while(|line| !line.starts_with("mkdir "));
    let commands: Vec<String> = commands.take(4).cloned().collect();
    let [_, fetch, _, send] = &commands[..] else { panic!("{commands:?}") };
    let url = fetch.split(' ').find(|word| word.starts_with("https://")).unwrap();
    assert!(url.ends_with("/iris.data") && send.ends_with(" --api-url http://localhost:8080"));
    let here = |line: &String| {
        line.replace(url, &format!("http://{data}/iris.data")).replace("http://localhost:8080", api)
    };
    commands.iter().map(here).collect()
}

#[test]
fn the_iris_data_goes_from_a_url_to_the_api_by_the_commands_of_the_readme() {
    let data = fs::read_to_string(DATA).unwrap();
    let (address, api) = (serve(data.clone()), Recorder::start());
    let directory = tempfile::tempdir().unwrap();
    let programs = program("data-prep").parent().unwrap().to_owned();
    let mut printed = String::new();
    for line in commands(address, &api.url()) {
        let path = std::env::join_paths([&programs, Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-ec", &line]).env_clear().env("PATH", path).current_dir(directory.path());
        printed += &String::from_utf8(run(&mut shell).stdout).unwrap();
    }
    assert!(printed.starts_with("iris.csv: 4551 bytes, 150 rows, 0 rejected, "), "{printed}");

    let mut documents: Vec<String> =
        api.posts().into_iter().map(|post| String::from_utf8(post.body).unwrap()).collect();
    let mut expected: Vec<String> = data.lines().filter(|line| !line.is_empty()).map(document).collect();
    let first = r#"{"sepal-length":"5.1","sepal-width":"3.5","petal-length":"1.4","petal-width":"0.2","class":"Iris-setosa"}"#;
    let last = r#"{"sepal-length":"5.9","sepal-width":"3.0","petal-length":"5.1","petal-width":"1.8","class":"Iris-virginica"}"#;
    assert_eq!((expected.len(), &*expected[0], &*expected[149]), (150, first, last));
    documents.sort();
    expected.sort();
    assert_eq!(documents, expected);
    let left = fs::read_dir(directory.path().join("data")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).filter(|name| name != ".pipe").collect();
    assert_eq!(left, ["rejected"], "all is through");
    assert_eq!(fs::read_dir(directory.path().join("data/rejected")).unwrap().count(), 0);
}

/// The document that a row is to become.
fn document(row: &str) -> String {
    let members = MEMBERS.iter().zip(row.split(','));
    let members: Vec<String> = members.map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
    format!("{{{}}}", members.join(","))
}
