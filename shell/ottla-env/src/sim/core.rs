//! The world's one lock, its clock and its executor: which task runs next is a matter of the seed.
//!
//! No task is polled, woken up from outside or dropped while the lock is held: all three may come
//! back for it. (Waking one of our own tasks only touches the ready list.)

use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::disk::SimDisk;
use super::network::{Network, NodeId};
use super::random::Random;
use super::timers::Timers;
use super::trace::Trace;
use crate::time::MonoTime;

/// The wall clock of a machine without skew when a world begins: 2026-01-01.
const WALL_START_MS: i64 = 1_767_225_600_000;
/// Monotonic time when a world begins.
const START_NANOS: u64 = 1_000_000_000;
/// A step of a task takes some time, so that a busy loop does not stop the clock.
const STEP_NANOS: (u64, u64) = (100, 2_000);

thread_local! {
    /// Where and when the task that runs on this thread is: a machine's number and the time.
    static HERE: Cell<(Option<u8>, u64)> = const { Cell::new((None, 0)) };
}

/// Which machine's task runs on this thread, counted from 0 in the order they were made, and since
/// when; for a reader of logs.
pub fn here() -> (Option<u8>, MonoTime) {
    let (node, now) = HERE.get();
    (node, MonoTime(now))
}

pub(super) type TaskId = u64;
type BoxedFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The tasks that may run. A set, for the order of wakes is not the seed's: tokio's watch channel
/// wakes its waiters in an order drawn from a generator of its own.
#[derive(Default)]
struct Ready(Mutex<Vec<TaskId>>);

impl Ready {
    /// In the order of their numbers; there are few at a time.
    fn add(&self, id: TaskId) {
        let mut ready = self.0.lock();
        if let Err(at) = ready.binary_search(&id) {
            ready.insert(at, id);
        }
    }
}

/// Puts one task on the ready list, once.
pub(super) struct Wakeup {
    id: TaskId,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.add(self.id);
        }
    }
}

struct TaskSlot {
    node: NodeId,
    name: &'static str,
    /// Out while it is polled.
    future: Option<BoxedFuture>,
    polls: u64,
    wakeup: Arc<Wakeup>,
}

/// A machine.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) disk: SimDisk,
    /// Counts restarts: what an older process still holds is dead.
    pub(super) process: u64,
    pub(super) up: watch::Sender<bool>,
    pub(super) skew_ms: i64,
    /// Millionths by which its wall clock is fast.
    pub(super) drift_ppm: i64,
    pub(super) clock: Arc<AtomicI64>,
    /// Its tasks that would run, while it is paused.
    pub(super) paused: Option<BTreeSet<TaskId>>,
}

/// Everything but the ready list.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) now: u64,
    pub(super) random: Random,
    pub(super) timers: Timers,
    pub(super) nodes: Vec<Node>,
    pub(super) network: Network,
    pub(super) trace: Trace,
    /// Tasks polled so far.
    pub(super) steps: u64,
    pub(super) limits: Limits,
    /// Set by the disk that loses power in the middle of an effect.
    pub(super) tripped: Arc<AtomicBool>,
    /// By number; what has ended leaves its place empty.
    tasks: Vec<Option<Box<TaskSlot>>>,
}

/// Where a run ends that does not end by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) now: u64,
    pub(super) steps: u64,
}

/// What to do next.
pub(super) enum Next {
    Run(TaskId),
    /// Nothing can run and no timer is set.
    Stuck,
    /// A limit has passed.
    Over,
}

/// The shared heart of a world.
pub(super) struct Core {
    ready: Arc<Ready>,
    /// Some machine's disk has lost power; read at every step, so not under the lock.
    tripped: Arc<AtomicBool>,
    world: Mutex<World>,
}

impl World {
    pub(super) fn node(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[usize::from(id.0)]
    }

    pub(super) fn wall_ms(&self, id: NodeId) -> i64 {
        let elapsed = ((self.now - START_NANOS) / 1_000_000).cast_signed();
        let node = &self.nodes[usize::from(id.0)];
        WALL_START_MS + elapsed + node.skew_ms + elapsed * node.drift_ppm / 1_000_000
    }

    /// Whether this process of the machine is the one that runs.
    pub(super) fn lives(&self, id: NodeId, process: u64) -> bool {
        let node = &self.nodes[usize::from(id.0)];
        node.process == process && *node.up.borrow()
    }

    fn task(&mut self, id: TaskId) -> Option<&mut TaskSlot> {
        self.tasks.get_mut(id as usize)?.as_deref_mut()
    }

    fn take_task(&mut self, id: TaskId) -> Option<Box<TaskSlot>> {
        self.tasks.get_mut(id as usize)?.take()
    }

    /// Whether the task is kept from running because its machine is paused.
    fn is_held(&mut self, id: TaskId) -> bool {
        let Some(node) = self.task(id).map(|slot| slot.node) else { return false };
        let Some(held) = &mut self.node(node).paused else { return false };
        held.insert(id);
        true
    }

    pub(super) fn set_now(&mut self, now: u64) {
        let before = self.now / 1_000_000;
        self.now = now;
        if now / 1_000_000 != before {
            self.set_clocks();
        }
    }

    pub(super) fn set_clocks(&mut self) {
        for index in 0..self.nodes.len() {
            let wall = self.wall_ms(NodeId(index as u8));
            self.nodes[index].clock.store(wall, Ordering::Relaxed);
        }
    }
}

