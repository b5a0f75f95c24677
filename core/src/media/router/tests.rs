//! What the table does as people, links and wishes come and go.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Tests may panic.

use super::{ClientId, Filling, LinkId, Origin, Router, Target, TrackId, Wish};
use crate::{
    identity::address::DeviceUri,
    ids::TrackNumber,
    media::track::{Codec, Kind, Layer, Medium, Track},
};

const SLOTS: [Medium; 3] = [Medium::Audio, Medium::Video, Medium::Video];

fn device(domain: &str, name: &str) -> DeviceUri {
    DeviceUri::parse(&format!("conclave://{domain}/u/{name}/d/0000000000000001")).unwrap()
}

fn track(number: u32, kind: Kind, layers: u8) -> Track {
    let codec = if kind.medium() == Medium::Audio { Codec::Opus } else { Codec::Vp8 };
    Track { number: TrackNumber(number), kind, codec, layers }
}

fn layer(number: u8) -> Layer {
    Layer::new(number).unwrap()
}

/// Alice is client 0, Bob client 1; Carol comes by link 7.
fn room() -> Router {
    let mut router = Router::new();
    for (client, name) in [(0, "alice"), (1, "bob")] {
        router.connect(ClientId(client), device("north.example", name), &SLOTS);
        let tracks = [track(1, Kind::Audio, 1), track(2, Kind::Video, 3)];
        router.publish(Origin::Client(ClientId(client)), &device("north.example", name), &tracks);
    }
    router
}

fn find(router: &Router, origin: Origin, domain: &str, name: &str, number: u32) -> TrackId {
    router.find(origin, &device(domain, name), TrackNumber(number)).unwrap()
}

#[test]
fn med_14_without_wishes_every_slot_carries_somebody_else() {
    let mut router = room();
    let bob_voice = find(&router, Origin::Client(ClientId(1)), "north.example", "bob", 1);
    let bob_camera = find(&router, Origin::Client(ClientId(1)), "north.example", "bob", 2);
    let slots: Vec<_> = router.slots(ClientId(0)).collect();
    assert_eq!(slots[0], Some(Filling { track: bob_voice, layer: layer(0) }));
    assert_eq!(slots[1], Some(Filling { track: bob_camera, layer: layer(2) }));
    assert_eq!(slots[2], None);
    assert_eq!(router.targets(bob_camera, layer(2)), [Target::Slot(ClientId(0), 1)]);
    assert!(router.targets(bob_camera, layer(0)).is_empty());

    router.disconnect(ClientId(1));
    assert!(router.slots(ClientId(0)).all(|filling| filling.is_none()));
    assert!(router.targets(bob_camera, layer(2)).is_empty());
}

#[test]
fn med_14_slots_do_not_move_while_their_track_is_wanted() {
    let mut router = room();
    let carol = device("south.example", "carol");
    router.publish(Origin::Link(LinkId(7)), &carol, &[track(9, Kind::Screen, 1), track(8, Kind::Video, 1)]);
    let bob_camera = find(&router, Origin::Client(ClientId(1)), "north.example", "bob", 2);
    let screen = find(&router, Origin::Link(LinkId(7)), "south.example", "carol", 9);
    let carried = |router: &Router| router.slots(ClientId(0)).map(|f| f.map(|f| f.track)).collect::<Vec<_>>();
    assert_eq!(carried(&router)[1..], [Some(bob_camera), Some(screen)]);
    while router.poll().is_some() {}

    let wish = |device: DeviceUri, track, height| Wish { device, track: TrackNumber(track), height };
    let wishes = vec![wish(carol.clone(), 9, 1080), wish(device("north.example", "bob"), 2, 150)];
    router.wish(ClientId(0), wishes);
    assert_eq!(carried(&router)[1..], [Some(bob_camera), Some(screen)]);
    let change = router.poll().unwrap();
    assert_eq!(change.filling, Some(Filling { track: bob_camera, layer: layer(0) }), "a smaller layer");
    assert_eq!(router.poll(), None);
    assert!(carried(&router)[0].is_some(), "no wish for sound: the server chooses");
}

