//! Replacement, rivals, orders.

use cordon_proto::v1;
use cordon_shared::{
    id::{AgentId, BootId},
    test_support::agent,
    time::Timestamp,
};

use super::{Connected, Entry, ORDERS_MAX, Order, Registry, STREAMS_MAX, SendError};

fn enter(registry: &Registry, agent: AgentId, boot: u8) -> Option<Entry> {
    let at = Timestamp::from_ns(1);
    let source = "192.0.2.1".parse().unwrap();
    let boot = BootId([boot; 16]);
    registry.enter(Connected { agent, boot, source, since: at, last_seen: at })
}

fn command() -> v1::CommandDelivery {
    v1::CommandDelivery::default()
}

#[test]
fn the_same_boot_replaces_the_older_stream() {
    let registry = Registry::default();
    let mut first = enter(&registry, agent(), 1).unwrap();
    let mut second = enter(&registry, agent(), 1).unwrap();
    assert!(matches!(first.orders.try_recv(), Ok(Order::End(v1::GoodbyeReason::Replaced))));
    assert_eq!(registry.connected().len(), 1);
    assert_eq!(registry.spoke(agent(), first.id, Timestamp::from_ns(2)), None);
    registry.leave(agent(), first.id);
    registry.send(agent(), command()).unwrap();
    assert!(matches!(second.orders.try_recv(), Ok(Order::Command(_))));
}

#[test]
fn f_17_another_boot_stays_beside_and_is_told_of_when_the_older_one_speaks() {
    let registry = Registry::default();
    let mut first = enter(&registry, agent(), 1).unwrap();
    let mut second = enter(&registry, agent(), 2).unwrap();
    assert!(first.orders.try_recv().is_err() && second.orders.try_recv().is_err());
    assert_eq!(registry.send(agent(), command()), Err(SendError::Rivals(agent())));
    let at = Timestamp::from_ns(2);
    assert_eq!(registry.spoke(agent(), second.id, at), None);
    let rival = registry.spoke(agent(), first.id, at).map(|it| it.0);
    assert_eq!(rival, Some(BootId([2; 16])));
    assert_eq!(registry.spoke(agent(), first.id, at), None);
    registry.leave(agent(), first.id);
    assert_eq!(registry.send(agent(), command()), Ok(()));
}

#[test]
fn f_24_a_session_that_takes_nothing_bounds_what_waits_for_it() {
    let registry = Registry::default();
    let entry = enter(&registry, agent(), 1).unwrap();
    for _ in 0..ORDERS_MAX {
        registry.send(agent(), command()).unwrap();
    }
    assert_eq!(registry.send(agent(), command()), Err(SendError::Slow(agent())));
    drop(entry);
    assert_eq!(registry.send(agent(), command()), Err(SendError::Away(agent())));
}

#[test]
fn f_16_a_cut_ends_every_stream_even_one_whose_orders_are_full() {
    let registry = Registry::default();
    let mut first = enter(&registry, agent(), 1).unwrap();
    let mut second = enter(&registry, agent(), 2).unwrap();
    registry.cut(agent());
    assert!(matches!(first.orders.try_recv(), Ok(Order::End(v1::GoodbyeReason::Revoked))));
    assert!(matches!(second.orders.try_recv(), Ok(Order::End(v1::GoodbyeReason::Revoked))));
    assert!(second.orders.try_recv().is_err_and(|it| it == disconnected()));
    assert!(!registry.is_connected(agent()));
}

fn disconnected() -> tokio::sync::mpsc::error::TryRecvError {
    tokio::sync::mpsc::error::TryRecvError::Disconnected
}

#[test]
fn one_identity_has_a_bound_of_streams() {
    let registry = Registry::default();
    let entries: Vec<_> = (0..9).map(|boot| enter(&registry, agent(), boot).is_some()).collect();
    assert_eq!(entries.iter().filter(|it| **it).count(), STREAMS_MAX);
}
