//! How messages become bytes and bytes messages: as prost does it, after a count.
//!
//! Both services and clients are generated with [`CountingCodec`], so that no message of the wire is
//! decoded before its entries were counted (`count.rs`).

use std::marker::PhantomData;

use prost::{Message, bytes::Buf};
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder},
};
use tonic_prost::ProstEncoder;

use crate::count::{CountError, Counted, entries};

/// Entries of one message, all together: 3,072 positions are the most that one may have.
pub const ENTRIES_MAX: usize = 4_096;

/// Decodes what does not have too many entries.
#[derive(Debug)]
pub struct CountingCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for CountingCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for CountingCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Counted + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = CountingDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        CountingDecoder(PhantomData)
    }
}

/// Decodes one kind of message.
#[derive(Debug)]
pub struct CountingDecoder<U>(PhantomData<U>);

impl<U: Message + Counted + Default> Decoder for CountingDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        // Takes a share of the buffer and copies nothing.
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        match entries::<U>(&bytes, ENTRIES_MAX) {
            Ok(_) => (),
            Err(CountError::TooMany) => {
                let reason = format!("a message may have {ENTRIES_MAX} entries at most");
                return Err(Status::invalid_argument(reason));
            }
            Err(CountError::Malformed) => {
                return Err(Status::invalid_argument("the message is malformed"));
            }
        }
        let decoded = U::decode(bytes).map_err(|error| Status::internal(error.to_string()))?;
        Ok(Some(decoded))
    }
}
