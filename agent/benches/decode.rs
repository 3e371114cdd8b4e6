//! Kernel records decoded per second, by kind. `cargo bench -p cordon-agent --bench decode`; a figure
//! is worth something only with the machine's name beside it.

use cordon_agent::sensor::ebpf::record::decode;
use divan::{Bencher, black_box, counter::ItemsCount};

/// Decoded between two looks at the clock.
const RECORDS: usize = 1_000;

fn main() {
    divan::main();
}

/// `kind` as in `bpf/record.h`, zeros after it.
fn fixed(kind: u16, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    bytes[..2].copy_from_slice(&kind.to_le_bytes());
    bytes
}

/// A shell with three arguments, four names deep, in a folder two names deep.
fn exec() -> Vec<u8> {
    let (arguments, exe, cwd) = (b"sh\0-c\0id\0", b"dash\0bin\0usr\0", b"www\0srv\0");
    let mut bytes = fixed(1, 192);
    let lengths = [arguments.len(), exe.len(), cwd.len()];
    for (at, length) in [164, 166, 168].into_iter().zip(lengths) {
        let length = u16::try_from(length).expect("short");
        bytes[at..at + 2].copy_from_slice(&length.to_le_bytes());
    }
    bytes.extend_from_slice(arguments);
    bytes.extend_from_slice(exe);
    bytes.extend_from_slice(cwd);
    bytes
}

/// An accepted IPv4 connection.
fn socket() -> Vec<u8> {
    let mut bytes = fixed(4, 120);
    bytes[96..99].copy_from_slice(&[2, 1, 1]);
    bytes
}

#[divan::bench(args = ["exec", "fork", "exit", "socket"])]
fn record(bencher: Bencher<'_, '_>, kind: &str) {
    let bytes = match kind {
        "exec" => exec(),
        "fork" => fixed(2, 40),
        "exit" => fixed(3, 32),
        _socket => socket(),
    };
    decode(&bytes).expect("a whole record");
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        for _ in 0..RECORDS {
            black_box(decode(black_box(&bytes)).is_ok());
        }
    });
}
