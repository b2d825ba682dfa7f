//! What every environment promises: the same assertions against the real and the simulated one.

mod disk;
mod net;
mod tasks;
mod timers;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use ottla_env::os::{self, OsEnv};
use ottla_env::sim::{Sim, SimEnv};
use ottla_env::{Disk, Env};

/// No promise takes longer than this on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// Worlds each promise is kept in.
const SEEDS: u64 = 8;

/// Runs `promise` on the real environment, with an empty folder of its own.
fn on_the_os<F, Fut>(name: &str, promise: F)
where
    F: FnOnce(OsEnv, PathBuf) -> Fut,
    Fut: Future<Output = ()>,
{
    let root = std::env::temp_dir().join(format!("ottla-env-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&root);
    std::fs::create_dir_all(&root).unwrap();
    let inner = root.clone();
    os::run(Some(2), |env| async move {
        let kept = tokio::time::timeout(LIMIT, promise(env, inner)).await;
        kept.expect("the promise is kept in time");
    })
    .unwrap();
    std::fs::remove_dir_all(&root).unwrap();
}

/// Runs `promise` in a few simulated worlds.
fn in_simulation<F, Fut>(promise: F)
where
    F: Fn(SimEnv, PathBuf) -> Fut,
    Fut: Future<Output = ()>,
{
    for seed in 0..SEEDS {
        let sim = Sim::new(seed);
        let env = sim.node("a");
        sim.block_on(promise(env, PathBuf::from("/test")));
    }
}

macro_rules! promises {
    ($($module:ident :: $name:ident),* $(,)?) => {
        mod sim_env {
            $(#[test] fn $name() {
                super::in_simulation(super::$module::$name);
            })*
        }
        mod os_env {
            $(#[test] fn $name() {
                super::on_the_os(stringify!($name), super::$module::$name);
            })*
        }
    };
}

promises! {
    disk::a_file_reads_back_what_was_written,
    disk::opening_answers_as_posix_does,
    disk::names_move_and_go,
    disk::lengths_grow_with_zeroes_and_shrink,
    disk::an_allocated_file_is_zeroes,
    disk::vectored_writes_are_one_after_the_other,
    disk::direct_files_take_aligned_buffers,
    disk::a_lock_is_held_by_one,
    disk::a_replaced_file_is_whole,
    disk::an_open_file_outlives_its_name,
    net::bytes_arrive_in_order_both_ways,
    net::a_closed_port_refuses,
    net::a_taken_port_is_in_use,
    net::a_slow_reader_holds_the_writer_back,
    net::the_end_of_one_direction_leaves_the_other,
    net::a_dropped_peer_ends_the_stream,
    net::readiness_and_tries_agree,
    net::files_are_sent,
    net::names_resolve,
    tasks::a_task_reports_its_end,
    tasks::an_aborted_task_reads_as_stopped,
    tasks::a_dedicated_task_waits_and_is_woken,
    tasks::blocking_work_answers,
    tasks::channels_and_select_work,
    timers::sleeps_end_in_the_order_of_their_times,
    timers::a_timeout_cuts_a_wait_and_lets_a_quick_one_be,
    timers::time_does_not_go_back,
    timers::random_bytes_differ,
}

/// An existing folder for a promise about files.
fn folder<E: Env>(env: &E, root: PathBuf) -> PathBuf {
    let folder = root.join("folder");
    env.disk().create_dir_all(&folder).unwrap();
    folder
}
