//! Debian's headless Chromium, driven by Chrome's debugging protocol over a pipe: JSON, each message ended by a NUL.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use end_to_end::wait_for;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A busy machine may need long for a page.
const LIMIT: Duration = Duration::from_secs(300);

/// A browser with one page; it ends with the test.
pub(crate) struct Browser {
    process: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: Value,
    calls: u64,
    /// What the page complained of.
    complaints: Vec<String>,
    _profile: TempDir,
}

/// Whether the test can run. CI must have a browser.
pub(crate) fn has_chromium() -> bool {
    let found =
        Command::new("chromium").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    assert!(found || std::env::var_os("CI").is_none(), "CI must have chromium");
    if !found {
        eprintln!("skipped: there is no chromium");
    }
    found
}

impl Browser {
    /// Opens a page in a window of this size.
    pub(crate) fn open(url: &str, width: u32, height: u32) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        // It reads from descriptor 3, and writes to 4.
        command.args(["-c", "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh"]);
        command.args(["--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu"]);
        command.args(["--disable-dev-shm-usage", "--disable-background-networking", "--disable-sync"]);
        command.args(["--disable-component-update", "--no-first-run", "--hide-scrollbars"]);
        command.args(["--disable-crash-reporter", "--disable-breakpad", "--password-store=basic"]);
        command.args(["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, mut output) =
            (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let (sender, from) = channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let (session, calls, complaints) = (Value::Null, 0, Vec::new());
        let mut browser = Browser { process, to, from, session, calls, complaints, _profile: profile };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", &json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].clone();
        for domain in ["Page", "Runtime", "Log", "HeapProfiler"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser.resize(width, height);
        browser.call("Page.navigate", &json!({"url": url}));
        browser
    }

    /// Calls a method of the protocol; returns its result.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": params});
        if !self.session.is_null() {
            message["sessionId"] = self.session.clone();
        }
        write!(self.to, "{message}\0").unwrap();
        loop {
            let mut reply = self.from.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("{method}: no reply"));
            if reply["id"] == self.calls {
                assert_eq!(reply["error"], Value::Null, "{method}");
                return reply["result"].take();
            }
            self.note(&reply);
        }
    }

    fn note(&mut self, event: &Value) {
        let params = &event["params"];
        let is_bad = match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => true,
            "Runtime.consoleAPICalled" => {
                ["error", "warning", "assert"].iter().any(|kind| params["type"] == *kind)
            }
            "Log.entryAdded" => params["entry"]["level"] == "error",
            _ => false,
        };
        if is_bad {
            self.complaints.push(params.to_string());
        }
    }

    /// The value of an expression in the page.
    ///
    /// # Panics
    /// It throws.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut result = self.call("Runtime.evaluate", &params);
        assert_eq!(result["exceptionDetails"], Value::Null, "{expression}");
        result["result"]["value"].take()
    }

    /// The text of the first element that a selector finds.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let found = self.eval(&format!("document.querySelector({})?.textContent", json!(selector)));
        found.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true.
    pub(crate) fn wait_until(&mut self, expression: &str) {
        wait_for(expression, || (self.eval(expression) == true).then_some(()));
    }

    /// Gives the window another size.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let params = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", &params);
    }

    /// Says what the person prefers, such as `prefers-color-scheme: dark`.
    pub(crate) fn prefer(&mut self, name: &str, value: &str) {
        let params = json!({"features": [{"name": name, "value": value}]});
        self.call("Emulation.setEmulatedMedia", &params);
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: &str, code: u32) {
        let text = match key {
            "Enter" => "\r",
            " " => " ",
            _ => "",
        };
        for kind in ["keyDown", "keyUp"] {
            let params =
                json!({"type": kind, "key": key, "code": key, "text": text, "windowsVirtualKeyCode": code});
            self.call("Input.dispatchKeyEvent", &params);
        }
    }

    /// A picture of the whole page, as PNG in base64.
    pub(crate) fn picture(&mut self) -> String {
        let params = json!({"format": "png", "captureBeyondViewport": true});
        self.call("Page.captureScreenshot", &params)["data"].as_str().unwrap().to_owned()
    }

    /// How much memory the page's scripts hold once all that can go is gone, in bytes.
    pub(crate) fn heap(&mut self) -> u64 {
        self.call("HeapProfiler.collectGarbage", &json!({}));
        self.call("Runtime.getHeapUsage", &json!({}))["usedSize"].as_f64().unwrap() as u64
    }

    /// How much memory the processes that draw pages have, in bytes.
    pub(crate) fn renderers_memory(&self) -> u64 {
        let of = |pid: u32, file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let field = |pid: u32, name: &str| -> Option<u64> {
            let status = of(pid, "status");
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        };
        let is_ours = |pid: u32| {
            let mut ancestor = u64::from(pid);
            while ancestor > 1 && ancestor != u64::from(self.process.id()) {
                ancestor = field(ancestor as u32, "PPid:").unwrap_or(0);
            }
            ancestor == u64::from(self.process.id())
        };
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let renderers = pids.filter(|&pid| of(pid, "cmdline").contains("--type=renderer") && is_ours(pid));
        renderers.filter_map(|pid| field(pid, "VmRSS:")).sum::<u64>() << 10
    }

    /// # Panics
    /// The page complained of anything.
    pub(crate) fn assert_no_complaints(&mut self) {
        // What was said before is known with the next reply.
        self.eval("1");
        assert_eq!(self.complaints, Vec::<String>::new());
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends its own children.
        let _ = write!(self.to, "{}\0", json!({"id": 0, "method": "Browser.close"}));
        for _ in 0..400 {
            if self.process.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            thread::sleep(Duration::from_millis(25));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
