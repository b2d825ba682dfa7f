//! Whole worlds: the same seed is the same run, the dead are dead, wires fail as told.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::disk::{Disk, File, OpenOptions};
use crate::net::Listener;
use crate::{Env, Stopped};

const CREATE: OpenOptions = OpenOptions::read_write_create();
const PORT: u16 = 9092;

fn address(env: &SimEnv) -> SocketAddr {
    SocketAddr::new(env.ip(), PORT)
}

/// Answers every byte with itself.
async fn echo(env: SimEnv) {
    let listener = env.listen(SocketAddr::from(([0, 0, 0, 0], PORT))).await.unwrap();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        env.spawn("echo", async move {
            let mut buffer = [0; 100];
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                if stream.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn ask(stream: &mut SimStream, question: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(question).await?;
    let mut answer = vec![0; question.len()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// A run with disk, net, timers and chance in it.
fn busy_world(seed: u64) -> (u64, u64) {
    let sim = Sim::new(seed);
    let (server, client) = (sim.node("server"), sim.node("client"));
    server.spawn("echo", echo(server.clone()));
    let total = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for index in 0..10_u8 {
        let (client, server, total) = (client.clone(), server.clone(), total.clone());
        tasks.push(client.clone().spawn("asker", async move {
            client.sleep(Duration::from_micros(client.random_u64() % 1000)).await;
            let mut stream = client.connect(address(&server)).await.unwrap();
            for _ in 0..20 {
                let answer = ask(&mut stream, &[index; 300]).await.unwrap();
                assert_eq!(answer, [index; 300]);
            }
            let path = format!("/{index}");
            let file = client.disk().open(Path::new(&path), &CREATE).unwrap();
            client.disk_pause().await;
            file.write_all_at(&[index; 100], 0).unwrap();
            file.sync_data().unwrap();
            total.fetch_add(client.now().0, Ordering::Relaxed);
        }));
    }
    sim.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    (sim.trace_hash(), total.load(Ordering::Relaxed))
}

#[test]
fn the_same_seed_is_the_same_run() {
    let mut hashes = std::collections::BTreeSet::new();
    for seed in 0..20 {
        assert_eq!(busy_world(seed), busy_world(seed));
        hashes.insert(busy_world(seed).0);
    }
    assert_eq!(hashes.len(), 20, "other seeds are other runs");
}

#[test]
fn virtual_time_costs_nothing() {
    let sim = Sim::new(1);
    let before = sim.now();
    sim.advance(Duration::from_secs(3600));
    assert!(sim.now().since(before) >= Duration::from_secs(3600));
}

#[test]
#[should_panic(expected = "nothing can run any more; 1 tasks wait: stuck on a")]
fn a_standstill_is_reported() {
    let sim = Sim::new(1);
    let env = sim.node("a");
    env.spawn("stuck", std::future::pending());
    sim.block_on(std::future::pending::<()>());
}

#[test]
fn a_power_cut_ends_tasks_and_loses_what_was_not_synced() {
    let (mut lost, mut kept) = (0, 0);
    for seed in 0..40 {
        let sim = Sim::new(seed);
        let env = sim.node("a");
        let task = env.spawn("writer", {
            let env = env.clone();
            async move {
                let file = env.disk().open(Path::new("/a"), &CREATE).unwrap();
                file.write_all_at(b"synced", 0).unwrap();
                file.sync_data().unwrap();
                env.disk().sync_dir(Path::new("/")).unwrap();
                file.write_all_at(b"UNSYNC", 0).unwrap();
                std::future::pending::<()>().await;
            }
        });
        sim.advance(Duration::from_millis(1));
        sim.power_cut("a");
        assert!(!sim.is_up("a"));
        assert_eq!(sim.block_on(task), Err(Stopped));
        assert_eq!(sim.block_on(env.spawn("late", async {})), Err(Stopped));
        assert!(env.disk().read_dir(Path::new("/")).is_err(), "the old process's handle is dead");
        let env = sim.restart("a");
        match &env.disk().read_file(Path::new("/a"), 100).unwrap()[..] {
            b"synced" => lost += 1,
            b"UNSYNC" => kept += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(lost > 5 && kept > 5, "{lost} lost, {kept} kept");
}

#[test]
fn a_killed_process_loses_nothing_and_its_peers_are_told() {
    let sim = Sim::new(3);
    let (server, client) = (sim.node("server"), sim.node("client"));
    server.disk().open(Path::new("/a"), &CREATE).unwrap().write_all_at(b"x", 0).unwrap();
    server.spawn("echo", echo(server.clone()));
    sim.block_on(async {
        sim.sleep(Duration::from_millis(1)).await;
        let mut stream = client.connect(address(&server)).await.unwrap();
        assert_eq!(ask(&mut stream, b"up?").await.unwrap(), b"up?");
        sim.kill("server");
        sim.until_down("server").await;
        assert_eq!(stream.read(&mut [0; 4]).await.unwrap(), 0);
        let server = sim.restart("server");
        assert_eq!(server.disk().read_file(Path::new("/a"), 9).unwrap(), b"x");
        let refused = client.connect(address(&server)).await.err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn after_a_power_cut_peers_hear_nothing_until_it_is_back() {
    let sim = Sim::new(4);
    let (server, client) = (sim.node("server"), sim.node("client"));
    server.spawn("echo", echo(server.clone()));
    sim.block_on(async {
        sim.sleep(Duration::from_millis(1)).await;
        let mut stream = client.connect(address(&server)).await.unwrap();
        sim.power_cut("server");
        let silence = client.timeout(Duration::from_secs(60), ask(&mut stream, b"there?")).await;
        assert!(silence.is_err());
        let connecting = client.timeout(Duration::from_secs(60), client.connect(address(&server)));
        assert!(connecting.await.is_err());
        let late = client.connect(address(&server));
        let start = async {
            sim.sleep(Duration::from_secs(5)).await;
            let server = sim.restart("server");
            server.spawn("echo", echo(server.clone()));
        };
        let (late, ()) = tokio::join!(late, start);
        let mut fresh = late.unwrap();
        let error = stream.write_all(b"still there?").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(ask(&mut fresh, b"back?").await.unwrap(), b"back?");
    });
}

#[test]
fn power_can_go_in_the_middle_of_an_effect() {
    let mut outcomes = std::collections::BTreeSet::new();
    for seed in 0..300 {
        let sim = Sim::new(seed);
        let env = sim.node("a");
        let durable = OpenOptions { dsync: true, ..CREATE };
        let file = env.disk().open(Path::new("/a"), &durable).unwrap();
        env.disk().sync_dir(Path::new("/")).unwrap();
        file.write_all_at(&[1; 1024], 0).unwrap();
        sim.cut_power_at_effect("a", 0);
        env.spawn("writer", async move {
            assert!(file.write_all_at(&[2; 1024], 0).is_err());
            std::future::pending::<()>().await;
        });
        sim.block_on(sim.until_down("a"));
        let left = sim.restart("a").disk().read_file(Path::new("/a"), 2000).unwrap();
        assert_eq!(left.len(), 1024);
        outcomes.insert((left[0], left[1023]));
    }
    assert_eq!(Vec::from_iter(outcomes), [(1, 1), (1, 2), (2, 1), (2, 2)], "torn between sectors");
}

#[test]
fn a_cut_link_holds_what_is_sent_until_it_heals() {
    let sim = Sim::new(5);
    let (server, client) = (sim.node("server"), sim.node("client"));
    server.spawn("echo", echo(server.clone()));
    sim.block_on(async {
        sim.sleep(Duration::from_millis(1)).await;
        let mut stream = client.connect(address(&server)).await.unwrap();
        sim.cut_one_way("server", "client");
        let cut_at = sim.now();
        let heal = async {
            sim.sleep(Duration::from_secs(30)).await;
            sim.heal("server", "client");
        };
        let (answer, ()) = tokio::join!(ask(&mut stream, b"hello"), heal);
        assert_eq!(answer.unwrap(), b"hello");
        assert!(sim.now().since(cut_at) >= Duration::from_secs(30));
        sim.reset_connections("client", "server");
        let error = ask(&mut stream, b"hello").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        sim.cut("server", "client");
        let connect = client.connect(address(&server)).await.err().unwrap();
        assert_eq!(connect.kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn wall_clocks_jump_alone() {
    let sim = Sim::new(6);
    let (a, b) = (sim.node("a"), sim.node("b"));
    let (mono, wall) = (a.now(), a.wall_ms());
    sim.jump_wall_clock("a", -60_000);
    assert_eq!(a.wall_ms(), wall - 60_000);
    assert_eq!(b.wall_ms(), wall);
    assert_eq!(a.now(), mono);
    sim.advance(Duration::from_secs(1));
    a.disk().open(Path::new("/a"), &CREATE).unwrap().write_all_at(b"x", 0).unwrap();
    let modified = a.disk().metadata(Path::new("/a")).unwrap().modified_ms;
    assert_eq!(modified, a.wall_ms());
    assert!((wall - 59_000..wall - 58_990).contains(&modified));
}

#[test]
fn wall_clocks_drift() {
    let sim = Sim::new(6);
    let (a, b) = (sim.node("a"), sim.node("b"));
    sim.set_drift("a", 1_000);
    sim.advance(Duration::from_secs(100));
    let ahead = a.wall_ms() - b.wall_ms();
    assert!((100..=101).contains(&ahead), "{ahead}");
}

#[test]
fn a_paused_machine_does_nothing_until_it_goes_on() {
    let sim = Sim::new(9);
    let (server, client) = (sim.node("server"), sim.node("client"));
    server.spawn("echo", echo(server.clone()));
    sim.block_on(async {
        sim.sleep(Duration::from_millis(1)).await;
        let mut stream = client.connect(address(&server)).await.unwrap();
        sim.pause("server");
        let resume = async {
            sim.sleep(Duration::from_secs(7)).await;
            sim.resume("server");
        };
        let paused_at = sim.now();
        let (answer, ()) = tokio::join!(ask(&mut stream, b"hello"), resume);
        assert_eq!(answer.unwrap(), b"hello");
        assert!(sim.now().since(paused_at) >= Duration::from_secs(7));
        sim.pause("server");
        sim.power_cut("server");
        let server = sim.restart("server");
        server.spawn("echo", echo(server.clone()));
        sim.sleep(Duration::from_millis(1)).await;
        let mut stream = client.connect(address(&server)).await.unwrap();
        assert_eq!(ask(&mut stream, b"again").await.unwrap(), b"again");
    });
}

#[test]
fn one_link_may_be_slow_in_one_direction() {
    let sim = Sim::new(10);
    let (server, client) = (sim.node("server"), sim.node("client"));
    server.spawn("echo", echo(server.clone()));
    sim.block_on(async {
        sim.sleep(Duration::from_millis(1)).await;
        let mut stream = client.connect(address(&server)).await.unwrap();
        let second = Duration::from_secs(1);
        sim.set_link_delay("server", "client", Some((second, second)));
        let asked_at = sim.now();
        ask(&mut stream, b"hello").await.unwrap();
        let took = sim.now().since(asked_at);
        assert!(took >= second && took < 2 * second, "{took:?}");
        sim.set_link_delay("server", "client", None);
        let asked_at = sim.now();
        ask(&mut stream, b"hello").await.unwrap();
        assert!(sim.now().since(asked_at) < second);
    });
}

#[test]
#[should_panic(expected = "steps, no end in sight; spinning on a ran")]
fn a_run_that_spins_is_ended() {
    let sim = Sim::new(1);
    let env = sim.node("a");
    env.spawn("spinning", async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    sim.set_limits(Duration::from_secs(60), 1_000);
    sim.block_on(std::future::pending::<()>());
}

#[test]
#[should_panic(expected = "the time of a run has passed")]
fn a_run_that_waits_for_ever_is_ended() {
    let sim = Sim::new(1);
    let env = sim.node("a");
    env.spawn("waiting", {
        let env = env.clone();
        async move {
            loop {
                env.sleep(Duration::from_secs(1)).await;
            }
        }
    });
    sim.set_limits(Duration::from_secs(60), 1_000);
    sim.block_on(std::future::pending::<()>());
}

#[test]
fn machines_have_names_and_addresses() {
    let sim = Sim::new(7);
    let (a, b) = (sim.node("a"), sim.node("b"));
    sim.block_on(async {
        assert_eq!(a.resolve("b", 1).await.unwrap(), [SocketAddr::new(b.ip(), 1)]);
        assert_eq!(a.resolve("c", 1).await.unwrap_err().kind(), ErrorKind::NotFound);
        let elsewhere = SocketAddr::new(b.ip(), 1);
        assert_eq!(a.listen(elsewhere).await.err().unwrap().kind(), ErrorKind::AddrNotAvailable);
        let local = a.listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let port = local.local_addr().unwrap().port();
        let outside = b.connect(SocketAddr::new(a.ip(), port)).await.err().unwrap();
        assert_eq!(outside.kind(), ErrorKind::ConnectionRefused);
        let nowhere = SocketAddr::from(([192, 0, 2, 1], 1));
        let error = a.connect(nowhere).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::NetworkUnreachable);
    });
}

#[test]
fn a_dropped_world_drops_its_tasks() {
    let kept = Arc::new(());
    let sim = Sim::new(8);
    let env = sim.node("a");
    let (held, own) = (kept.clone(), env.clone());
    env.spawn("holder", async move {
        let _held = (held, own);
        std::future::pending::<()>().await;
    });
    sim.advance(Duration::from_millis(1));
    drop(sim);
    assert_eq!(Arc::strong_count(&kept), 1);
}
