//! Events as JSON, one object a line: `{"t":17,"who":"p1","ev":"send","topic":"t","p":0,"v":"p1:1"}`.
//!
//! | `ev` | fields |
//! | --- | --- |
//! | `idempotent`, `ordered` | |
//! | `send`, `fail`, `refused` | topic, p (may be absent), id (may be absent, here and below), v |
//! | `ack` | topic, p, o (may be absent), v |
//! | `read` | topic, p, o, v, since (may be absent) |
//! | `seek` | topic, p (both may be absent) |
//! | `final` | topic, p, o, v |
//! | `end` | topic, p, start, o |
//! | `try_commit`, `commit` | group, topic, p, o |
//! | `committed` | group, topic, p, o (absent: none), since (may be absent) |
//! | `forget` | group |
//! | `assign`, `revoke` | group, member, generation, topic, p |
//! | `try_delete`, `deleted` | topic, p, o |
//! | `topic_created`, `try_delete_topic`, `topic_deleted` | topic, id |
//! | `retention` | topic, keep (may be absent) |
//! | `compacted` | topic |
//! | `wrong` | text |

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::{Event, Place, UNKNOWN, What};
use crate::history::History;

type Text<'a> = Option<Cow<'a, str>>;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    t: u64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    who: Text<'a>,
    #[serde(borrow)]
    ev: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    topic: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    id: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    o: Option<i64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    v: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<i64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    group: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    member: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep: Option<i64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    text: Text<'a>,
}

/// A line that is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError(String);

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LineError {}

impl History {
    /// Adds the event of one line; a blank line is none.
    ///
    /// # Errors
    /// If the line is no event; nothing is added then.
    pub fn push_line(&mut self, line: &str) -> Result<(), LineError> {
        if line.trim().is_empty() {
            return Ok(());
        }
        let line: Line<'_> = serde_json::from_str(line).map_err(|e| LineError(e.to_string()))?;
        let what = line.what()?;
        self.push(&Event { t: line.t, who: line.who.as_deref().unwrap_or(""), what });
        Ok(())
    }
}

impl Line<'_> {
    fn what(&self) -> Result<What<&str>, LineError> {
        let what = match &*self.ev {
            "idempotent" => What::Idempotent,
            "ordered" => What::Ordered,
            "send" => What::Send { at: self.place()?, v: self.v()? },
            "ack" => What::Ack { at: self.place()?, o: self.o.unwrap_or(-1), v: self.v()? },
            "fail" => What::Fail { at: self.place()?, v: self.v()? },
            "refused" => What::Refused { at: self.place()?, v: self.v()? },
            "read" => {
                What::Read { at: self.place()?, o: self.o()?, v: self.v()?, since: self.since() }
            }
            "seek" => What::Seek { at: self.anywhere() },
            "final" => What::Final { at: self.place()?, o: self.o()?, v: self.v()? },
            "end" => {
                What::End { at: self.place()?, start: self.start.unwrap_or(0), end: self.o()? }
            }
            "try_commit" => {
                What::TryCommit { group: self.group()?, at: self.place()?, o: self.o()? }
            }
            "commit" => What::Commit { group: self.group()?, at: self.place()?, o: self.o()? },
            "committed" => {
                let (group, at, o) = (self.group()?, self.place()?, self.o.unwrap_or(-1));
                What::Committed { group, at, o, since: self.since() }
            }
            "forget" => What::Forget { group: self.group()? },
            "assign" | "revoke" => {
                let (group, at) = (self.group()?, self.place()?);
                let member = self.text(&self.member, "member")?;
                let generation = self.generation.unwrap_or(-1);
                match &*self.ev {
                    "assign" => What::Assign { group, member, generation, at },
                    _ => What::Revoke { group, member, generation, at },
                }
            }
            "try_delete" => What::TryDelete { at: self.place()?, o: self.o()? },
            "deleted" => What::Deleted { at: self.place()?, o: self.o()? },
            "topic_created" => What::TopicCreated { topic: self.topic()?, id: self.id() },
            "try_delete_topic" => What::TryDeleteTopic { topic: self.topic()?, id: self.id() },
            "topic_deleted" => What::TopicDeleted { topic: self.topic()?, id: self.id() },
            "retention" => What::Retention { topic: self.topic()?, keep: self.keep.unwrap_or(0) },
            "compacted" => What::Compacted { topic: self.topic()? },
            "wrong" => What::Wrong { text: self.text(&self.text, "text")? },
            other => return Err(LineError(format!("no event is called {other:?}"))),
        };
        Ok(what)
    }

    fn text<'b>(&self, field: &'b Text<'_>, name: &str) -> Result<&'b str, LineError> {
        field.as_deref().ok_or_else(|| self.missing(name))
    }
    fn missing(&self, name: &str) -> LineError {
        LineError(format!("{:?} at t {} wants {name:?}", self.ev, self.t))
    }
    fn topic(&self) -> Result<&str, LineError> {
        self.text(&self.topic, "topic")
    }
    fn group(&self) -> Result<&str, LineError> {
        self.text(&self.group, "group")
    }
    fn v(&self) -> Result<&str, LineError> {
        self.text(&self.v, "v")
    }
    fn o(&self) -> Result<i64, LineError> {
        self.o.ok_or_else(|| self.missing("o"))
    }
    fn id(&self) -> &str {
        self.id.as_deref().unwrap_or("")
    }
    fn since(&self) -> u64 {
        self.since.unwrap_or(UNKNOWN)
    }
    fn place(&self) -> Result<Place<&str>, LineError> {
        Ok(Place { topic: self.topic()?, id: self.id(), p: self.p.unwrap_or(-1) })
    }
    fn anywhere(&self) -> Place<&str> {
        let topic = self.topic.as_deref().unwrap_or("");
        Place { topic, id: self.id(), p: self.p.unwrap_or(-1) }
    }
}

