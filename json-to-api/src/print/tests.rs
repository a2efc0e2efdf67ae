use std::sync::mpsc;

use proptest::prelude::*;

use super::*;

/// An output that does as it is told, write by write.
struct Scripted {
    /// What the next write does; without a word it takes everything.
    script: mpsc::Receiver<io::Result<usize>>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.script.try_recv().unwrap_or(Ok(bytes.len()))?.min(bytes.len());
        self.written.lock().unwrap().extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An output that takes something only when somebody reads.
struct Unread(mpsc::Receiver<()>);

impl Write for Unread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.recv().map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Written = Arc<Mutex<Vec<u8>>>;

fn scripted(script: Vec<io::Result<usize>>) -> (Output, Written) {
    let (sender, receiver) = mpsc::channel();
    script.into_iter().for_each(|step| sender.send(step).unwrap());
    let written = Written::default();
    (Arc::new(Mutex::new(Scripted { script: receiver, written: Arc::clone(&written) })), written)
}

fn text(written: &Written) -> String {
    String::from_utf8(written.lock().unwrap().clone()).unwrap()
}

const BLOCK: &str = concat!(
    "--------------------------------------------------------------------\n",
    "\n",
    "Post doc to api: {\"mod\":\"-r\"}\n",
    "{\"response\":\"ok\"}\n",
);

#[tokio::test]
async fn a_block_is_exactly_that_of_the_contract() {
    let (output, written) = scripted(vec![]);
    let printer = Printer::start(output).unwrap();
    printer.print(br#"{"mod":"-r"}"#, b"{\"response\":\"ok\"}\n");
    printer.flush().await;
    assert_eq!(text(&written), BLOCK);
}

#[tokio::test]
async fn blocks_of_many_tasks_are_never_mixed() {
    let (output, written) = scripted((1..500).map(Ok).collect());
    let printer = Arc::new(Printer::start(output).unwrap());
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let printer = Arc::clone(&printer);
            tokio::spawn(async move {
                for number in 0..200 {
                    printer.room().await;
                    printer.print(format!("{task}.{number}").as_bytes(), b"ok");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    printer.flush().await;
    let text = text(&written);
    let head = std::str::from_utf8(HEAD).unwrap();
    let mut documents: Vec<_> =
        text.split(head).skip(1).map(|block| block.strip_suffix("\nok\n").unwrap()).collect();
    documents.sort_unstable();
    documents.dedup();
    assert_eq!(documents.len(), 8 * 200);
}

#[tokio::test]
async fn a_closed_output_stops_the_printing_and_holds_up_nobody() {
    let (output, written) = scripted(vec![Err(io::ErrorKind::BrokenPipe.into())]);
    let printer = Printer::start(output).unwrap();
    printer.print(b"1", b"ok");
    printer.flush().await;
    for _ in 0..100 {
        printer.print(&[b'1'; FULL], b"ok");
        printer.room().await;
    }
    printer.flush().await;
    assert_eq!(text(&written), "");
}

#[test]
fn after_a_failure_the_output_is_left_alone_for_a_while_and_starts_on_a_new_line() {
    let (output, written) = scripted(vec![Ok(3), Err(io::ErrorKind::StorageFull.into())]);
    let mut sink = Sink { output, paused: None, torn: false };
    assert!(sink.write(b"first\n"));
    assert!(sink.write(b"dropped\n"));
    assert_eq!(text(&written), "fir");
    sink.paused = Some(Instant::now());
    assert!(sink.write(b"second\n"));
    assert_eq!(text(&written), "fir\nsecond\n");
    assert!(sink.paused.is_none());
}

#[test]
fn a_pipe_that_would_block_is_waited_for() {
    let again = || Err(io::ErrorKind::WouldBlock.into());
    let (output, written) =
        scripted(vec![Ok(2), again(), again(), Err(io::ErrorKind::Interrupted.into()), Ok(1)]);
    let mut sink = Sink { output, paused: None, torn: false };
    assert!(sink.write(b"whole\n"));
    assert_eq!(text(&written), "whole\n");
}

#[tokio::test]
async fn an_output_that_nobody_reads_lets_only_so_much_gather() {
    let (read, unread) = mpsc::channel();
    let printer = Printer::start(Arc::new(Mutex::new(Unread(unread)))).unwrap();
    // One buffer is with the thread, the next fills.
    printer.print(&[b'1'; FLUSH_AFTER], b"ok");
    while !printer.0.lock().waiting.is_empty() {
        tokio::task::yield_now().await;
    }
    printer.print(&[b'1'; FULL], b"ok");
    let mut room = std::pin::pin!(printer.room());
    assert!(
        std::future::poll_fn(|context| std::task::Poll::Ready(room.as_mut().poll(context)))
            .await
            .is_pending()
    );
    read.send(()).unwrap();
    read.send(()).unwrap();
    room.await;
    printer.flush().await;
}

#[tokio::test]
async fn a_mark_is_reached_once_what_was_printed_before_it_is_written() {
    let (read, unread) = mpsc::channel();
    let printer = Printer::start(Arc::new(Mutex::new(Unread(unread)))).unwrap();
    printer.written(printer.mark()).await;
    printer.print(b"1", b"ok");
    let first = printer.mark();
    let mut written = std::pin::pin!(printer.written(first));
    let look = std::future::poll_fn(|context| std::task::Poll::Ready(written.as_mut().poll(context)));
    assert!(look.await.is_pending());
    while !printer.0.lock().waiting.is_empty() {
        tokio::task::yield_now().await;
    }
    printer.print(b"2", b"ok");
    read.send(()).unwrap();
    // What comes behind a mark is not waited for: nobody reads it.
    written.await;
    read.send(()).unwrap();
    printer.flush().await;
}

#[test]
fn replies_are_one_line_and_steer_no_terminal() {
    for (reply, printed) in [
        (&b"{\"response\": \"ok\"}"[..], "{\"response\": \"ok\"}"),
        (b"a\nb\r\n\tc\r\n\n", "a\\nb\\r\\n\\tc"),
        (b"\x1b[2J\x00\x7f", "\\u001b[2J\\u0000\\u007f"),
        ("ü\u{9b}31m\u{2028}✓".as_bytes(), "ü\\u009b31m\\u2028✓"),
        (b"\xff\xfe", "\u{fffd}\u{fffd}"),
        (b"", ""),
    ] {
        let mut out = Vec::new();
        block(b"1", reply, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().nth(3).unwrap(), printed);
        assert_eq!(text.lines().count(), 4);
    }
}

proptest! {
    #[test]
    fn any_reply_makes_four_lines(reply: Vec<u8>) {
        let mut out = Vec::new();
        block(b"{}", &reply, &mut out);
        let text = String::from_utf8(out).unwrap();
        prop_assert_eq!(text.matches('\n').count(), 4);
        prop_assert!(!text.replace('\n', "").contains(char::is_control));
    }
}

#[test]
fn a_document_forges_no_line_and_steers_no_terminal() {
    let mut printed = Vec::new();
    block("{\"a\":\r\"\u{9b}31m\u{85}\",\"é\":\"\\n\"}".as_bytes(), b"ok", &mut printed);
    let printed = String::from_utf8(printed).unwrap();
    assert!(printed.ends_with("api: {\"a\":\\r\"\\u009b31m\\u0085\",\"é\":\"\\n\"}\nok\n"), "{printed:?}");
}
