//! Goal: records go when their time is over, and not before, with nothing else going on.

use std::path::Path;
use std::time::Duration;

use ottla_env::Env;
use ottla_env::sim::Sim;
use ottla_log::{AppendOptions, DataDir, DataDirOptions, LogConfig};

use crate::world::{batch, config, id, small};

#[test]
fn an_idle_log_expires() {
    let sim = Sim::new(7);
    let env = sim.node("n");
    sim.block_on(async move {
        let options = DataDirOptions { retention_check_ms: 1000, ..small(Path::new("/data")) };
        let (dir, _) = DataDir::open(env.clone(), options).unwrap();
        let config = LogConfig { retention_ms: 60_000, ..config() };
        let partition = dir.create_partition(&id("t", 1, 0), config).unwrap();
        let now_ms = env.wall_ms();
        partition.append(batch(&[b"old"], now_ms), &AppendOptions::client(0, now_ms)).unwrap();
        env.sleep(Duration::from_secs(50)).await;
        assert_eq!((partition.offsets().log_start, partition.offsets().log_end), (0, 1));
        env.sleep(Duration::from_secs(30)).await;
        assert_eq!((partition.offsets().log_start, partition.offsets().log_end), (1, 1));

        // A new setting is looked at soon, too.
        let now_ms = env.wall_ms();
        partition.append(batch(&[b"new"], now_ms), &AppendOptions::client(0, now_ms)).unwrap();
        env.sleep(Duration::from_secs(20)).await;
        assert_eq!((partition.offsets().log_start, partition.offsets().log_end), (1, 2));
        partition.set_config(LogConfig { retention_ms: 10_000, ..LogConfig::default() });
        env.sleep(Duration::from_secs(5)).await;
        assert_eq!((partition.offsets().log_start, partition.offsets().log_end), (2, 2));
    });
}
