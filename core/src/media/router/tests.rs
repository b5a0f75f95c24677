//! What the table does as people, links and wishes come and go.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Tests may panic.

use super::{ClientId, Filling, LinkId, Origin, PathReport, Router, Target, TrackId, Wish};
use crate::{
    identity::address::DeviceUri,
    ids::TrackNumber,
    media::track::{Codec, Kind, Layer, Medium, Temporal, Track},
    time::Time,
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
    assert_eq!(slots[0], Some(Filling { track: bob_voice, layer: Some(layer(0)), temporal: Temporal::ALL }));
    assert_eq!(slots[1], Some(Filling { track: bob_camera, layer: Some(layer(2)), temporal: Temporal::ALL }));
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
    router.wish(ClientId(0), wishes, false);
    assert_eq!(carried(&router)[1..], [Some(bob_camera), Some(screen)]);
    let change = router.poll().unwrap();
    assert_eq!(
        change.filling,
        Some(Filling { track: bob_camera, layer: Some(layer(0)), temporal: Temporal::ALL }),
        "a smaller layer"
    );
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
fn med_14_who_wants_sound_alone_gets_no_pictures() {
    let mut router = room();
    router.wish(ClientId(0), Vec::new(), true);
    let carried: Vec<_> = router.slots(ClientId(0)).map(|filling| filling.is_some()).collect();
    assert_eq!(carried, [true, false, false]);
    router.wish(ClientId(0), Vec::new(), false);
    assert!(router.slots(ClientId(0)).nth(1).unwrap().is_some());
}

#[test]
fn med_15_only_layers_that_are_alive_are_chosen() {
    let mut router = room();
    let camera = find(&router, Origin::Client(ClientId(1)), "north.example", "bob", 2);
    router.set_alive(camera, layer(0), true);
    assert_eq!(router.slots(ClientId(0)).nth(1).unwrap().unwrap().layer, Some(layer(0)));
    router.set_alive(camera, layer(1), true);
    assert_eq!(router.slots(ClientId(0)).nth(1).unwrap().unwrap().layer, Some(layer(1)));
    router.set_alive(camera, layer(1), false);
    assert_eq!(router.slots(ClientId(0)).nth(1).unwrap().unwrap().layer, Some(layer(0)));
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

/// What Alice's two video slots carry of Bob and Carol, whose cameras have three layers of 100, 400 and 1,200 kbit/s.
fn two_cameras() -> (Router, TrackId, TrackId) {
    let mut router = room();
    let carol = device("south.example", "carol");
    router.publish(Origin::Link(LinkId(7)), &carol, &[track(8, Kind::Video, 3)]);
    let bob = find(&router, Origin::Client(ClientId(1)), "north.example", "bob", 2);
    let carol = find(&router, Origin::Link(LinkId(7)), "south.example", "carol", 8);
    let all = [(0, 100_000), (1, 400_000), (2, 1_200_000)];
    let rates = [bob, carol].into_iter().flat_map(|id| all.map(|(n, rate)| (id, layer(n), [rate; 4])));
    router.set_rates(rates.collect::<Vec<_>>());
    let voice = find(&router, Origin::Client(ClientId(1)), "north.example", "bob", 1);
    router.set_rates([(voice, layer(0), [50_000; 4])]);
    (router, bob, carol)
}

/// A second in which so much was sent, and so much of a thousand packets lost.
fn report(router: &mut Router, second: u64, sent: u64, lost: u64) {
    let report = PathReport { sent, lost, round_trip: None };
    router.report(Time::from_ms(second * 1_000), ClientId(0), report);
}

fn layers(router: &Router) -> Vec<Option<u8>> {
    let slots = router.slots(ClientId(0)).skip(1);
    slots.map(|filling| filling?.layer.map(Layer::number)).collect()
}

#[test]
fn med_19_a_narrow_path_gets_smaller_layers_and_the_most_wanted_first() {
    let (mut router, bob, carol) = two_cameras();
    assert_eq!(layers(&router), [Some(2), Some(2)]);
    // 2,450 kbit/s are sent, half arrives: 1,041 of which sound takes 50.
    report(&mut router, 1, 2_450_000, 500);
    assert_eq!(layers(&router), [Some(1), Some(1)]);
    let wish = |device: DeviceUri, track, height| Wish { device, track: TrackNumber(track), height };
    let (bobs, carols) = (device("north.example", "bob"), device("south.example", "carol"));
    router.wish(ClientId(0), vec![wish(carols.clone(), 8, 720), wish(bobs.clone(), 2, 90)], false);
    assert_eq!(layers(&router), [Some(0), Some(1)], "the largest layer takes more than is left");
    // 637 kbit/s: room for one middle layer beside the sound and the other's smallest.
    report(&mut router, 3, 1_000_000, 250);
    for (first, second, expected) in
        [((&carols, 8), (&bobs, 2), [Some(0), Some(1)]), ((&bobs, 2), (&carols, 8), [Some(1), Some(0)])]
    {
        let wishes = [first, second].map(|(who, track)| wish(who.clone(), track, 720));
        router.wish(ClientId(0), wishes.to_vec(), false);
        assert_eq!(layers(&router), expected);
    }
    report(&mut router, 6, 600_000, 400);
    assert_eq!(layers(&router), [Some(0), Some(0)]);
    assert!(router.targets(carol, layer(2)).contains(&Target::Slot(ClientId(1), 2)), "others get all");
    // The smallest budget carries one small picture: the other is paused, sound is not.
    report(&mut router, 20, 250_000, 700);
    assert_eq!(layers(&router), [Some(0), None]);
    assert_eq!(router.targets(bob, layer(0)), [Target::Slot(ClientId(0), 1)]);
    assert!(router.targets(carol, layer(0)).is_empty(), "what is paused is not sent");
    assert!(router.slots(ClientId(0)).next().unwrap().unwrap().layer.is_some());
    for second in 21..200 {
        report(&mut router, second, 150_000, 0);
    }
    assert_eq!(layers(&router), [Some(2), Some(2)], "a path that recovers carries all again");
}

#[test]
fn med_19_a_larger_layer_needs_room_to_spare() {
    let (mut router, _, carol) = two_cameras();
    router.publish(Origin::Client(ClientId(1)), &device("north.example", "bob"), &[]);
    report(&mut router, 1, 1_000_000, 500);
    assert_eq!(layers(&router)[1], Some(1), "425 kbit/s");
    let rate = |router: &mut Router, rate| {
        for _ in 0..20 {
            router.set_rates([(carol, layer(1), [rate; 4])]);
        }
    };
    rate(&mut router, 430_000);
    assert_eq!(layers(&router)[1], Some(0));
    rate(&mut router, 420_000);
    assert_eq!(layers(&router)[1], Some(0), "it fits, but not with a margin");
    rate(&mut router, 300_000);
    assert_eq!(layers(&router)[1], Some(1));
    rate(&mut router, 420_000);
    assert_eq!(layers(&router)[1], Some(1), "what is sent may stay while it fits");
}

#[test]
fn med_16_the_old_layer_goes_on_until_the_new_one_has_come() {
    let (mut router, bob, _) = two_cameras();
    let to_alice = |router: &Router, n| router.targets(bob, layer(n)).contains(&Target::Slot(ClientId(0), 1));
    let wish = |height| vec![Wish { device: device("north.example", "bob"), track: TrackNumber(2), height }];
    router.wish(ClientId(0), wish(90), false);
    assert!(to_alice(&router, 0) && to_alice(&router, 2));
    // Another change meanwhile: the one that is shown goes on, not the one that never came.
    router.wish(ClientId(0), wish(300), false);
    assert!(!to_alice(&router, 0) && to_alice(&router, 1) && to_alice(&router, 2));
    router.arrived(ClientId(0), 1);
    assert!(to_alice(&router, 1) && !to_alice(&router, 2));
    // Back before anything came.
    router.wish(ClientId(0), wish(90), false);
    router.wish(ClientId(0), wish(300), false);
    assert!(to_alice(&router, 1) && !to_alice(&router, 0));
}

#[test]
fn med_27_who_knows_no_descriptors_gets_all_frames_of_a_layer_or_none() {
    for takes_whole in [false, true] {
        let (mut router, bob, carol) = two_cameras();
        if takes_whole {
            router.take_whole(ClientId(0));
        }
        // What rests falls slowly.
        for camera in [bob, carol].repeat(20) {
            router.set_rates([(camera, layer(0), [50_000, 80_000, 100_000, 100_000])]);
        }
        // 100 kbit/s beside the sound.
        report(&mut router, 1, 300_000, 500);
        let slots = router.slots(ClientId(0)).skip(1).flatten();
        let sent: Vec<_> = slots.map(|slot| slot.layer.map(|_| slot.temporal)).collect();
        let expected = if takes_whole { [Some(Temporal::ALL), None] } else { [Some(Temporal::BASE); 2] };
        assert_eq!(sent, expected);
    }
}

#[test]
fn med_27_a_path_too_narrow_for_the_smallest_layer_gets_fewer_of_its_frames() {
    let (mut router, bob, carol) = two_cameras();
    // Bob's camera has three temporal layers, Carol's one.
    for _ in 0..20 {
        router.set_rates([(bob, layer(0), [50_000, 70_000, 100_000, 100_000])]);
    }
    let sends = |router: &Router| {
        let slots = router.slots(ClientId(0)).skip(1).flatten();
        slots.map(|slot| Some((slot.layer?.number(), slot.temporal.number()))).collect::<Vec<_>>()
    };
    assert_eq!(sends(&router), [Some((2, 3)), Some((2, 3))]);
    // 204 kbit/s: beside the sound there is room for all of one, and for half of the other.
    report(&mut router, 1, 480_000, 500);
    assert_eq!(sends(&router), [Some((0, 0)), Some((0, 3))]);
    for (carols, expected) in [(85_000, (0, 0)), (75_000, (0, 1)), (70_000, (0, 1)), (45_000, (0, 3))] {
        for _ in 0..20 {
            router.set_rates([(carol, layer(0), [carols; 4])]);
        }
        assert_eq!(sends(&router), [Some(expected), Some((0, 3))], "beside {carols}");
    }
    // 150 kbit/s: one of them cannot be made smaller, and pauses if it is the less wanted.
    router.set_rates([(carol, layer(0), [85_000; 4])]);
    report(&mut router, 4, 180_000, 500);
    assert_eq!(sends(&router), [Some((0, 1)), None]);
    let wish = |name: &str, domain, track| Wish {
        device: device(domain, name),
        track: TrackNumber(track),
        height: 720,
    };
    router.wish(ClientId(0), vec![wish("carol", "south.example", 8), wish("bob", "north.example", 2)], false);
    assert_eq!(sends(&router), [None, Some((0, 3))]);
    for second in 5..300 {
        report(&mut router, second, 100_000, 0);
    }
    assert_eq!(sends(&router), [Some((2, 3)), Some((2, 3))], "a path that recovers carries all again");
}
