//! What stands before the api: like a Service, it spreads connections over the pods; it keeps the books, refuses what is
//! to be refused, and disturbs.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use end_to_end::{Ledger, Post, Token};

use crate::environment::Environment;
use crate::figures::Figures;
use crate::pod::Pod;

/// A document that bears this is refused.
pub(crate) const REFUSED: &str = "/refused/";
/// Where no token is found: no record that went in has it.
const STRANGER: Token = Token { file: 0, record: 0 };

/// The way to the pods.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    // Not the environment: threads that wait for a connection would keep it for ever.
    ledger: Arc<Ledger>,
    figures: Arc<Figures>,
    pods: Mutex<Vec<SocketAddr>>,
    turn: AtomicUsize,
    is_calm: AtomicBool,
    random: Mutex<fastrand::Rng>,
}

/// What is done to a request.
enum Fault {
    /// Nothing.
    None,
    /// It is answered late.
    Slow,
    /// It is answered with another status, and no pod sees it.
    Status(u16),
    /// It is answered with what is no HTTP.
    Garbage,
    /// It is never answered, and no pod sees it.
    Silence,
    /// The connection is cut off before a pod sees it.
    CutBefore,
    /// The connection is cut off in the midst of a pod's answer.
    CutAfter,
}

impl Proxy {
    pub(crate) fn open(environment: &Environment, random: fastrand::Rng) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            ledger: Arc::clone(&environment.ledger),
            figures: Arc::clone(&environment.figures),
            pods: Mutex::default(),
            turn: AtomicUsize::new(0),
            is_calm: AtomicBool::new(false),
            random: Mutex::new(random),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&accepting);
                // Whoever goes away ends its thread with an error that nobody needs.
                std::thread::spawn(move || shared.serve(&stream));
            }
        });
        Proxy { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends new connections to these pods from now on.
    pub(crate) fn set_pods(&self, pods: Vec<SocketAddr>) {
        *self.shared.pods.lock().unwrap() = pods;
    }

    /// Disturbs nobody any more.
    pub(crate) fn calm(&self) {
        self.shared.is_calm.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut pod = self.connect()?;
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let fault = self.draw();
            if matches!(fault, Fault::CutBefore) {
                // Closed with something unread, it is reset.
                stream.peek(&mut [0]).ok().filter(|read| *read > 0)?;
                self.figures.count("resets");
                return None;
            }
            let post = Post::read(&mut reader)?;
            let token = Token::find(&post.body).unwrap_or(STRANGER);
            self.ledger.posted(token, &post.key);
            let keep = self.answer(stream, &mut pod, &post, token, &fault)?;
            if !keep {
                return None;
            }
        }
    }

    /// Answers a POST; false: it was the connection's last.
    fn answer(
        &self,
        mut stream: &TcpStream,
        pod: &mut Pod,
        post: &Post,
        token: Token,
        fault: &Fault,
    ) -> Option<bool> {
        let figures = &self.figures;
        match fault {
            Fault::Status(status) => {
                figures.count("wrong answers");
                stream.write_all(&response(*status, b"fault")).ok()?;
                return Some(true);
            }
            Fault::Garbage => {
                figures.count("wrong answers");
                stream.write_all(b"220 this is no web server\r\n\r\n").ok()?;
                return Some(false);
            }
            Fault::Silence => {
                figures.count("silences");
                std::io::copy(&mut stream, &mut std::io::sink()).ok()?;
                return Some(false);
            }
            _ => {}
        }
        if post.body.windows(REFUSED.len()).any(|window| window == REFUSED.as_bytes()) {
            stream.write_all(&response(422, b"refused")).ok()?;
            return Some(true);
        }
        let answer = pod.post(post)?;
        if answer.status == 200 {
            self.ledger.delivered(token);
        }
        let bytes = if answer.is_last {
            last_response(answer.status, &answer.body)
        } else {
            response(answer.status, &answer.body)
        };
        if matches!(fault, Fault::CutAfter) {
            figures.count("resets");
            figures.count("answers lost");
            stream.write_all(&bytes[..bytes.len() / 2]).ok()?;
            return Some(false);
        }
        if matches!(fault, Fault::Slow) {
            figures.count("slow answers");
            std::thread::sleep(self.slowness());
        }
        stream.write_all(&bytes).ok()?;
        Some(!answer.is_last)
    }

    /// A connection to some pod, by turns.
    fn connect(&self) -> Option<Pod> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let address = {
            let pods = self.pods.lock().unwrap();
            *pods.get(turn % pods.len().max(1))?
        };
        Pod::connect(address)
    }

    fn draw(&self) -> Fault {
        if self.is_calm.load(Ordering::SeqCst) {
            return Fault::None;
        }
        match self.random.lock().unwrap().u32(..2_000) {
            0..10 => Fault::Slow,
            10..14 => Fault::Status(500),
            14..17 => Fault::Status(429),
            17..19 => Fault::Status(404),
            19..22 => Fault::Garbage,
            22 => Fault::Silence,
            23..26 => Fault::CutBefore,
            26..29 => Fault::CutAfter,
            _ => Fault::None,
        }
    }

    /// Well below the client's timeout.
    fn slowness(&self) -> Duration {
        Duration::from_millis(self.random.lock().unwrap().u64(20..500))
    }
}

fn response(status: u16, body: &[u8]) -> Vec<u8> {
    response_with("", status, body)
}

/// Says that the connection ends with it: a client may send no more on it.
fn last_response(status: u16, body: &[u8]) -> Vec<u8> {
    response_with("connection: close\r\n", status, body)
}

fn response_with(headers: &str, status: u16, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}
