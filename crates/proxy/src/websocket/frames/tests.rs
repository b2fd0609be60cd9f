use proptest::prelude::*;

use super::*;

/// A frame as its sender writes it.
#[derive(Clone, Debug)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    mask: Option<[u8; 4]>,
    payload: Vec<u8>,
}

// === impl Frame ===

impl Frame {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![if self.fin { FIN } else { 0 } | self.opcode.bits()];
        let masked = if self.mask.is_some() { MASKED } else { 0 };
        match self.payload.len() {
            length @ 0..=125 => bytes.push(masked | u8::try_from(length).unwrap()),
            length @ 126..=0xffff => {
                bytes.push(masked | 0x7e);
                bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                bytes.push(masked | 0x7f);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(self.mask.unwrap_or_default().iter().take(if self.mask.is_some() { 4 } else { 0 }));
        bytes.extend(&self.payload);
        bytes
    }

    fn head(&self) -> Head {
        let Self { opcode, fin, mask, ref payload } = *self;
        Head { opcode, fin, mask, length: payload.len() as u64 }
    }
}

/// What is seen of bytes that come in pieces which end at these places.
fn followed(sender: Sender, bytes: &[u8], cuts: &[usize]) -> Result<Vec<(Head, Vec<u8>)>, Violation> {
    let mut frames = Frames::new(sender);
    let mut seen: Vec<(Head, Vec<u8>)> = Vec::new();
    let (mut from, mut open) = (0, false);
    for to in cuts.iter().copied().chain([bytes.len()]) {
        while let Some(piece) = frames.next(&bytes[from..to])? {
            assert!(piece.bytes > 0 && from + piece.bytes <= to);
            match piece.part {
                Part::Head(head) => {
                    assert!(!open, "a head stands between frames");
                    seen.push((head, Vec::new()));
                }
                Part::Payload => {
                    assert!(open, "a payload follows its head");
                    seen.last_mut().unwrap().1.extend(&bytes[from..from + piece.bytes]);
                }
            }
            open = !piece.ends_frame;
            from += piece.bytes;
        }
        assert!(to - from < Head::MAX_BYTES, "no more than a head waits for its end");
    }
    Ok(seen)
}

fn violation(sender: Sender, frames: &[&[u8]]) -> Option<Violation> {
    followed(sender, &frames.concat(), &[]).err()
}

#[test]
fn what_the_standard_forbids_is_told() {
    let server: &[(&[&[u8]], Violation)] = &[
        (&[b"\xc1\x00"], Violation::Reserved),
        (&[b"\xa1\x00"], Violation::Reserved),
        (&[b"\x91\x00"], Violation::Reserved),
        (&[b"\x83\x00"], Violation::Opcode),
        (&[b"\x8b\x00"], Violation::Opcode),
        (&[b"\x8f\x00"], Violation::Opcode),
        (&[b"\x81\x80\0\0\0\0"], Violation::Mask),
        (&[b"\x09\x00"], Violation::Control),
        (&[b"\x8a\x7e\x00\x7e"], Violation::Control),
        (&[b"\x80\x00"], Violation::Fragments),
        (&[b"\x01\x00", b"\x81\x00"], Violation::Fragments),
        (&[b"\x01\x00", b"\x80\x00", b"\x80\x00"], Violation::Fragments),
        (&[b"\x82\x7f\x80\0\0\0\0\0\0\0"], Violation::Length),
        (&[b"\x88\x01\x03"], Violation::Close),
    ];
    for (frames, expected) in server {
        assert_eq!(violation(Sender::Server, frames), Some(*expected), "{frames:?}");
    }
    assert_eq!(violation(Sender::Client, &[b"\x81\x00"]), Some(Violation::Mask));
}

#[test]
fn control_frames_stand_between_the_fragments_of_a_message() {
    use Opcode::{Binary, Continuation, Ping, Pong, Text};
    let fragments: &[&[u8]] =
        &[b"\x01\x01a", b"\x89\x01p", b"\x00\x01b", b"\x8a\x00", b"\x80\x00", b"\x82\x00"];
    let seen = followed(Sender::Server, &fragments.concat(), &[]).unwrap();
    let opcodes: Vec<_> = seen.iter().map(|(head, _)| head.opcode).collect();
    assert_eq!(opcodes, [Text, Ping, Continuation, Pong, Continuation, Binary]);
}

fn payload(control: bool) -> impl Strategy<Value = Vec<u8>> {
    let sizes = if control {
        prop_oneof![Just(0), 2..=125_usize].boxed()
    } else {
        prop_oneof![8 => 0..200_usize, 2 => 65_000..66_000_usize].boxed()
    };
    (sizes, any::<u8>()).prop_map(|(size, seed)| (seed..=u8::MAX).cycle().take(size).collect())
}

/// Frames in an order that the standard allows.
fn conversation(sender: Sender) -> impl Strategy<Value = Vec<Frame>> {
    let data = (any::<bool>(), any::<bool>(), any::<[u8; 4]>(), payload(false));
    let data = data.prop_map(|(fin, text, mask, payload)| {
        (if text { Opcode::Text } else { Opcode::Binary }, fin, mask, payload)
    });
    let words = prop_oneof![Just(Opcode::Ping), Just(Opcode::Pong), Just(Opcode::Close)];
    let control = (words, any::<[u8; 4]>(), payload(true));
    let control = control.prop_map(|(opcode, mask, payload)| (opcode, true, mask, payload));
    proptest::collection::vec(prop_oneof![3 => data, 1 => control], 0..8).prop_map(move |drafts| {
        let mut open = false;
        let frame = |(opcode, fin, mask, payload): (Opcode, bool, [u8; 4], Vec<u8>)| {
            let opcode = if open && !opcode.is_control() { Opcode::Continuation } else { opcode };
            if !opcode.is_control() {
                open = !fin;
            }
            Frame { opcode, fin, mask: (sender == Sender::Client).then_some(mask), payload }
        };
        drafts.into_iter().map(frame).collect()
    })
}

proptest! {
    #[test]
    fn frames_are_found_wherever_their_bytes_are_cut(
        (sender, frames) in prop_oneof![Just(Sender::Client), Just(Sender::Server)]
            .prop_flat_map(|sender| (Just(sender), conversation(sender))),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..40),
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let seen = followed(sender, &bytes, &cuts).expect("nothing is wrong with it");
        let expected: Vec<_> = frames.iter().map(|frame| (frame.head(), frame.payload.clone())).collect();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn any_bytes_are_frames_or_a_violation_however_they_are_cut(
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
        cut in any::<proptest::sample::Index>(),
    ) {
        let cut = cut.index(bytes.len() + 1);
        for sender in [Sender::Client, Sender::Server] {
            prop_assert_eq!(followed(sender, &bytes, &[cut]), followed(sender, &bytes, &[]));
        }
    }
}
