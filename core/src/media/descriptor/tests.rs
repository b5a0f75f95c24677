#![allow(clippy::unwrap_used)] // Tests may panic.
//! Descriptors that Chromium sent for VP8 with three temporal layers, and broken ones.

use super::*;

/// A key frame's first packet. Its templates, by temporal layer and decode targets: 0 SSS, 0 SSS, 0 SRR, 1 -SS, 1 -DS, 2 --D, 2 --D.
const KEY: &str = "8000028002044eaaaf2860414d34538a0940409fc059c0";

fn bytes(hex: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn known() -> Option<Structure> {
    let mut known = None;
    read(&bytes(KEY), &mut known).unwrap();
    known
}

fn temporal(number: u8) -> Temporal {
    Temporal::at_most(number)
}

/// Temporal layer, frame number, and the layers to which it lets switch from the lowest and from the middle one.
fn said(hex: &str) -> (u8, u16, [Vec<u8>; 2]) {
    let described = read(&bytes(hex), &mut known()).unwrap();
    let up =
        |from: u8| (from + 1..4).filter(|to| described.lets_switch(temporal(from), temporal(*to))).collect();
    (described.temporal.number(), described.number, [up(0), up(1)])
}

#[test]
fn med_26_the_descriptors_of_a_browser_are_read() {
    let mut known = None;
    let key = read(&bytes(KEY), &mut known).unwrap();
    assert!(key.starts && !key.ends && key.is_key);
    let rest = read(&bytes("400002"), &mut known).unwrap();
    assert!(!rest.starts && rest.ends && !rest.is_key);
    assert_eq!((rest.number, rest.temporal), (2, Temporal::BASE));
}

#[test]
fn med_27_frames_say_to_which_temporal_layers_they_let_switch() {
    let none = || [vec![], vec![]];
    assert_eq!(said(KEY), (0, 2, [vec![1, 2, 3], vec![2, 3]]));
    assert_eq!(said("c500041220"), (2, 4, none()));
    assert_eq!(said("c300061260"), (1, 6, [vec![1, 2, 3], vec![2, 3]]));
    assert_eq!(said("c2000a12e0"), (0, 10, none()));
    assert_eq!(said("c4000e12e980"), (1, 14, [vec![], vec![2, 3]]), "it needs the middle one's frame before");
    assert_eq!(said("c50010"), (2, 16, none()));
}

#[test]
fn a_frames_own_indications_outrank_its_templates() {
    // Custom indications: S, S, R.
    assert_eq!(said("c2000a2560"), (0, 10, [vec![1], vec![]]));
}

#[test]
fn med_26_what_is_not_of_its_form_says_nothing_and_changes_nothing() {
    let key = bytes(KEY);
    for length in 0..key.len() {
        let mut structure = known();
        let mut cut = key.clone();
        cut.truncate(length);
        if length != LEAST_BYTES {
            assert_eq!(read(&cut, &mut structure), None, "{length} bytes");
        }
        assert_eq!(structure, known());
    }
    assert_eq!(read(&bytes("c50010"), &mut None), None, "no structure is known");
    assert_eq!(read(&bytes("c70010"), &mut known()), None, "no such template");
    let many = [&[0x80, 0, 1, 0x80, 0][..], &[0; 200]].concat();
    assert_eq!(read(&many, &mut known()), None, "more templates than ids");
    assert_eq!(read(&[0xff; 255], &mut None), None);
}
