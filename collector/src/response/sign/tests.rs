//! Cases of `sign`, by the sentence that each shows.

use std::time::Duration;

use cordon_shared::{
    command::target::Target,
    entropy::SeededEntropy,
    id::AgentId,
    test_support::order,
    time::{Boottime, ClockSample, FakeClock},
    wire,
};

use super::{Order, SignError, Signer};

fn order(hosts: u8) -> Order {
    let command = order::command(order::actions().remove(0));
    let target = |number| Target {
        agent: AgentId::from_slice(&[number; 16]).unwrap(),
        host_name: format!("host-{number}"),
        host_tier: "standard".to_owned(),
    };
    Order {
        incident: command.incident,
        targets: (1..=hosts).map(target).collect(),
        action: command.action,
        preconditions: command.preconditions,
        citation: command.citation.unwrap(),
        lease: None,
        lifetime: Duration::from_secs(60),
        is_dry_run: false,
        reason: "test".to_owned(),
    }
}

fn sign(order: &Order) -> Result<super::Signed, SignError> {
    let clock = FakeClock::at(ClockSample { boottime: Boottime::default(), realtime: order::NOW });
    Signer::new(order::key(6)).sign(order, &clock, &SeededEntropy::new(1))
}

#[test]
fn cm_1_what_leaves_is_signed_for_its_targets_and_expires() {
    let order = order(3);
    let signed = sign(&order).unwrap();
    assert_eq!(signed.deliveries.len(), 3);
    for (agent, delivery) in &signed.deliveries {
        let trusted = [order::key(6).public()];
        let opened = wire::command::open(&delivery.signed, &trusted).unwrap();
        assert_eq!(opened.command.id, signed.command);
        assert_eq!(opened.command.expires, order::NOW.saturating_add(order.lifetime));
        assert_eq!(opened.command.action, order.action);
        assert!(delivery.proof.holds(*agent, &opened.command.targets));
        let stranger = AgentId::from_slice(&[9; 16]).unwrap();
        assert!(!delivery.proof.holds(stranger, &opened.command.targets));
    }
}

#[test]
fn an_order_for_nobody_or_forever_is_not_signed() {
    assert_eq!(sign(&order(0)), Err(SignError::Targets(0)));
    let forever = Order { lifetime: Duration::from_secs(8 * 86_400), ..order(1) };
    assert_eq!(sign(&forever), Err(SignError::Lifetime));
    let never = Order { lifetime: Duration::ZERO, ..order(1) };
    assert_eq!(sign(&never), Err(SignError::Lifetime));
}
