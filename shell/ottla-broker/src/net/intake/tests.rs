use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use proptest::prelude::*;

use super::super::budget::Budget;
use super::super::pool::{BUFFER_BYTES, Pool};
use super::{FrameError, Intake};

const LIMIT: usize = 1 << 20;

fn intake(budget: usize) -> Intake {
    Intake::new(Arc::new(Pool::default()), Budget::new(budget))
}

/// The room for the next read; the budget is never short in these tests.
fn room(intake: &mut Intake) -> Result<&mut BytesMut, FrameError> {
    let mut room = pin!(intake.room(LIMIT));
    match room.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(room) => room,
        Poll::Pending => panic!("the budget is short"),
    }
}

/// Gives `bytes` to the intake as reads of at most `step` bytes, into the room there is.
fn feed(intake: &mut Intake, mut bytes: &[u8], step: usize, frames: &mut Vec<Vec<u8>>) {
    while !bytes.is_empty() {
        let into = room(intake).unwrap();
        let free = into.capacity() - into.len();
        assert!(free > 0, "there is room for a read");
        let count = free.min(step).min(bytes.len());
        into.extend_from_slice(&bytes[..count]);
        bytes = &bytes[count..];
        while let Some(frame) = intake.next_frame(LIMIT).unwrap() {
            frames.push(frame.bytes.to_vec());
        }
        intake.park();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Goal: however a stream is cut into reads, the same frames come out.
    #[test]
    fn frames_come_out_whole(
        sizes in proptest::collection::vec(
            prop_oneof![0_usize..100, 0_usize..10_000, 60_000_usize..300_000], 1..8),
        step in prop_oneof![1000_usize..5000, 50_000_usize..100_000],
    ) {
        let frames: Vec<Vec<u8>> =
            sizes.iter().enumerate().map(|(i, size)| vec![i as u8; *size]).collect();
        let mut stream = Vec::new();
        for frame in &frames {
            stream.extend_from_slice(&(frame.len() as i32).to_be_bytes());
            stream.extend_from_slice(frame);
        }
        let mut intake = intake(usize::MAX);
        let mut seen = Vec::new();
        feed(&mut intake, &stream, step, &mut seen);
        prop_assert_eq!(seen, frames);
        prop_assert!(!intake.is_partial());
        prop_assert_eq!(intake.budget.used(), 0);
    }
}

/// Goal: lengths that cannot be are refused on their four bytes alone.
#[test]
fn impossible_lengths_are_refused() {
    for (prefix, error) in [
        (i32::MIN, FrameError::Negative(i32::MIN)),
        (-1, FrameError::Negative(-1)),
        (i32::MAX, FrameError::TooLarge { announced: i32::MAX as usize, limit: LIMIT }),
    ] {
        let mut intake = intake(0);
        room(&mut intake).unwrap().extend_from_slice(&prefix.to_be_bytes());
        assert_eq!(intake.next_frame(LIMIT).err(), Some(error));
        assert_eq!(room(&mut intake).err(), Some(error));
    }
}

/// Goal: an announced length costs nothing. Method: announce the largest frame, send a little.
#[test]
fn an_announcement_costs_no_memory() {
    let mut intake = intake(0);
    let into = room(&mut intake).unwrap();
    into.extend_from_slice(&(LIMIT as i32).to_be_bytes());
    into.extend_from_slice(&[7; 100]);
    assert!(room(&mut intake).unwrap().capacity() <= BUFFER_BYTES);
    intake.park();
    assert!(intake.bytes.capacity() <= 128);
    assert_eq!(intake.len(), 104);
}
