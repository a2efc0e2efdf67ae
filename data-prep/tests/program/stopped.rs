//! Told to stop.

use std::fs::{self, File};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::server::{Server, answer, hang, head, send};
use crate::{Place, assert_fetches_iris, iris, wait_until};

#[test]
fn told_to_stop_in_the_middle_it_says_so_by_its_status_and_leaves_nothing() {
    let half = |stream: &mut std::net::TcpStream| {
        head(stream, "200 OK", &[], iris().len());
        send(stream, &iris()[..2_000]);
        hang(stream);
    };
    let unavailable = |stream: &mut std::net::TcpStream| {
        answer(stream, "503 Service Unavailable", &["Retry-After: 3600"], b"");
    };
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        for pauses in [false, true] {
            let place = Place::new();
            let server =
                Server::start(move |_, _, stream| if pauses { unavailable(stream) } else { half(stream) });
            let log_file = tempfile::NamedTempFile::new().unwrap();
            let mut command = place.data_prep(&server.url("/"));
            command.stderr(File::create(log_file.path()).unwrap()).stdout(Stdio::null());
            let mut child = command.spawn().unwrap();
            let log = || fs::read_to_string(log_file.path()).unwrap();
            wait_until("it is in the middle", || {
                if pauses { log().contains("trying again") } else { !place.download().is_empty() }
            });
            kill_process(Pid::from_child(&child), signal).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(status), "{}", log());
            place.assert_untouched();
            let server = Server::with(iris());
            assert_fetches_iris(&place, &mut place.data_prep(&server.url("/")));
        }
    }
}
