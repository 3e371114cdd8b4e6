//! Seeded streams of batches: valid ones for load, and ones that break a rule each.
//!
//! The same seed gives the same bytes. Every event of a load carries a marker in its arguments, so
//! that the oracle can find it again.

use std::sync::Arc;

use bytes::Bytes;
use cordon_shared::{
    batch::{Builder, Origin, Sealed, Source},
    event::{Body, Event, process::DescriptorKind},
    id::{BootId, Epoch, EventSeq, Lane},
    test_support::{self, Random},
    text::Text,
    time::{Clock, ClockSample, SystemClock},
};

/// A stream of launches of one agent, with consecutive numbers.
#[derive(Debug)]
pub struct Stream {
    marker: String,
    epoch: Epoch,
    next: EventSeq,
    origin: Origin,
    sample: Event,
    random: Random,
    argument_bytes: usize,
}

impl Stream {
    /// Begins at number 1. `argument_bytes` is what each event carries beside its marker.
    ///
    /// # Panics
    /// Never: the samples hold a launch.
    #[must_use]
    pub fn new(marker: &str, epoch: Epoch, argument_bytes: usize) -> Self {
        let origin = Origin { boot: BootId([0xb1; 16]), clock: SystemClock.sample() };
        let samples = test_support::samples();
        let is_launch = |it: &&Event| matches!(it.body, Body::ProcessLaunch(_));
        let sample = samples.iter().find(is_launch).expect("the samples hold a launch").clone();
        let marker = marker.to_owned();
        let random = Random::new(epoch.as_u64());
        Self { marker, epoch, next: EventSeq::FIRST, origin, sample, random, argument_bytes }
    }

    /// The marker of the event with this number.
    #[must_use]
    pub fn marker(&self, seq: EventSeq) -> String {
        format!("{}-{}", self.marker, seq.as_u64())
    }

    /// The next `count` events, 1..=256, sealed now.
    ///
    /// # Errors
    /// When `count` is out of range.
    pub fn batch(&mut self, count: usize) -> anyhow::Result<Sealed> {
        let clock = SystemClock.sample();
        self.origin.clock = clock;
        let mut builder = Builder::new(Lane::Critical, self.epoch, self.next, self.origin);
        for index in 0..count as u64 {
            let seq = self.next.checked_add(index).unwrap_or(self.next);
            builder.push(&self.event(seq, clock), Source::default());
        }
        self.next = builder.next_seq().unwrap_or(self.next);
        Ok(builder.seal()?)
    }

    fn event(&self, seq: EventSeq, clock: ClockSample) -> Event {
        let mut event = self.sample.clone();
        event.boottime = clock.boottime;
        event.realtime = clock.realtime;
        if let Body::ProcessLaunch(launch) = &mut event.body {
            // The sample is a shell on a socket; what loads a collector is not what alarms it.
            launch.descriptors = Some([DescriptorKind::Pipe; 3]);
            let process = Arc::make_mut(&mut launch.process);
            process.exe = Text::from_static("/usr/bin/true");
            process.key.pid = 2 + u32::try_from(seq.as_u64() % 4_000_000).unwrap_or(0);
            process.key.start_ticks = seq.as_u64();
            // Differs from event to event, as real arguments do, or compression flatters the load.
            let mut filler = String::with_capacity(self.argument_bytes + 16);
            while filler.len() < self.argument_bytes {
                filler.push_str(&format!("{:016x}", self.random.below(u64::MAX)));
            }
            filler.truncate(self.argument_bytes);
            process.argv = vec![
                Text::from_static("/bin/true"),
                Text::from(self.marker(seq).as_str()),
                Text::from(filler.as_str()),
            ];
        }
        event
    }
}

/// A batch that must be refused, and the rule that it breaks.
#[derive(Debug)]
pub struct Hostile {
    /// What is wrong with it.
    pub name: &'static str,
    /// The bytes as sent.
    pub bytes: Bytes,
}

