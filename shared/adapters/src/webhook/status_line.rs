//! The status line of an answer, seen as it passes: hyper tells of an answer only once it has all of its headers, and a
//! partner that said 200 has our webhook, whatever becomes of the headers behind it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// `HTTP/1.1 200`, and what ends the code.
const CODE_ENDS_AT: usize = 13;

#[derive(Debug, Default)]
struct Seen {
    beginning: Vec<u8>,
    ended: bool,
}

impl Seen {
    fn take_in(&mut self, bytes: &[u8]) {
        if self.ended {
            return;
        }
        let line = bytes.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        let room = CODE_ENDS_AT - self.beginning.len();
        self.beginning.extend(line.iter().take(room));
        self.ended = line.ends_with(b"\n");
    }

    fn status(&self) -> Option<u16> {
        let rest = self.beginning.strip_prefix(b"HTTP/1.1 ").or_else(|| self.beginning.strip_prefix(b"HTTP/1.0 "))?;
        let (code, end) = rest.split_at_checked(3)?;
        let whole = self.ended && end.first().is_some_and(|byte| b" \r\n".contains(byte));
        let digits = core::str::from_utf8(code).ok().filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()))?;
        // 1xx is not the answer but a word before it.
        digits.parse().ok().filter(|code| whole && *code >= 200)
    }
}

/// What the answer under way has said so far.
#[derive(Debug, Clone, Default)]
pub(super) struct StatusLine(Arc<Mutex<Seen>>);

impl StatusLine {
    /// Forgets: a request is about to be sent, and the next bytes are its answer.
    pub(super) fn expect(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
    }

    /// The status, once its line is whole.
    pub(super) fn status(&self) -> Option<u16> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).status()
    }
}

/// A stream whose status lines are seen.
pub(super) struct Watched<T> {
    stream: T,
    line: StatusLine,
}

impl<T> Watched<T> {
    pub(super) fn new(stream: T, line: StatusLine) -> Self {
        Self { stream, line }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let new = buf.filled().get(before..).unwrap_or_default();
        if !new.is_empty() {
            self.line.0.lock().unwrap_or_else(PoisonError::into_inner).take_in(new);
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(pieces: &[&str]) -> Option<u16> {
        let mut seen = Seen::default();
        for piece in pieces {
            seen.take_in(piece.as_bytes());
        }
        seen.status()
    }

    #[test]
    fn a_status_is_known_once_its_line_is_whole_however_it_is_cut() {
        assert_eq!(status(&["HTTP/1.1 200 OK\r\nbody: HTTP/1.1 500 "]), Some(200));
        assert_eq!(status(&["HT", "TP/1.0 4", "10\r\n", "x"]), Some(410));
        assert_eq!(status(&["HTTP/1.1 204\n"]), Some(204));
        for none in ["", "HTTP/1.1 200 OK", "HTTP/1.1 20\r\n", "HTTP/1.1 2000\r\n", "HTTP/2 200 \r\n", "200 OK\r\n"] {
            assert_eq!(status(&[none]), None, "{none:?}");
        }
        assert_eq!(status(&["HTTP/1.1 103 Early Hints\r\n\r\n"]), None);
    }
}
