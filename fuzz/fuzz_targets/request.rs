//! Requests to the api, on real connections: the properties among its tests check the same.
#![no_main]

use std::net::SocketAddr;
use std::sync::LazyLock;

use api::Config;
use libfuzzer_sys::fuzz_target;
use service::{Context, Shutdown};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

#[path = "../../api/tests/connections/any_bytes.rs"]
mod any_bytes;

/// One thread for all: what an input reaches in the server is known before the next one comes.
static SERVER: LazyLock<(Runtime, SocketAddr)> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config { name: Some("pod-1".to_owned()), ..Config::default() };
    runtime.spawn(api::serve(listener, config, Context::new(Shutdown::new())));
    (runtime, address)
});

fuzz_target!(|bytes: &[u8]| {
    let (runtime, address) = &*SERVER;
    runtime.block_on(any_bytes::check(*address, bytes, r#"{"response":"ok","container":"pod-1"}"#));
});
