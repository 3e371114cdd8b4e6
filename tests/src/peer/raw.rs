//! A session whose messages are bytes: what a good library would never send.

use anyhow::Context;
use bytes::{Buf, BufMut, Bytes};
use cordon_proto::v1;
use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Status, Streaming,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};

use super::PATIENCE;

/// A live stream of bytes, each piece one message of gRPC.
#[derive(Debug)]
pub struct Raw {
    up: mpsc::Sender<Bytes>,
    down: Streaming<Bytes>,
}

impl Raw {
    pub(super) async fn open(channel: Channel, hello: &v1::AgentMessage) -> anyhow::Result<Self> {
        let mut grpc = tonic::client::Grpc::new(channel).max_encoding_message_size(256 << 20);
        grpc.ready().await.context("wait for a channel")?;
        let (up, messages) = mpsc::channel(4);
        up.send(encoded(hello)).await.context("queue a hello")?;
        let path = PathAndQuery::from_static("/cordon.v1.Session/Stream");
        let request = Request::new(ReceiverStream::new(messages));
        let down = grpc.streaming(request, path, Bare).await?.into_inner();
        let mut it = Self { up, down };
        it.hear().await.map_err(anyhow::Error::msg).context("wait for a welcome")?;
        Ok(it)
    }

    /// Sends bytes as one message.
    pub async fn send(&self, bytes: impl Into<Bytes>) {
        drop(self.up.send(bytes.into()).await);
    }

    /// Hears until the stream ends, and says how it did.
    ///
    /// # Errors
    /// When it goes on for 20 s.
    pub async fn end(&mut self) -> anyhow::Result<String> {
        let ending = async {
            loop {
                if let Err(end) = self.hear().await {
                    return end;
                }
            }
        };
        tokio::time::timeout(PATIENCE, ending).await.context("the stream goes on")
    }

    async fn hear(&mut self) -> Result<Bytes, String> {
        match tokio::time::timeout(PATIENCE, self.down.message()).await {
            Err(_) => Err("nothing was heard for 20 s".to_owned()),
            Ok(Err(status)) => Err(format!("{:?}: {}", status.code(), status.message())),
            Ok(Ok(None)) => Err("the stream ended".to_owned()),
            Ok(Ok(Some(bytes))) => Ok(bytes),
        }
    }
}

/// A message as it goes over the wire.
fn encoded(message: &v1::AgentMessage) -> Bytes {
    prost::Message::encode_to_vec(message).into()
}

/// A codec that changes nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Bare;

impl Codec for Bare {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bare {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Bare {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
