//! Records as fanotify(7) lays them out.

use proptest::prelude::proptest;

use super::{Record, decode};

fn info(kind: u8, handle: &[u8], name: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 0, 0, 0];
    bytes.extend_from_slice(b"fsidfsid");
    bytes.extend_from_slice(&u32::try_from(handle.len()).expect("short").to_ne_bytes());
    bytes.extend_from_slice(&1_i32.to_ne_bytes());
    bytes.extend_from_slice(handle);
    bytes.extend_from_slice(name);
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let length = u16::try_from(bytes.len()).expect("short").to_ne_bytes();
    bytes[2..4].copy_from_slice(&length);
    bytes
}

fn event(infos: &[Vec<u8>]) -> Vec<u8> {
    let infos = infos.concat();
    let length = u32::try_from(24 + infos.len()).expect("short");
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&[3, 0]);
    bytes.extend_from_slice(&24_u16.to_ne_bytes());
    bytes.extend_from_slice(&0x100_u64.to_ne_bytes());
    bytes.extend_from_slice(&(-1_i32).to_ne_bytes());
    bytes.extend_from_slice(&4711_i32.to_ne_bytes());
    bytes.extend_from_slice(&infos);
    bytes
}

#[test]
fn a_create_tells_folder_name_and_pid() {
    let bytes = event(&[info(2, b"handle-h", b"passwd"), info(1, b"object-h", b"")]);
    let (record, rest) = decode(&bytes).expect("as in fanotify(7)");
    assert!(rest.is_empty());
    assert_eq!((record.mask, record.pid), (0x100, 4711));
    let parent = record.parent.expect("told");
    assert_eq!((parent.handle, parent.name), (b"handle-h".as_slice(), b"passwd".as_slice()));
    assert_eq!(parent.fsid, *b"fsidfsid");
}

#[test]
fn a_rename_tells_both_ends() {
    let bytes = event(&[info(10, b"handle-a", b"old"), info(12, b"handle-b", b"new")]);
    let (Record { old, new, parent, .. }, _) = decode(&bytes).expect("as in fanotify(7)");
    assert_eq!(old.map(|it| it.name), Some(b"old".as_slice()));
    assert_eq!(new.map(|it| it.name), Some(b"new".as_slice()));
    assert_eq!(parent, None);
}

#[test]
fn every_cut_is_an_error() {
    let bytes = event(&[info(2, b"handle-h", b"passwd")]);
    for cut in 0..bytes.len() {
        assert!(decode(&bytes[..cut]).is_err(), "cut at {cut}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_stand_still(bytes: Vec<u8>) {
        if let Ok((_, rest)) = decode(&bytes) {
            assert!(rest.len() < bytes.len());
        }
    }

    #[test]
    fn no_information_makes_it_panic(tail: Vec<u8>) {
        let _ignored = decode(&event(&[tail]));
    }
}
