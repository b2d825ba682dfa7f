//! Waits between retries: doubling, with a random part, bounded by a deadline.

use std::time::Duration;

use ottla_env::{Env, MonoTime};

use crate::error::{Error, Result};
use crate::options::ClientOptions;

/// The retries of one call.
pub(crate) struct Backoff<'a, E> {
    env: &'a E,
    next: Duration,
    longest: Duration,
    deadline: MonoTime,
}

impl<'a, E: Env> Backoff<'a, E> {
    /// Retries for as long as `limit`.
    pub(crate) fn new(env: &'a E, options: &ClientOptions, limit: Duration) -> Backoff<'a, E> {
        Backoff {
            env,
            next: options.retry_backoff,
            longest: options.retry_backoff_max,
            deadline: env.now() + limit,
        }
    }

    /// Waits, if `error` is worth another try and there is time for one.
    ///
    /// # Errors
    /// `error` itself, if not.
    pub(crate) async fn wait(&mut self, error: Error) -> Result<()> {
        let left = self.deadline - self.env.now();
        if !error.is_retriable() || left.is_zero() {
            return Err(error);
        }
        let jittered = self.next.mul_f64(0.8 + 0.4 * unit(self.env.random_u64()));
        self.env.sleep(jittered.min(left)).await;
        self.next = (self.next * 2).min(self.longest);
        Ok(())
    }
}

/// A number from 0 up to 1.
fn unit(random: u64) -> f64 {
    (random >> 11) as f64 / (1u64 << 53) as f64
}
