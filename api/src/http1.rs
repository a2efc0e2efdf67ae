//! HTTP/1: ordinary requests fast, and every other leaves its connection to hyper.

mod careful;
mod ordinary;
mod quick;

use std::sync::Arc;

use crate::answer::Answers;
use crate::connection::Ending;
use crate::pace::Pace;
use crate::socket::Socket;

/// Serves a connection to its end.
pub(crate) async fn serve(mut socket: Socket, answers: &Answers, pace: &Arc<Pace>, ending: &mut Ending) {
    if quick::serve(&mut socket, answers, pace, ending).await == quick::End::Extraordinary {
        careful::serve(socket, answers, pace, ending).await;
    }
}