impl Core {
    pub(super) fn new(seed: u64) -> Core {
        let world = World {
            seed,
            now: START_NANOS,
            random: Random::new(seed),
            timers: Timers::default(),
            nodes: Vec::new(),
            network: Network::new(),
            trace: Trace::default(),
            steps: 0,
            limits: Limits { now: u64::MAX, steps: u64::MAX },
            tripped: Arc::default(),
            tasks: Vec::new(),
        };
        Core { ready: Arc::default(), tripped: world.tripped.clone(), world: Mutex::new(world) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock()
    }

    /// Whether a disk has lost power since the last call.
    pub(super) fn take_tripped(&self) -> bool {
        self.tripped.load(Ordering::Relaxed) && self.tripped.swap(false, Ordering::Relaxed)
    }

    /// A task that is polled elsewhere; ready at once.
    pub(super) fn foreign_task(&self) -> (TaskId, Waker, Arc<Wakeup>) {
        let mut world = self.world.lock();
        let id = world.tasks.len() as TaskId;
        world.tasks.push(None);
        let wakeup = self.wakeup(id);
        let waker = Waker::from(wakeup.clone());
        waker.wake_by_ref();
        (id, waker, wakeup)
    }

    /// Adds a task; `None` (and the future dropped) if the process is dead.
    pub(super) fn spawn(
        &self,
        (node, process): (NodeId, u64),
        name: &'static str,
        future: BoxedFuture,
    ) -> Option<TaskId> {
        let mut world = self.world.lock();
        if !world.lives(node, process) {
            drop(world);
            drop(future);
            return None;
        }
        let id = world.tasks.len() as TaskId;
        let wakeup = self.wakeup(id);
        let slot = TaskSlot { node, name, future: Some(future), polls: 0, wakeup: wakeup.clone() };
        world.tasks.push(Some(Box::new(slot)));
        wakeup.wake();
        Some(id)
    }

    /// Drops a task.
    pub(super) fn abort(&self, id: TaskId) {
        let slot = self.world.lock().take_task(id);
        drop(slot);
    }

    /// A paused machine goes on.
    pub(super) fn resume(&self, node: NodeId) {
        let held = self.world.lock().node(node).paused.take().unwrap_or_default();
        held.into_iter().for_each(|id| self.ready.add(id));
    }

    /// Drops all tasks of a machine (of all machines, if `None`).
    pub(super) fn abort_all(&self, node: Option<NodeId>) {
        let mut world = self.world.lock();
        let is_gone = |slot: &mut Box<TaskSlot>| node.is_none_or(|node| slot.node == node);
        let gone = world.tasks.iter_mut().filter_map(|place| place.take_if(is_gone));
        let gone: Vec<_> = gone.collect();
        drop(world);
        drop(gone);
    }

    /// Lets time pass until a task can run, and picks one.
    pub(super) fn next(&self) -> Next {
        loop {
            let mut world = self.world.lock();
            let due = {
                let now = world.now;
                world.timers.take_due(now)
            };
            if !due.is_empty() {
                drop(world);
                due.into_iter().for_each(Waker::wake);
                continue;
            }
            let mut ready = self.ready.0.lock();
            if ready.is_empty() {
                let Some(at) = world.timers.earliest() else { return Next::Stuck };
                world.set_now(at);
                continue;
            }
            if world.now > world.limits.now || world.steps > world.limits.steps {
                return Next::Over;
            }
            let index = world.random.index(ready.len());
            let id = ready.remove(index);
            drop(ready);
            if world.is_held(id) {
                continue;
            }
            world.steps += 1;
            let step = world.random.between(STEP_NANOS.0, STEP_NANOS.1);
            let now = world.now + step;
            world.set_now(now);
            world.trace.add(id);
            world.trace.add(now);
            return Next::Run(id);
        }
    }

    /// Polls a task, if it is still there.
    pub(super) fn run(&self, id: TaskId) {
        let taken = {
            let mut world = self.world.lock();
            let now = world.now;
            world.task(id).and_then(|slot| {
                HERE.set((Some(slot.node.0), now));
                slot.wakeup.queued.store(false, Ordering::Relaxed);
                slot.polls += 1;
                Some((slot.future.take()?, slot.wakeup.clone()))
            })
        };
        let Some((mut future, wakeup)) = taken else { return };
        let waker = Waker::from(wakeup);
        let ended = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        let mut world = self.world.lock();
        if !ended && let Some(slot) = world.task(id) {
            slot.future = Some(future);
            return;
        }
        // None, if it was aborted while it ran.
        let slot = world.take_task(id);
        drop(world);
        drop((future, slot));
    }

    /// Which of the tasks that could run now ran most, for a report.
    pub(super) fn busiest(&self) -> String {
        let world = self.world.lock();
        let ready = self.ready.0.lock();
        let slots = ready.iter().filter_map(|id| world.tasks.get(*id as usize)?.as_deref());
        let busiest = slots.max_by_key(|slot| slot.polls);
        busiest.map_or_else(String::new, |slot| {
            let node = &world.nodes[usize::from(slot.node.0)].name;
            format!("{} on {node} ran {} times", slot.name, slot.polls)
        })
    }

    /// The names of tasks that wait, for a report.
    pub(super) fn waiting(&self) -> Vec<String> {
        let world = self.world.lock();
        let name = |slot: &TaskSlot| {
            format!("{} on {}", slot.name, world.nodes[usize::from(slot.node.0)].name)
        };
        world.tasks.iter().flatten().map(|slot| name(slot)).collect()
    }

    fn wakeup(&self, id: TaskId) -> Arc<Wakeup> {
        Arc::new(Wakeup { id, queued: AtomicBool::new(false), ready: self.ready.clone() })
    }
}

impl Wakeup {
    /// Before a poll: from now on a wake counts again.
    pub(super) fn clear(&self) {
        self.queued.store(false, Ordering::Relaxed);
    }
}

/// Polls `future` once.
pub(super) fn poll_once<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}
