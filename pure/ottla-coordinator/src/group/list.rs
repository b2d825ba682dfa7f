//! ListGroups: every group of the shard, filtered by state and type, both without regard to case.

use ottla_protocol::Str;
use ottla_protocol::messages::list_groups_response::ListedGroup;

use crate::group::classic::{ClassicGroup, State};
use crate::group::hard::Hard;
use crate::group::soft::LiveGroups;

/// The only kind of group here.
const CLASSIC: &str = "classic";

pub(crate) fn list(
    groups: &LiveGroups,
    hard: &Hard,
    states: &[Str],
    types: &[Str],
) -> Vec<ListedGroup> {
    let wanted = |filter: &[Str], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    if !wanted(types, CLASSIC) {
        return Vec::new();
    }
    let at_rest = hard.groups().iter().filter(|(id, _)| !groups.live.contains_key(*id));
    let at_rest = at_rest.map(|(id, metadata)| {
        let state = if metadata.members.is_empty() { State::Empty } else { State::Stable };
        (id, state, metadata.protocol_type.as_ref())
    });
    let live = groups.live.iter();
    let live = live.map(|(id, g): (_, &ClassicGroup)| (id, g.state(), g.protocol_type.as_ref()));
    at_rest
        .chain(live)
        .filter(|(_, state, _)| wanted(states, state.name()))
        .map(|(id, state, protocol_type)| ListedGroup {
            group_id: id.clone(),
            protocol_type: protocol_type.cloned().unwrap_or_default(),
            group_state: Str::from(state.name()),
            group_type: Str::from(CLASSIC),
            ..Default::default()
        })
        .collect()
}
