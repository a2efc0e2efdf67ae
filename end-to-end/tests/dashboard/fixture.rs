//! The chain's stages and two pods of the api, with a dashboard that watches them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use end_to_end::{Balancer, DataDir, Running, api, dashboard, stage};

use crate::browser::Browser;

/// A window that shows all side by side.
pub(crate) const WIDE: (u32, u32) = (1600, 1200);

/// A line that the first stage takes.
pub(crate) fn line(name: &str) -> String {
    format!("-rw-r--r--    1 root     root            19 Mar 19 23:57 /{name}\n")
}

/// A dashboard on a directory, which watches these.
pub(crate) fn dashboard_on(data: &Path, targets: &[(&str, SocketAddr)], more: &[&str]) -> Running {
    let mut command = dashboard(data);
    for (program, address) in targets {
        command.arg(format!("--metrics={program}={address}"));
    }
    Running::start(command.args(more))
}

/// Where its page is.
pub(crate) fn page_of(dashboard: &Running) -> String {
    format!("http://{}/", dashboard.address("listening"))
}

/// What it answers to a path: status and body.
pub(crate) fn get(dashboard: &Running, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(dashboard.address("listening")).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The whole chain at work on a directory of its own.
pub(crate) struct Chain {
    pub(crate) data: DataDir,
    pub(crate) text_to_csv: Running,
    pub(crate) csv_to_json: Running,
    pub(crate) json_to_api: Running,
    pub(crate) apis: Vec<Running>,
    pub(crate) dashboard: Running,
    _balancer: Balancer,
}

impl Chain {
    pub(crate) fn start(more: &[&str]) -> Self {
        let apis: Vec<Running> = (0..2).map(|_| Running::start(&mut api())).collect();
        let listening: Vec<SocketAddr> = apis.iter().map(|api| api.address("listening")).collect();
        let balancer = Balancer::start(&listening);
        let data = DataDir::new();
        let start = |name, more: &[&str]| Running::start(&mut stage(name, data.path(), more));
        let text_to_csv = start("text-to-csv", &[]);
        let csv_to_json = start("csv-to-json", &[]);
        let json_to_api = start("json-to-api", &["--api-url", &balancer.url()]);
        let admin = |running: &Running| running.address("admin port open");
        let mut targets = vec![
            ("text-to-csv", admin(&text_to_csv)),
            ("csv-to-json", admin(&csv_to_json)),
            ("json-to-api", admin(&json_to_api)),
        ];
        targets.extend(apis.iter().map(|api| ("api", admin(api))));
        let dashboard = dashboard_on(data.path(), &targets, more);
        Chain { data, text_to_csv, csv_to_json, json_to_api, apis, dashboard, _balancer: balancer }
    }

    pub(crate) fn browser(&self) -> Browser {
        let mut browser = Browser::open(&page_of(&self.dashboard), WIDE.0, WIDE.1);
        browser.wait_until("document.querySelectorAll('.stage').length === 5");
        browser
    }
}
