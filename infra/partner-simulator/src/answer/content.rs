//! Makes the bodies of answers. A body is sent at once, slowly or without end, or grows when it is decoded.

use std::{
    convert::Infallible,
    io::{Result, Write},
    sync::LazyLock,
    time::Duration,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;

pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

const ENDLESS: Bytes = Bytes::from_static(&[b'.'; 4096]);
const MIB: usize = 1024 * 1024;

/// Holds a mebibyte of zeros as a gzip file. A decoder reads consecutive gzip files as one file, so repeating this file
/// makes a body of any size.
static ZEROS: LazyLock<Bytes> = LazyLock::new(|| zeros().unwrap_or_default().into());

fn zeros() -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; MIB])?;
    encoder.finish()
}

#[derive(Debug)]
pub(super) enum Content {
    Text(Bytes),
    /// The text is sent one byte at a time, with this pause before each byte.
    Slowly(Bytes, Duration),
    Endless,
    /// The body is gzip and becomes this number of mebibytes when it is decoded.
    GzipBomb(u32),
}

impl Default for Content {
    fn default() -> Self {
        Self::Text(Bytes::new())
    }
}

impl Content {
    /// Returns the whole body of a text, and nothing for an endless body or a gzip bomb.
    pub(super) fn text(&self) -> &[u8] {
        match self {
            Self::Text(text) | Self::Slowly(text, _) => text,
            Self::Endless | Self::GzipBomb(_) => &[],
        }
    }

    /// Returns the words that the act's label adds for this body.
    pub(super) fn remark(&self) -> &'static str {
        match self {
            Self::Text(_) => "",
            Self::Slowly(..) => " with a slow body",
            Self::Endless => " with an endless body",
            Self::GzipBomb(_) => " with a gzip bomb",
        }
    }

    pub(super) fn body(&self) -> Body {
        match self {
            Self::Text(text) => Full::new(text.clone()).boxed_unsync(),
            Self::Slowly(text, pause) => {
                let pause = *pause;
                let bytes = stream::iter(text.clone()).then(move |byte| async move {
                    tokio::time::sleep(pause).await;
                    Bytes::copy_from_slice(&[byte])
                });
                streamed(bytes)
            }
            Self::Endless => streamed(stream::repeat(ENDLESS)),
            Self::GzipBomb(mib) => {
                let count = usize::try_from(*mib).unwrap_or(usize::MAX);
                streamed(stream::repeat_with(|| ZEROS.clone()).take(count))
            }
        }
    }
}

fn streamed(chunks: impl stream::Stream<Item = Bytes> + Send + 'static) -> Body {
    StreamBody::new(chunks.map(|chunk| Ok(Frame::data(chunk)))).boxed_unsync()
}
