//! What can happen to a client, as data. `S` is a text, or the number a [`crate::History`] knows it by.

/// Where a record lies or is to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place<S> {
    /// The topic's name.
    pub topic: S,
    /// The topic's id; empty if the client named the topic by name only. It then is the id of the
    /// last `topic_created` of that name. Where a topic is deleted and made again, events should
    /// carry the id, or nothing should be under way in between.
    pub id: S,
    /// -1 if the client leaves it to another to choose.
    pub p: i32,
}

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<S> {
    /// Nanoseconds of one clock for all clients.
    pub t: u64,
    /// The client: a producer (one session of it: its order and its promise not to double end with
    /// the session), a consumer, an administrator.
    pub who: S,
    /// What happened.
    pub what: What<S>,
}

/// What happened. Offsets are Kafka's; `since` is when the question was sent, or [`UNKNOWN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What<S> {
    /// `who` never doubles a value and keeps the order in each partition: an idempotent producer.
    Idempotent,
    /// `who` has one request under way at most and never sends again: it keeps the order.
    Ordered,
    /// A value is about to be sent, for the first time. No two sends carry the same value.
    Send { at: Place<S>, v: S },
    /// It was acknowledged, at offset `o` or, if that was not said, -1.
    Ack { at: Place<S>, o: i64, v: S },
    /// No answer, or one that says nothing: it may be there.
    Fail { at: Place<S>, v: S },
    /// An answer that says it is not there and never will be.
    Refused { at: Place<S>, v: S },
    /// A consumer was given this.
    Read { at: Place<S>, o: i64, v: S, since: u64 },
    /// The consumer goes on at another offset of its own will. Without a topic: anywhere.
    Seek { at: Place<S> },
    /// The closing read of everything from the beginning found this.
    Final { at: Place<S>, o: i64, v: S },
    /// The closing read began at offset `start` and found the end at `end`.
    End { at: Place<S>, start: i64, end: i64 },
    /// Offset `o` is about to be committed.
    TryCommit { group: S, at: Place<S>, o: i64 },
    /// The commit was acknowledged.
    Commit { group: S, at: Place<S>, o: i64 },
    /// An offset fetch was answered; -1 means that there is none.
    Committed { group: S, at: Place<S>, o: i64, since: u64 },
    /// The group's offsets may go: it is being deleted, or they are.
    Forget { group: S },
    /// A member owns a partition from now on.
    Assign { group: S, member: S, generation: i64, at: Place<S> },
    /// A member owns it no more.
    Revoke { group: S, member: S, generation: i64, at: Place<S> },
    /// Records below `o` are about to be deleted.
    TryDelete { at: Place<S>, o: i64 },
    /// They are: DeleteRecords was acknowledged.
    Deleted { at: Place<S>, o: i64 },
    /// The topic was made.
    TopicCreated { topic: S, id: S },
    /// The topic is about to be deleted.
    TryDeleteTopic { topic: S, id: S },
    /// The deletion was acknowledged.
    TopicDeleted { topic: S, id: S },
    /// Old records of the topic may go from now on; the last `keep` offsets stay.
    Retention { topic: S, keep: i64 },
    /// Offsets of the topic may have gaps.
    Compacted { topic: S },
    /// The client was told something that no working broker says.
    Wrong { text: S },
}

/// A time that was not written down.
pub const UNKNOWN: u64 = 0;

impl<S> Place<S> {
    /// The same place with other names.
    pub fn map<T>(self, f: &mut impl FnMut(S) -> T) -> Place<T> {
        Place { topic: f(self.topic), id: f(self.id), p: self.p }
    }
}

impl<'a> Place<&'a str> {
    /// A partition of a topic that is only known by its name.
    pub fn named(topic: &'a str, p: i32) -> Place<&'a str> {
        Place { topic, id: "", p }
    }
}

impl<S> What<S> {
    /// The same with other names.
    pub fn map<T>(self, mut f: impl FnMut(S) -> T) -> What<T> {
        let f = &mut f;
        match self {
            What::Idempotent => What::Idempotent,
            What::Ordered => What::Ordered,
            What::Send { at, v } => What::Send { at: at.map(f), v: f(v) },
            What::Ack { at, o, v } => What::Ack { at: at.map(f), o, v: f(v) },
            What::Fail { at, v } => What::Fail { at: at.map(f), v: f(v) },
            What::Refused { at, v } => What::Refused { at: at.map(f), v: f(v) },
            What::Read { at, o, v, since } => What::Read { at: at.map(f), o, v: f(v), since },
            What::Seek { at } => What::Seek { at: at.map(f) },
            What::Final { at, o, v } => What::Final { at: at.map(f), o, v: f(v) },
            What::End { at, start, end } => What::End { at: at.map(f), start, end },
            What::TryCommit { group, at, o } => {
                What::TryCommit { group: f(group), at: at.map(f), o }
            }
            What::Commit { group, at, o } => What::Commit { group: f(group), at: at.map(f), o },
            What::Committed { group, at, o, since } => {
                What::Committed { group: f(group), at: at.map(f), o, since }
            }
            What::Forget { group } => What::Forget { group: f(group) },
            What::Assign { group, member, generation, at } => {
                let (group, member, at) = (f(group), f(member), at.map(f));
                What::Assign { group, member, generation, at }
            }
            What::Revoke { group, member, generation, at } => {
                let (group, member, at) = (f(group), f(member), at.map(f));
                What::Revoke { group, member, generation, at }
            }
            What::TryDelete { at, o } => What::TryDelete { at: at.map(f), o },
            What::Deleted { at, o } => What::Deleted { at: at.map(f), o },
            What::TopicCreated { topic, id } => What::TopicCreated { topic: f(topic), id: f(id) },
            What::TryDeleteTopic { topic, id } => {
                What::TryDeleteTopic { topic: f(topic), id: f(id) }
            }
            What::TopicDeleted { topic, id } => What::TopicDeleted { topic: f(topic), id: f(id) },
            What::Retention { topic, keep } => What::Retention { topic: f(topic), keep },
            What::Compacted { topic } => What::Compacted { topic: f(topic) },
            What::Wrong { text } => What::Wrong { text: f(text) },
        }
    }
}
