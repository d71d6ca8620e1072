//! On which thread does a connection live?
//!
//! A connection's tasks talk to each other for every packet. On one thread that costs nothing; across
//! threads each word wakes a sleeping one. So each connection stays on one lane, and there are twice as many
//! lanes as processors: between lanes the system sees to it that who wants little is not kept waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::limits::LANES_PER_PROCESSOR;

/// How many threads of all lanes together may wait for a disk; or 16 of each, where that is more.
const WAITING_MAX: usize = 512;

/// The lanes. Dropped, they end, and with them whatever still runs on them.
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    end: CancellationToken,
}

struct Lane {
    runtime: Handle,
    /// How many connections are on it.
    load: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

/// What says whether the lanes run, and the door that brings connections to them.
#[derive(Debug, Clone)]
pub struct Pulse {
    door: mpsc::Sender<oneshot::Sender<()>>,
    lanes: Vec<Handle>,
}

/// What a door answers when its pulse is felt.
pub(super) type Beats = mpsc::Receiver<oneshot::Sender<()>>;

impl Pulse {
    /// Waits until the door has answered and each lane has run something: one that is stuck never does. What has
    /// ended is not waited for.
    pub async fn felt(&self) {
        let (beat, beaten) = oneshot::channel();
        if self.door.send(beat).await.is_ok() {
            drop(beaten.await);
        }
        for lane in &self.lanes {
            // An error is that of a lane that has ended.
            drop(lane.spawn(async {}).await);
        }
    }
}

#[cfg(test)]
impl Pulse {
    /// One that is never felt, as long as the second is kept; for tests of what it holds back.
    pub(crate) fn stuck() -> (Self, impl Sized) {
        let (door, beats) = mpsc::channel(1);
        let lanes = Vec::new();
        (Self { door, lanes }, beats)
    }
}

/// A connection's place on a lane, until it is dropped.
pub(super) struct Place {
    load: Arc<AtomicUsize>,
}

impl Lanes {
    /// Opens those of a machine with so many processors.
    ///
    /// # Errors
    ///
    /// When the system gives no more threads.
    pub(super) fn for_processors(processors: usize) -> std::io::Result<Self> {
        Self::open(processors.saturating_mul(LANES_PER_PROCESSOR))
    }

    fn open(count: usize) -> std::io::Result<Self> {
        let end = CancellationToken::new();
        let mut lanes = Self {
            lanes: Vec::with_capacity(count),
            end,
        };
        for at in 0..count {
            lanes.lanes.push(lane(at, count, lanes.end.clone())?);
        }
        Ok(lanes)
    }

    /// Returns the lane with the fewest connections, and a place on it.
    pub(super) fn place(&self) -> Option<(&Handle, Place)> {
        let by_load = |lane: &&Lane| lane.load.load(Ordering::Relaxed);
        let lane = self.lanes.iter().min_by_key(by_load)?;
        lane.load.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            load: Arc::clone(&lane.load),
        };
        Some((&lane.runtime, place))
    }

    /// Returns what says whether they run, and what their door answers to.
    pub(super) fn pulse(&self) -> (Pulse, Beats) {
        let runtimes = self.lanes.iter().map(|lane| lane.runtime.clone());
        let (door, beats) = mpsc::channel(1);
        let lanes = runtimes.collect();
        (Pulse { door, lanes }, beats)
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.end.cancel();
        for lane in &mut self.lanes {
            if let Some(thread) = lane.thread.take() {
                // Whether it panicked was logged when it did.
                drop(thread.join());
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lane(at: usize, of: usize, end: CancellationToken) -> std::io::Result<Lane> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .thread_name("sluis-blocking")
        .max_blocking_threads((WAITING_MAX / of).max(16))
        .build()?;
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new()
        .name(format!("sluis-lane-{at}"))
        .spawn(move || runtime.block_on(end.cancelled_owned()))?;
    Ok(Lane {
        runtime: handle,
        load: Arc::default(),
        thread: Some(thread),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_spread_over_the_lanes_and_make_room_when_they_end() {
        let lanes = Lanes::open(2).unwrap();
        let loads = || -> Vec<usize> {
            let load = |lane: &Lane| lane.load.load(Ordering::Relaxed);
            lanes.lanes.iter().map(load).collect()
        };

        let (_, first) = lanes.place().unwrap();
        let (_, _second) = lanes.place().unwrap();
        let (_, _third) = lanes.place().unwrap();
        assert_eq!(loads(), [2, 1]);
        drop(first);
        let (_, _fourth) = lanes.place().unwrap();

        assert_eq!(loads().iter().sum::<usize>(), 3);
        assert!(loads().iter().all(|load| *load > 0));
    }

    #[tokio::test]
    async fn a_lane_that_is_stuck_gives_no_pulse_and_one_that_has_ended_is_not_waited_for() {
        let lanes = Lanes::open(2).unwrap();
        let (pulse, beats) = lanes.pulse();
        drop(beats); // the door has ended
        pulse.felt().await;

        let (stuck, is_stuck) = oneshot::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (lane, _place) = lanes.place().unwrap();
        let blocked = lane.spawn(async move {
            stuck.send(()).unwrap();
            released.recv()
        });
        is_stuck.await.unwrap();
        let mut felt = Box::pin(pulse.felt());
        let more = std::time::Duration::from_millis(20); // it would take microseconds
        assert!(tokio::time::timeout(more, felt.as_mut()).await.is_err());
        release.send(()).unwrap();
        felt.await;
        drop(blocked.await);

        tokio::task::spawn_blocking(move || drop(lanes))
            .await
            .unwrap();
        pulse.felt().await;
    }

    #[tokio::test]
    async fn a_door_that_is_stuck_gives_no_pulse() {
        let lanes = Lanes::open(1).unwrap();
        let (pulse, mut beats) = lanes.pulse();

        let mut felt = Box::pin(pulse.felt());
        let more = std::time::Duration::from_millis(20); // it would take microseconds
        assert!(tokio::time::timeout(more, felt.as_mut()).await.is_err());
        beats.recv().await.unwrap().send(()).unwrap();
        felt.await;

        tokio::task::spawn_blocking(move || drop(lanes))
            .await
            .unwrap();
    }

    #[test]
    fn what_is_spawned_on_a_lane_runs_there() {
        let lanes = Lanes::open(1).unwrap();
        let (lane, _place) = lanes.place().unwrap();

        let name = async { std::thread::current().name().map(ToOwned::to_owned) };
        let task = lane.spawn(name);

        let found = Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(task);
        assert_eq!(found.unwrap().as_deref(), Some("sluis-lane-0"));
    }
}
