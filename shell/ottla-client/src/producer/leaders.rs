//! Asks who leads what is to be sent; never more than once at a time for a topic.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::Str;

use super::Shared;

/// Asks for the leaders in the background; the batches stay where they are meanwhile.
pub(super) fn look_for_leaders<E: Env>(shared: &Arc<Shared<E>>, mut topics: Vec<Str>) {
    {
        let mut looking = shared.looking.lock();
        topics.retain(|topic| looking.insert(topic.clone()));
    }
    if topics.is_empty() {
        return;
    }
    let asking = shared.clone();
    let task = async move {
        let _ = asking.client.ask_metadata(Some(&topics), false).await;
        asking.looking.lock().retain(|topic| !topics.contains(topic));
        asking.wake.notify_one();
    };
    drop(shared.client.env().spawn("producer-metadata", task));
}