/// The line of an event, without its end.
pub fn line(event: &Event<&str>) -> String {
    let mut line = Line { t: event.t, who: Some(event.who.into()), ..Line::default() };
    describe(&mut line, event.what);
    serde_json::to_string(&line).unwrap_or_default()
}

fn describe<'a>(line: &mut Line<'a>, what: What<&'a str>) {
    let ev = match what {
        What::Idempotent => "idempotent",
        What::Ordered => "ordered",
        What::Send { at, v } => value(line, "send", at, v),
        What::Fail { at, v } => value(line, "fail", at, v),
        What::Refused { at, v } => value(line, "refused", at, v),
        What::Ack { at, o, v } => {
            line.o = (o >= 0).then_some(o);
            value(line, "ack", at, v)
        }
        What::Read { at, o, v, since } => {
            (line.o, line.since) = (Some(o), (since != UNKNOWN).then_some(since));
            value(line, "read", at, v)
        }
        What::Final { at, o, v } => {
            line.o = Some(o);
            value(line, "final", at, v)
        }
        What::Seek { at } => place(line, "seek", at),
        What::End { at, start, end } => {
            (line.start, line.o) = (Some(start), Some(end));
            place(line, "end", at)
        }
        What::TryCommit { group, at, o } => offset(line, "try_commit", Some(group), at, o),
        What::Commit { group, at, o } => offset(line, "commit", Some(group), at, o),
        What::Committed { group, at, o, since } => {
            line.since = (since != UNKNOWN).then_some(since);
            offset(line, "committed", Some(group), at, o)
        }
        What::TryDelete { at, o } => offset(line, "try_delete", None, at, o),
        What::Deleted { at, o } => offset(line, "deleted", None, at, o),
        What::Forget { group } => {
            line.group = Some(group.into());
            "forget"
        }
        What::Assign { group, member, generation, at } => {
            owner(line, "assign", group, member, generation, at)
        }
        What::Revoke { group, member, generation, at } => {
            owner(line, "revoke", group, member, generation, at)
        }
        What::TopicCreated { topic, id } => {
            place(line, "topic_created", Place { topic, id, p: -1 })
        }
        What::TryDeleteTopic { topic, id } => {
            place(line, "try_delete_topic", Place { topic, id, p: -1 })
        }
        What::TopicDeleted { topic, id } => {
            place(line, "topic_deleted", Place { topic, id, p: -1 })
        }
        What::Retention { topic, keep } => {
            line.keep = Some(keep);
            place(line, "retention", Place { topic, id: "", p: -1 })
        }
        What::Compacted { topic } => place(line, "compacted", Place { topic, id: "", p: -1 }),
        What::Wrong { text } => {
            line.text = Some(text.into());
            "wrong"
        }
    };
    line.ev = ev.into();
}

fn place<'a>(line: &mut Line<'a>, ev: &'static str, at: Place<&'a str>) -> &'static str {
    line.topic = (!at.topic.is_empty()).then_some(at.topic.into());
    line.id = (!at.id.is_empty()).then_some(at.id.into());
    line.p = (at.p >= 0).then_some(at.p);
    ev
}

fn value<'a>(
    line: &mut Line<'a>,
    ev: &'static str,
    at: Place<&'a str>,
    v: &'a str,
) -> &'static str {
    line.v = Some(v.into());
    place(line, ev, at)
}

fn offset<'a>(
    line: &mut Line<'a>,
    ev: &'static str,
    group: Option<&'a str>,
    at: Place<&'a str>,
    o: i64,
) -> &'static str {
    line.group = group.map(Cow::from);
    line.o = Some(o);
    place(line, ev, at)
}

fn owner<'a>(
    line: &mut Line<'a>,
    ev: &'static str,
    group: &'a str,
    member: &'a str,
    generation: i64,
    at: Place<&'a str>,
) -> &'static str {
    (line.group, line.member) = (Some(group.into()), Some(member.into()));
    line.generation = Some(generation);
    place(line, ev, at)
}
