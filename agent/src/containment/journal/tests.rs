//! Once, and never again; over crashes, torn tails and clocks.

use std::io::Write as _;

use cordon_shared::test_support::order;
use proptest::prelude::{any, proptest};

use super::*;

const NOW: Timestamp = order::NOW;

fn command(number: u8) -> CommandId {
    CommandId::from_slice(&[number; 16]).unwrap()
}

fn intent(number: u8) -> Intent {
    Intent {
        command: command(number),
        incident: None,
        expires: NOW.saturating_add(Duration::from_secs(600)),
        realtime: NOW,
        boot: BootId([1; 16]),
        payload_sha256: Sha256::of(&[number]),
        is_automation: true,
        deed: Deed { kind: DeedKind::Kill, process: order::PROCESS, is_tree: true },
    }
}

fn receipt() -> SignedBytes {
    wire::receipt::sign(&order::receipts()[0], &order::key(50))
}

fn open(dir: &tempfile::TempDir, now: Timestamp) -> Journal {
    Journal::open(&dir.path().join("journal"), now).unwrap()
}

#[test]
fn cm_2_a_command_is_begun_at_most_once_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(&dir, NOW);
    journal.begin(intent(1)).unwrap();
    assert!(matches!(journal.begin(intent(1)), Err(JournalError::Seen(_))));
    let mut journal = open(&dir, NOW);
    assert!(matches!(journal.begin(intent(1)), Err(JournalError::Seen(_))));
    assert_eq!(journal.unfinished(), [intent(1)]);
    let sha256 = intent(1).payload_sha256;
    journal.end(command(1), intent(1).expires, sha256, receipt()).unwrap();
    assert!(journal.unfinished().is_empty());
    let mut journal = open(&dir, NOW);
    assert!(matches!(journal.begin(intent(1)), Err(JournalError::Seen(_))));
    assert_eq!(journal.unreported(), [(command(1), receipt())]);
    journal.reported(command(1)).unwrap();
    assert!(open(&dir, NOW).unreported().is_empty());
}

#[test]
fn an_id_is_remembered_until_it_expires_and_until_its_receipt_is_safe() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(&dir, NOW);
    for number in [1, 2] {
        journal.begin(intent(number)).unwrap();
        let sha256 = intent(number).payload_sha256;
        journal.end(command(number), intent(number).expires, sha256, receipt()).unwrap();
    }
    journal.reported(command(1)).unwrap();
    let later = NOW.saturating_add(Duration::from_secs(3_601));
    let journal = open(&dir, later);
    assert!(journal.find(command(1)).is_none());
    assert!(journal.find(command(2)).is_some());
    let much_later = NOW.saturating_add(Duration::from_secs(8 * 86_400));
    assert!(open(&dir, much_later).find(command(2)).is_none());
}

#[test]
fn automations_deeds_are_counted_by_the_hour_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(&dir, NOW);
    journal.begin(intent(1)).unwrap();
    journal.begin(Intent { is_automation: false, ..intent(2) }).unwrap();
    let resume = Deed { kind: DeedKind::Resume, ..intent(3).deed };
    journal.begin(Intent { deed: resume, ..intent(3) }).unwrap();
    assert_eq!(open(&dir, NOW).automation_deeds(NOW), 1);
    let later = NOW.saturating_add(Duration::from_secs(3_600));
    assert_eq!(open(&dir, later).automation_deeds(later), 0);
    // A clock set back frees nothing.
    let earlier = NOW.saturating_sub(Duration::from_secs(86_400));
    assert_eq!(open(&dir, NOW).automation_deeds(earlier), 1);
}

#[test]
fn a_torn_tail_is_cut_and_what_came_before_it_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(&dir, NOW);
    journal.begin(intent(1)).unwrap();
    let path = dir.path().join("journal/commands");
    let end_of = |bytes: &[u8]| record::read(bytes).1;
    let whole = end_of(&std::fs::read(&path).unwrap());
    journal.begin(intent(2)).unwrap();
    let both = std::fs::read(&path).unwrap();
    let end = end_of(&both);
    for cut in whole..end {
        // Torn in the room, and torn at the end of a file without room.
        for room in [0, 64] {
            let torn = [&both[..cut], &vec![0; room]].concat();
            File::create(&path).unwrap().write_all(&torn).unwrap();
            let mut journal = open(&dir, NOW);
            assert!(journal.find(command(1)).is_some(), "{cut}");
            assert!(journal.find(command(2)).is_none(), "{cut}");
            journal.begin(intent(3)).unwrap();
            assert!(open(&dir, NOW).find(command(3)).is_some(), "{cut}");
        }
    }
}

#[test]
fn f_6_a_command_and_its_receipt_take_no_new_room_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(&dir, NOW);
    let path = dir.path().join("journal/commands");
    let before = std::fs::metadata(&path).unwrap().len();
    for number in 1..=40 {
        journal.begin(intent(number)).unwrap();
        let sha256 = intent(number).payload_sha256;
        journal.end(command(number), NOW, sha256, receipt()).unwrap();
    }
    assert_eq!(std::fs::metadata(&path).unwrap().len(), before);
}

#[test]
fn every_record_comes_back_and_every_cut_or_flip_of_one_is_refused() {
    let records = [
        Record::Begun(intent(1)),
        Record::Ended {
            command: command(1),
            expires: NOW,
            payload_sha256: Sha256::of(b"x"),
            receipt: receipt(),
        },
        Record::Reported(command(1)),
    ];
    for record in records {
        let header = record::write(&BTreeMap::new());
        let whole = [header.clone(), record::encode(&record)].concat();
        assert_eq!(record::read(&whole), (vec![record], whole.len()));
        for cut in 0..whole.len() {
            assert!(record::read(&whole[..cut]).0.is_empty(), "{cut}");
        }
        for flip in header.len()..whole.len() {
            let mut bytes = whole.clone();
            bytes[flip] ^= 1;
            assert!(record::read(&bytes).0.is_empty(), "{flip}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes: Vec<u8>, with_header in any::<bool>()) {
        let header = record::write(&BTreeMap::new());
        let bytes = if with_header { [header, bytes].concat() } else { bytes };
        drop(record::read(&bytes));
    }
}
