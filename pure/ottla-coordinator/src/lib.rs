//! Group coordination as a replicated machine.
