//! Whole, or not there: whatever arrives, in whatever pieces, over crashes of this side.

use proptest::prelude::*;

use super::*;

fn id() -> SnapshotId {
    SnapshotId::from_slice(&[7; 16]).unwrap()
}

fn vault(dir: &Path) -> Vault {
    let reserve = Reserve::open(dir).unwrap();
    Vault::open(dir.join("evidence"), reserve).unwrap()
}

#[test]
fn a_container_is_there_only_when_it_is_the_one_of_its_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(dir.path());
    let mut part = vault.go_on(id(), 4).unwrap();
    part.take(0, b"good").unwrap();
    assert!(matches!(part.settle(Sha256::of(b"evil")), Err(EvidenceError::Differs)));
    assert!(!vault.is_whole(id()).unwrap());
    assert_eq!(vault.received(id()).unwrap(), 0);

    let mut part = vault.go_on(id(), 4).unwrap();
    part.take(0, b"good").unwrap();
    part.settle(Sha256::of(b"good")).unwrap();
    assert!(vault.is_whole(id()).unwrap());
    let mut file = vault.read(id()).unwrap();
    assert_eq!(next_chunk(&mut file).unwrap(), Some(b"good".to_vec()));
    assert_eq!(next_chunk(&mut file).unwrap(), None);
}

#[test]
fn a_part_that_is_cut_short_is_not_published() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(dir.path());
    let mut part = vault.go_on(id(), 4).unwrap();
    part.take(0, b"goo").unwrap();
    assert!(part.settle(Sha256::of(b"goo")).is_err());
    assert!(!vault.is_whole(id()).unwrap());
}

proptest! {
    /// Pieces at any offset, of any length, with this side starting anew in between: what is there is
    /// always a beginning of what was sent, and in the end the whole.
    #[test]
    fn pieces_in_any_order_never_make_a_gap(
        tries in proptest::collection::vec((0..40_u64, 1..12_usize, any::<bool>()), 0..64),
    ) {
        let whole: Vec<u8> = (0..32).collect();
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(dir.path());
        let mut part = vault.go_on(id(), 32).unwrap();
        for (offset, length, is_restart) in tries {
            if is_restart {
                part = vault.go_on(id(), 32).unwrap();
            }
            let before = part.received();
            let begin = usize::try_from(offset).unwrap().min(32);
            let data = &whole[begin..(begin + length).min(32)];
            let taken = part.take(offset, data);
            if taken.is_ok() {
                prop_assert_eq!(offset, before);
                prop_assert_eq!(part.received(), before + data.len() as u64);
            } else {
                prop_assert_eq!(part.received(), before);
            }
            prop_assert!(part.take(part.received(), &[0; 33]).is_err());
        }
        let rest = usize::try_from(part.received()).unwrap();
        part.take(part.received(), &whole[rest..]).unwrap();
        part.settle(Sha256::of(&whole)).unwrap();
        prop_assert!(vault.is_whole(id()).unwrap());
    }
}
