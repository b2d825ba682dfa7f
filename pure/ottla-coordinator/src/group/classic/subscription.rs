//! The topics a consumer group is subscribed to, read from its members' own metadata.

use std::collections::BTreeSet;

use ottla_protocol::messages::ConsumerProtocolSubscription;
use ottla_protocol::{DecodeError, Decoder, Message, Str};

use super::group::ClassicGroup;
use super::member::Member;

/// The protocol type of Kafka's consumers.
const CONSUMER: &str = "consumer";

impl ClassicGroup {
    pub(crate) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_ref().is_some_and(|kind| kind == CONSUMER)
    }

    /// Where the subscriptions could not be read, a consumer group counts as subscribed to all.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }
}

/// What all members are subscribed to; none if that cannot be known.
pub(crate) fn subscribed_topics(group: &ClassicGroup) -> Option<BTreeSet<Str>> {
    if !group.uses_consumer_protocol() {
        return None;
    }
    if group.members.is_empty() {
        return Some(BTreeSet::new());
    }
    let protocol = group.protocol.as_ref()?;
    let mut topics = BTreeSet::new();
    for member in group.members.values() {
        topics.extend(topics_of(member, protocol).ok()?.iter().map(Str::detach));
    }
    Some(topics)
}

/// Version 0 is a prefix of every later version, so newer clients are understood too.
fn topics_of(member: &Member, protocol: &str) -> Result<Vec<Str>, DecodeError> {
    let mut decoder = Decoder::new(member.metadata(protocol));
    decoder.i16("version")?;
    Ok(ConsumerProtocolSubscription::decode(&mut decoder, 0)?.topics)
}
