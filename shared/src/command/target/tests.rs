//! Cases of `target`, by the sentence that each shows.

use expect_test::expect;
use proptest::prelude::{ProptestConfig, proptest};

use super::{Target, Targets, Tree};
use crate::{digest::Sha256, id::AgentId};

fn agent(number: u8) -> AgentId {
    AgentId::from_slice(&[number; 16]).expect("not zero")
}

fn tree(count: u8) -> Tree {
    let target = |number| Target {
        agent: agent(number),
        host_name: format!("host-{number}"),
        host_tier: "standard".to_owned(),
    };
    Tree::new((1..=count).map(target).collect()).expect("not empty")
}

#[test]
fn the_root_of_one_target_is_its_leaf_as_the_format_says() {
    let mut leaf = vec![0];
    leaf.extend([1; 16]);
    leaf.extend(b"\0\x06host-1\x08standard");
    assert_eq!(tree(1).root(), Targets { count: 1, root: Sha256::of(&leaf) });
}

#[test]
fn the_roots_of_the_first_trees_are_these() {
    let roots: Vec<_> = (1..=5).map(|it| tree(it).root().root.to_string().split_off(56)).collect();
    expect!["69ac754d c30a0924 c05bc8d8 6818d5f5 90d47921"].assert_eq(&roots.join(" "));
}

#[test]
fn no_targets_make_no_tree() {
    assert!(Tree::new(Vec::new()).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_target_is_in_its_tree_and_in_no_other_place(count in 1_u8..=40) {
        let tree = tree(count);
        let targets = tree.root();
        for (at, (whose, proof)) in tree.proofs().enumerate() {
            assert!(proof.holds(whose, &targets));
            assert!(!proof.holds(agent(255), &targets));
            for index in 0..u32::from(count) + 1 {
                let mut moved = proof.clone();
                moved.index = index;
                assert_eq!(moved.holds(whose, &targets), index as usize == at);
            }
            let mut renamed = proof.clone();
            renamed.host_name.push('x');
            assert!(!renamed.holds(whose, &targets));
            let mut retiered = proof.clone();
            retiered.host_tier = "critical".to_owned();
            assert!(!retiered.holds(whose, &targets));
            let mut longer = proof.clone();
            longer.siblings.push(Sha256::of(b""));
            assert!(!longer.holds(whose, &targets));
            let mut shorter = proof.clone();
            if shorter.siblings.pop().is_some() {
                assert!(!shorter.holds(whose, &targets));
            }
            let other = Targets { count: targets.count + 41, ..targets };
            assert!(!proof.holds(whose, &other) || count == 0);
        }
    }
}
