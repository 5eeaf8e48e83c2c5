//! A model file that comes piece by piece.

use super::connection::Connection;
use super::error::{Asked, ClientError};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::time::Duration;
use tokio::time::timeout;

/// The largest model that is taken in.
const LARGEST_MODEL: u64 = 16 * 1024 * 1024 * 1024;

/// A model file on its way.
#[derive(Debug)]
pub struct ModelStream {
    body: Incoming,
    size: Option<u64>,
    came: u64,
    patience: Duration,
    asked: Asked,
    over: bool,
    _connection: Connection,
}

impl ModelStream {
    pub(super) fn new(
        body: Incoming,
        connection: Connection,
        patience: Duration,
        asked: Asked,
    ) -> Result<Self, ClientError> {
        let size = body.size_hint().exact();
        if size.is_some_and(|size| size > LARGEST_MODEL) {
            return Err(too_large(&asked));
        }
        Ok(ModelStream {
            body,
            size,
            came: 0,
            patience,
            asked,
            over: false,
            _connection: connection,
        })
    }

    /// Its size in bytes, where the daemon said so.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The next piece; nothing after the last one or an error. A file that ends too soon is an
    /// error.
    pub async fn next(&mut self) -> Option<Result<Bytes, ClientError>> {
        while !self.over {
            let piece = match timeout(self.patience, self.body.frame()).await {
                Err(_) => Err(self.asked.timeout(self.patience)),
                Ok(None) => break,
                Ok(Some(Err(error))) => Err(self.asked.http(error)),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(piece) => Ok(piece),
                    Err(_) => continue,
                },
            };
            let piece = piece.and_then(|piece| {
                self.came += piece.len() as u64;
                if self.came > LARGEST_MODEL {
                    return Err(too_large(&self.asked));
                }
                Ok(piece)
            });
            self.over = piece.is_err();
            return Some(piece);
        }
        self.over = true;
        None
    }
}

fn too_large(asked: &Asked) -> ClientError {
    asked.bad(format!("it is larger than {LARGEST_MODEL} bytes"))
}
