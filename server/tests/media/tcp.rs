//! Media where no UDP goes through.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    device::Device,
    peers::with_tcp,
    sfu::{ALICE, BERT, assert_nearly_all, finish, key, roster, set, until, uri},
    wire::Wire,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn med_18_n7_a_device_without_udp_sends_and_receives_by_tcp() {
    let (media, tcp) = with_tcp().await;
    let roster = roster(&[ALICE, BERT]);
    set(&media, &roster);
    let stop = Arc::new(AtomicBool::new(false));
    let mut alice = Device::new(ALICE, 0);
    alice.wire = Wire::tcp(tcp);
    let (opened, alice) = alice.join(&media, key(), &roster, stop.clone()).await;
    assert!(opened.answer.contains(" tcptype passive"), "{}", opened.answer);
    until("alice alone", || media.stats().rtp_in > 50).await;
    let (_, bert) = Device::new(BERT, 1).join(&media, key(), &roster, stop.clone()).await;
    until("traffic", || media.stats().rtp_out > 1_200).await;
    stop.store(true, Ordering::Relaxed);
    let (alice, bert) = (finish(alice), finish(bert));

    assert_nearly_all("alice's voice", bert.shown_of(&uri(ALICE), 1, &alice));
    assert_nearly_all("alice's camera", bert.shown_of(&uri(ALICE), 2, &alice));
    assert_nearly_all("bert's voice", alice.shown_of(&uri(BERT), 1, &bert));
    assert_nearly_all("bert's camera", alice.shown_of(&uri(BERT), 2, &bert));
    assert_eq!((alice.not_opened, bert.not_opened), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn med_18_a_stranger_on_tcp_is_closed_unanswered() {
    let (_media, tcp) = with_tcp().await;
    let mut request = vec![0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
    request.extend([7; 12]);
    request.extend(b"\0\x06\0\x07abc:def\0");
    let framed = |packet: &[u8]| [&u16::try_from(packet.len()).unwrap().to_be_bytes()[..], packet].concat();
    for first in [framed(&request), framed(&[0x80; 100]), framed(&[0; 3_000]), framed(&[])] {
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(tcp).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            stream.write_all(&first).unwrap();
            let mut answer = Vec::new();
            // Closed with unread bytes is a reset; a time-out would be neither.
            match stream.read_to_end(&mut answer) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
            }
            answer
        });
        assert_eq!(answer.await.unwrap(), b"");
    }
}