#[test]
fn med_14_the_sound_of_a_screen_comes_before_voices() {
    let mut router = room();
    let bob_voice = find(&router, Origin::Client(ClientId(1)), "north.example", "bob", 1);
    assert_eq!(router.slots(ClientId(0)).next().unwrap().unwrap().track, bob_voice);
    let carol = device("south.example", "carol");
    router.publish(Origin::Link(LinkId(7)), &carol, &[track(10, Kind::ScreenAudio, 1)]);
    let sound = find(&router, Origin::Link(LinkId(7)), "south.example", "carol", 10);
    assert_eq!(router.slots(ClientId(0)).next().unwrap().unwrap().track, sound);
    router.heard(bob_voice);
    assert_eq!(router.slots(ClientId(0)).next().unwrap().unwrap().track, sound);
}

#[test]
fn med_15_only_layers_that_are_alive_are_chosen() {
    let mut router = room();
    let camera = find(&router, Origin::Client(ClientId(1)), "north.example", "bob", 2);
    router.set_alive(camera, layer(0), true);
    assert_eq!(router.slots(ClientId(0)).nth(1).unwrap().unwrap().layer, layer(0));
    router.set_alive(camera, layer(1), true);
    assert_eq!(router.slots(ClientId(0)).nth(1).unwrap().unwrap().layer, layer(1));
    router.set_alive(camera, layer(1), false);
    assert_eq!(router.slots(ClientId(0)).nth(1).unwrap().unwrap().layer, layer(0));
}

#[test]
fn med_21_r17_what_came_by_a_link_goes_to_no_link() {
    let mut router = room();
    let carol = device("south.example", "carol");
    router.publish(Origin::Link(LinkId(7)), &carol, &[track(8, Kind::Video, 1)]);
    let foreign = find(&router, Origin::Link(LinkId(7)), "south.example", "carol", 8);
    let own = find(&router, Origin::Client(ClientId(1)), "north.example", "bob", 2);
    router.subscribe(LinkId(3), [(foreign, layer(0)), (own, layer(2))]);
    assert!(!router.targets(foreign, layer(0)).iter().any(|target| matches!(target, Target::Link(_))));
    assert!(router.targets(own, layer(2)).contains(&Target::Link(LinkId(3))));
    assert!(router.own_tracks().all(|(id, _)| id != foreign));
}

#[test]
fn a_link_is_asked_only_for_what_somebody_watches() {
    let mut router = room();
    let carol = device("south.example", "carol");
    router.publish(Origin::Link(LinkId(7)), &carol, &[track(1, Kind::Audio, 1), track(8, Kind::Video, 3)]);
    let camera = find(&router, Origin::Link(LinkId(7)), "south.example", "carol", 8);
    let needed = router.needed_of(LinkId(7));
    assert_eq!(needed.iter().filter(|(track, _)| *track == camera).count(), 1, "once, for two who watch");
    assert_eq!(needed.len(), 1, "both audio slots carry a neighbour's voice");
    router.heard(find(&router, Origin::Link(LinkId(7)), "south.example", "carol", 1));
    assert_eq!(router.needed_of(LinkId(7)).len(), 2, "she speaks");
    router.disconnect(ClientId(0));
    router.disconnect(ClientId(1));
    assert!(router.needed_of(LinkId(7)).is_empty());
}

#[test]
fn nobody_can_publish_in_anothers_place() {
    let mut router = room();
    let bob = device("north.example", "bob");
    router.publish(Origin::Link(LinkId(7)), &bob, &[track(2, Kind::Video, 3)]);
    assert!(router.find(Origin::Link(LinkId(7)), &bob, TrackNumber(2)).is_none());
    router.publish(Origin::Link(LinkId(7)), &bob, &[]);
    assert!(router.find(Origin::Client(ClientId(1)), &bob, TrackNumber(2)).is_some());
}
