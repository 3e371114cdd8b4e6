//! Round trips, what no manifest may say, and bytes of any kind.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::test_support::{self, evidence, order};

fn manifest() -> Manifest {
    evidence::sealed(test_support::agent(), CommandId::from_slice(&[0xc0; 16]).unwrap()).0
}

#[test]
fn a_manifest_opens_as_it_was_signed_and_by_its_own_key_alone() {
    let signed = sign(&manifest(), &order::key(50));
    assert_eq!(open(&signed, &order::key(50).public()).unwrap(), manifest());
    assert_eq!(peek(&signed).unwrap(), manifest());
    assert!(open(&signed, &order::key(51).public()).is_err());
    // A receipt's signature says nothing about a manifest.
    let other = SignedBytes { payload_type: "cordon.v1.Receipt".to_owned(), ..signed };
    assert!(open(&other, &order::key(50).public()).is_err());
}

/// The bytes that an agent signs. What changes them makes every manifest that was ever signed another
/// one.
#[test]
fn the_signed_bytes_of_a_manifest_are_these() {
    let mut it = manifest();
    it.sha256 = Sha256::of(b"container");
    it.size_bytes = 1_000;
    for entry in it.entries.iter_mut().filter(|it| it.outcome != Outcome::Missed) {
        entry.packed_bytes = 100;
    }
    let signed = sign(&it, &order::key(50));
    let signature = Sha256::of(&signed.signatures[0].value);
    let payload = hex::encode(&signed.payload);
    let shown = format!("{}\n{payload}\n{signature}", signed.payload_type);
    expect![[r#"
        cordon.v1.Manifest
        0a105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a1210c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c01a10a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a922067472696167652a110880a094a58d1d1080a0bce383b2bfbd1832110880a094a58d1d1080a0bce383b2bfbd183a340a0a6167656e742e6a736f6e10111a20cbf735818ecf774aba4da0bfb003f026ff8a77b6693bea8056d830015ff81e2a200130643a4d0a0f70726f6365737365732e6a736f6e6c101a1a2031ed1603d9de9c53d853e8e17406253ae05fb81975bbb27c9b7d8feca7d4017920022a126d6f7265207468616e20323620627974657330643a210a096270662e6a736f6e6c20032a12746865206b65726e656c20726566757365733a320a0a6d6f756e74732e7478741a20e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8552001306440e8074a20a42d519714d616e9411dbceec4b52808bd6b1ee53e6f6497a281d655357d8b7152101c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c5a057765622d316210b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0
        fac07a8f66179998da9b0794675c1ffac90a7b11214ced4a59ff3be0746adebf"#]].assert_eq(&shown);
}

#[test]
fn offers_chunks_and_progress_come_back() {
    let it = manifest();
    let offer = Offer {
        snapshot: it.snapshot,
        command: it.command,
        size_bytes: it.size_bytes,
        manifest: sign(&it, &order::key(50)),
    };
    assert_eq!(offer_from(&offer_to(&offer)).unwrap(), offer);
    let chunk = Chunk { snapshot: it.snapshot, offset: 7, data: Bytes::from_static(b"x") };
    assert_eq!(chunk_from(chunk_to(chunk.clone())).unwrap(), chunk);
    let progress = Progress { received_bytes: 7, is_complete: true };
    assert_eq!(progress_from(&progress_to(progress)), progress);
}

#[track_caller]
fn check(change: impl Fn(&mut v1::Manifest), expect: &Expect) {
    let mut wire = to_wire(&manifest());
    change(&mut wire);
    expect.assert_eq(&from_wire(&wire).unwrap_err().to_string());
}

#[test]
fn what_no_manifest_may_say() {
    check(
        |it| it.entries[0].name = "../../etc/passwd".to_owned(),
        &expect!["`entries.name` must be letters, digits, `_`, `-` and `.`"],
    );
    check(
        |it| it.entries[1].name = "agent.json".to_owned(),
        &expect!["`entries.name` must be said once"],
    );
    check(|it| it.size_bytes = 1, &expect!["`entries.packed_bytes` must be within the container"]);
    check(|it| it.size_bytes = u64::MAX, &expect!["`size_bytes` must be at most 268435456"]);
    check(
        |it| it.entries[0].packed_bytes = u64::MAX,
        &expect!["`entries.packed_bytes` must be at most 17825792"],
    );
    check(
        |it| it.entries[0].size_bytes = u64::MAX,
        &expect!["`entries.size_bytes` must be at most 16777216"],
    );
    check(
        |it| it.entries = vec![it.entries[0].clone(); 65],
        &expect!["`entries` must be at most 64"],
    );
    check(
        |it| it.entries[2].size_bytes = 1,
        &expect!["`entries.size_bytes` must be 0 when the entry was missed"],
    );
    check(
        |it| it.entries[0].sha256 = Bytes::new(),
        &expect!["`entries.sha256` must be absent when the entry was missed, and only then"],
    );
    check(
        |it| it.profile = "all".to_owned(),
        &expect!["`profile` must be `triage`, `memory` or `full`"],
    );
    check(
        |it| it.boot_id = Bytes::new(),
        &expect!["`boot_id` must be an id of 16 or a digest of 32 bytes"],
    );
}

#[test]
fn what_no_chunk_may_be() {
    let good = v1::SnapshotChunk {
        snapshot_id: vec![1; 16].into(),
        offset: 0,
        data: Bytes::from_static(b"x"),
    };
    let bad = [
        v1::SnapshotChunk { snapshot_id: Bytes::from_static(b"../x"), ..good.clone() },
        v1::SnapshotChunk { snapshot_id: vec![0; 16].into(), ..good.clone() },
        v1::SnapshotChunk { data: Bytes::new(), ..good.clone() },
        v1::SnapshotChunk { data: vec![0; (256 << 10) + 1].into(), ..good.clone() },
        v1::SnapshotChunk { offset: u64::MAX, ..good.clone() },
    ];
    assert!(chunk_from(good).is_ok());
    for it in bad {
        assert!(chunk_from(it).is_err());
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        if let Ok(wire) = v1::Manifest::decode(&*bytes) {
            drop(from_wire(&wire));
        }
        if let Ok(wire) = v1::SnapshotOffer::decode(&*bytes) {
            drop(offer_from(&wire));
        }
        if let Ok(wire) = v1::SnapshotChunk::decode(&*bytes) {
            drop(chunk_from(wire));
        }
    }
}
