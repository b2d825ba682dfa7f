//! Classic groups: the members choose an assignment, the coordinator only keeps them in step.
//!
//! ```text
//!            first member joins            all joined, or time is up        leader's SyncGroup
//!   Empty ──────────────────► PreparingRebalance ──────────────► CompletingRebalance ─────► Stable
//!     ▲                          │   ▲    ▲                              │                    │
//!     └──────── nobody joined ───┘   │    └─ member joins, leaves, dies ─┘                    │
//!                                    └─ member joins anew, leaves, dies; leader joins again ──┘
//! ```

mod group;
mod member;
mod state;

mod complete_join;
mod expire;
mod heartbeat;
pub(crate) mod join;
mod leave;
mod rebalance;
mod static_member;
mod subscription;
pub(crate) mod sync;
mod validate;

pub use group::ClassicGroup;
pub use member::{Member, Protocol};
pub use state::State;