/// Batches that break one rule each: `good` is what they are made from.
#[must_use]
pub fn hostile(good: &Sealed) -> Vec<Hostile> {
    let whole = good.bytes().to_vec();
    let patched = |at: usize, bytes: &[u8]| {
        let mut all = whole.clone();
        for (to, from) in all.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
        seal_header(&mut all);
        Bytes::from(all)
    };
    let body_at = cordon_shared::batch::HEADER_BYTES;
    let cut = whole.get(..whole.len() / 2).unwrap_or_default().to_vec();
    let mut flipped = whole.clone();
    if let Some(byte) = flipped.get_mut(body_at + 5) {
        *byte ^= 1;
    }
    let mut lying = whole.get(..body_at).unwrap_or_default().to_vec();
    lying.extend_from_slice(&bomb());
    describe_body(&mut lying, 1 << 20);
    vec![
        Hostile { name: "empty", bytes: Bytes::new() },
        Hostile { name: "cut in half", bytes: Bytes::from(cut) },
        Hostile { name: "a flipped bit in the body", bytes: Bytes::from(flipped) },
        Hostile { name: "an unknown version", bytes: patched(4, &9_u16.to_le_bytes()) },
        Hostile { name: "an unknown lane", bytes: patched(6, &[7]) },
        Hostile { name: "epoch 0", bytes: patched(8, &[0; 8]) },
        Hostile { name: "number 0", bytes: patched(16, &[0; 8]) },
        Hostile { name: "no events", bytes: patched(24, &[0; 4]) },
        Hostile {
            name: "more events than the body holds",
            bytes: patched(24, &200_u32.to_le_bytes()),
        },
        Hostile { name: "a body that claims 4 GiB", bytes: patched(32, &u32::MAX.to_le_bytes()) },
        Hostile { name: "a zstd bomb", bytes: Bytes::from(lying) },
    ]
}

/// A frame of zstd that says it holds 64 MiB of zeros, in few bytes (RFC 8878 sections 3.1.1 and
/// 3.1.1.2: RLE blocks of 128 KiB).
fn bomb() -> Vec<u8> {
    const BLOCK_BYTES: u32 = 128 << 10;
    const BLOCKS: u32 = 512;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd];
    // Descriptor: no content size, no checksum; window of 8 MiB.
    frame.extend_from_slice(&[0x00, 0x68]);
    for index in 0..BLOCKS {
        let is_last = u32::from(index + 1 == BLOCKS);
        let header = BLOCK_BYTES << 3 | 1 << 1 | is_last;
        let [a, b, c, _] = header.to_le_bytes();
        frame.extend_from_slice(&[a, b, c, 0]);
    }
    frame
}

/// Makes the header say what the body is, so that only the body is left to refuse.
fn describe_body(batch: &mut [u8], raw_bytes: u32) {
    let at = cordon_shared::batch::HEADER_BYTES;
    let body = batch.get(at..).unwrap_or_default().to_vec();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let fields = [(28, length), (32, raw_bytes), (36, crc32c::crc32c(&body))];
    for (at, value) in fields {
        for (to, from) in batch.iter_mut().skip(at).zip(value.to_le_bytes()) {
            *to = from;
        }
    }
    seal_header(batch);
}

/// Writes the header's checksum anew.
fn seal_header(batch: &mut [u8]) {
    let Some((head, sum)) = batch.split_at_mut_checked(60) else { return };
    for (to, from) in sum.iter_mut().zip(crc32c::crc32c(head).to_le_bytes()) {
        *to = from;
    }
}

#[cfg(test)]
mod tests {
    use cordon_shared::{
        batch::Sealed,
        event::Body,
        id::{Epoch, EventSeq},
    };

    use super::{Stream, hostile};

    fn stream() -> Stream {
        Stream::new("m", Epoch::from_u64(7).unwrap(), 100)
    }

    #[test]
    fn batches_of_a_stream_are_numbered_on_and_marked() {
        let mut stream = stream();
        let first = stream.batch(3).unwrap();
        let second = stream.batch(2).unwrap();
        assert_eq!(first.header().last_seq().as_u64(), 3);
        assert_eq!(second.header().first_seq().as_u64(), 4);
        let events = second.open().unwrap().events;
        let Body::ProcessLaunch(launch) = &events[1].body else { unreachable!() };
        let marker = stream.marker(EventSeq::from_u64(5).unwrap());
        assert_eq!(launch.process.argv[1].to_string(), marker);
    }

    #[test]
    fn every_hostile_batch_is_refused() {
        let good = stream().batch(4).unwrap();
        for it in hostile(&good) {
            let refused = Sealed::parse(it.bytes).and_then(|sealed| sealed.open()).is_err();
            assert!(refused, "{} was taken", it.name);
        }
    }

    #[test]
    fn the_bomb_is_refused_by_its_body_alone() {
        let good = stream().batch(4).unwrap();
        let bomb = hostile(&good).pop().unwrap();
        assert!(Sealed::parse(bomb.bytes).unwrap().open().is_err());
    }
}
