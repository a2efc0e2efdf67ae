//! What kube-proxy does for a Service: each new connection goes to some backend, and stays there.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A balancer of connections on a free port of loopback, for as long as the process lives.
pub struct Balancer {
    address: SocketAddr,
    backends: Arc<Mutex<Vec<SocketAddr>>>,
    connections: Arc<AtomicUsize>,
}

impl Balancer {
    /// One in front of these.
    pub fn start(backends: &[SocketAddr]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let backends = Arc::new(Mutex::new(backends.to_vec()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (to, counter) = (Arc::clone(&backends), Arc::clone(&connections));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let backend = {
                    let backends = to.lock().unwrap();
                    // By turns: kube-proxy's dice would make a test depend on luck.
                    backends[number % backends.len()]
                };
                if let Ok(server) = TcpStream::connect(backend) {
                    join(&client, &server);
                }
            }
        });
        Balancer { address, backends, connections }
    }

    /// What to give as `--api-url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends new connections to these from now on; those that stand go where they went.
    pub fn set(&self, backends: &[SocketAddr]) {
        *self.backends.lock().unwrap() = backends.to_vec();
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn join(client: &TcpStream, server: &TcpStream) {
    for (from, to) in [(client, server), (server, client)] {
        let _ = from.set_nodelay(true);
        let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
        std::thread::spawn(move || {
            // However it ends, the other side is told.
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}
