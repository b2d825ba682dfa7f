//! Plays one script against one broker and tells what came back, step by step. Compares nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ottla_protocol::ApiKey;
use ottla_protocol::json::{Map, Value};

use crate::batch;
use crate::codec;
use crate::connection::{Connection, Received};
use crate::script::{Script, Step, Topic};
use crate::venue::Venue;

/// Stands in scripts and answers for the run's own prefix of names.
const NAME_MARK: char = '~';
const MAIN: &str = "main";
/// How long a step's `until` may take to become true.
const UNTIL_MAX: Duration = Duration::from_secs(15);
/// In a cluster a node may have to be missed first, and Kafka's takes long to start.
const CLUSTER_UNTIL_MAX: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(5);

/// One script's world at one broker.
struct Stage<'a> {
    venue: &'a Venue,
    /// The prefix of this run's names.
    token: String,
    connections: BTreeMap<String, Connection>,
    variables: BTreeMap<String, Value>,
    /// Requests whose answers are awaited: connection, correlation id, API, version.
    pending: BTreeMap<String, (String, i32, ApiKey, i16)>,
    /// Frames that came while another was awaited.
    early: BTreeMap<(String, i32), Bytes>,
}

/// What came back for each step; an error where the script itself cannot be played.
pub(crate) fn play(script: &Script, venue: &Venue, token: &str) -> Result<Vec<Value>, String> {
    let mut stage = Stage {
        venue,
        token: token.to_owned(),
        connections: BTreeMap::new(),
        variables: BTreeMap::new(),
        pending: BTreeMap::new(),
        early: BTreeMap::new(),
    };
    for (name, topic) in &script.topics {
        stage.make_topic(name, topic)?;
    }
    let steps = script.steps.iter().enumerate();
    let outcomes: Result<Vec<Value>, String> = steps
        .map(|(i, step)| stage.step(script, step).map_err(|error| format!("step {i}: {error}")))
        .collect();
    if script.steps.iter().any(|step| step.order.is_some()) {
        // Whatever became of it, the next script finds a cluster that is whole.
        stage.connections.clear();
        venue.order("settle")?;
    }
    let outcomes = outcomes?;
    stage.remove_topics(script);
    Ok(outcomes)
}

impl Stage<'_> {
    fn step(&mut self, script: &Script, step: &Step) -> Result<Value, String> {
        if let Some(label) = &step.awaits {
            let (on, id, key, version) =
                self.pending.remove(label).ok_or_else(|| format!("nothing is called {label}"))?;
            let outcome = self.answer(&on, id, key, version)?;
            return self.finish(step, key, outcome);
        }
        if let Some(order) = &step.order {
            self.venue.order(order)?;
            return Ok(said("order", Value::Bool(true)));
        }
        let on = step.on.as_deref().unwrap_or(MAIN).to_owned();
        let on = step.node.map_or(on.clone(), |node| format!("{on}@{node}"));
        if let Some(raw) = &step.raw {
            return self.raw(&on, step, raw);
        }
        let (code, key, version) = self.target(script, step)?;
        let start = Instant::now();
        loop {
            let id = self.send(&on, step, code, key, version)?;
            if let Some(label) = &step.later {
                let key = key.ok_or("only a known API can be awaited")?;
                self.pending.insert(label.clone(), (on, id, key, version));
                return Ok(said("sent", Value::Bool(true)));
            }
            if step.mute {
                return Ok(said("sent", Value::Bool(true)));
            }
            let known = key.unwrap_or(ApiKey::ApiVersions);
            let outcome = self.answer(&on, id, known, version)?;
            let answer = outcome.get(known.name()).cloned().unwrap_or(Value::Null);
            let holds = |(at, wanted): (&String, &Value)| {
                answer.pointer(at).is_some_and(|found| are_same(found, wanted))
            };
            if step.until.iter().all(holds) {
                return self.finish(step, known, outcome);
            }
            if start.elapsed() > self.patience() {
                return Err(format!("never became {:?}: {answer}", step.until));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The API by number, by key where it exists, and the version.
    fn target(&self, script: &Script, step: &Step) -> Result<(i16, Option<ApiKey>, i16), String> {
        if let Some(code) = step.key {
            return Ok((code, ApiKey::from_i16(code), step.version.unwrap_or(0)));
        }
        let name = step.send.as_ref().ok_or("the step does nothing")?;
        let key = codec::api(name).ok_or_else(|| format!("no API {name}"))?;
        let version = match (step.version, script.subject) {
            (Some(version), _) => version,
            (None, Some((subject, version))) if subject == key => version,
            _ => *codec::served(key).end(),
        };
        Ok((key.code(), Some(key), version))
    }

    fn send(
        &mut self,
        on: &str,
        step: &Step,
        code: i16,
        key: Option<ApiKey>,
        version: i16,
    ) -> Result<i32, String> {
        let mut body = match (&step.hex, key) {
            (Some(hex), _) => batch::unhex(hex)?,
            (None, Some(key)) => {
                let body = match &step.body {
                    Value::Null => Value::Object(Map::new()),
                    body => self.fill_in(body)?,
                };
                codec::request(key, version, &body)?.to_vec()
            }
            (None, None) => Vec::new(),
        };
        body.extend(batch::unhex(&step.tail)?);
        let client = step.client.clone().unwrap_or_else(|| "differential".to_owned());
        let connection = self.connection(on)?;
        connection.correlation_id += 1;
        let id = connection.correlation_id;
        let mut frame = codec::header(code, version, id, &client);
        frame.extend(body);
        connection.send(&frame);
        Ok(id)
    }

    fn raw(&mut self, on: &str, step: &Step, raw: &str) -> Result<Value, String> {
        let bytes = batch::unhex(raw)?;
        let connection = self.connection(on)?;
        match step.framed {
            true => connection.send(&bytes),
            false => connection.send_raw(&bytes),
        }
        if step.half_close {
            connection.half_close();
        }
        if step.mute {
            return Ok(said("sent", Value::Bool(true)));
        }
        let received = connection.receive();
        Ok(match received {
            Received::Frame(frame) => {
                let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
                said("frame", hex.into())
            }
            other => self.lost(on, &other),
        })
    }

    /// Waits for the answer with this correlation id, putting others aside.
    fn answer(&mut self, on: &str, id: i32, key: ApiKey, version: i16) -> Result<Value, String> {
        let frame = loop {
            if let Some(frame) = self.early.remove(&(on.to_owned(), id)) {
                break frame;
            }
            match self.connection(on)?.receive() {
                Received::Frame(frame) => {
                    let Some(head) = frame.first_chunk::<4>() else {
                        return Ok(said("frame", "".into()));
                    };
                    self.early.insert((on.to_owned(), i32::from_be_bytes(*head)), frame);
                }
                other => return Ok(self.lost(on, &other)),
            }
        };
        // Whatever version was asked for, one that is not served is answered in version 0.
        let known = if codec::served(key).contains(&version) { version } else { 0 };
        let body = codec::strip_header(key, known, frame)?;
        let answer = codec::response(key, known, body.clone());
        let answer = match (answer, key) {
            (Err(_), ApiKey::ApiVersions) => codec::response(key, 0, body),
            (answer, _) => answer,
        };
        Ok(match answer {
            Ok(answer) => said(key.name(), answer),
            Err(error) => said("undecodable", error.into()),
        })
    }

    fn lost(&mut self, on: &str, received: &Received) -> Value {
        self.connections.remove(on);
        match received {
            Received::Silence => said("silence", Value::Bool(true)),
            _ => said("closed", Value::Bool(true)),
        }
    }

    /// Takes variables out of the answer and the run's own names off it.
    fn finish(&mut self, step: &Step, key: ApiKey, mut outcome: Value) -> Result<Value, String> {
        let answer = outcome.get(key.name());
        for (name, at) in &step.capture {
            let value = answer.and_then(|answer| answer.pointer(at)).cloned();
            let value = value.ok_or_else(|| format!("no {at} to capture as {name}: {outcome}"))?;
            self.variables.insert(name.clone(), value);
        }
        if let (Some(at), Some(answer)) = (&step.mine, outcome.get_mut(key.name()))
            && let Some(Value::Array(list)) = answer.pointer_mut(at)
        {
            list.retain(|element| element.to_string().contains(&self.token));
        }
        if step.quiet {
            return Ok(said("quiet", Value::Bool(true)));
        }
        Ok(self.anonymous(outcome))
    }

    fn connection(&mut self, on: &str) -> Result<&mut Connection, String> {
        if !self.connections.contains_key(on) {
            let node = on.rsplit_once('@').and_then(|(_, node)| node.parse().ok()).unwrap_or(1);
            let address = self.venue.address(node)?;
            self.connections.insert(on.to_owned(), Connection::open(address)?);
        }
        self.connections.get_mut(on).ok_or_else(|| "no connection".to_owned())
    }

    /// Puts names, variables and batches into a body.
    fn fill_in(&self, body: &Value) -> Result<Value, String> {
        Ok(match body {
            Value::String(text) => match text.strip_prefix('$') {
                Some(name) => {
                    let value = self.variables.get(name).cloned();
                    value.ok_or_else(|| format!("no variable {name}"))?
                }
                None => text.replace(NAME_MARK, &self.token).into(),
            },
            Value::Array(values) => {
                values.iter().map(|value| self.fill_in(value)).collect::<Result<_, _>>()?
            }
            Value::Object(fields) => {
                let mut filled = Map::new();
                for (name, value) in fields {
                    let mut value = self.fill_in(value)?;
                    if let ("records", Value::Array(batches)) = (name.as_str(), &value) {
                        value = batch::base64(&batch::build(batches)?);
                    }
                    filled.insert(name.clone(), value);
                }
                Value::Object(filled)
            }
            other => other.clone(),
        })
    }

    /// The reverse of [`Self::fill_in`]: what another run would show as well.
    fn anonymous(&self, value: Value) -> Value {
        match value {
            Value::String(text) => {
                let known = self.variables.iter().find(|(_, known)| known.as_str() == Some(&text));
                match known {
                    Some((name, _)) if !text.is_empty() => format!("${name}").into(),
                    _ => text.replace(&self.token, "~").into(),
                }
            }
            Value::Array(values) => values.into_iter().map(|v| self.anonymous(v)).collect(),
            Value::Object(fields) => {
                let shown = |(name, value): (String, Value)| {
                    let records = match name.as_str() {
                        "records" => batch::from_base64(&value),
                        _ => None,
                    };
                    match records {
                        Some(bytes) => (name, batch::describe(&bytes)),
                        None => (name, self.anonymous(value)),
                    }
                };
                Value::Object(fields.into_iter().map(shown).collect())
            }
            other => other,
        }
    }

    fn make_topic(&mut self, name: &str, topic: &Topic) -> Result<(), String> {
        let mut configs = topic.configs.clone();
        // Scripts write records of a fixed time, which must not age away.
        configs.entry("retention.ms".to_owned()).or_insert_with(|| "-1".to_owned());
        let configs: Vec<Value> = configs
            .iter()
            .map(|(name, value)| serde_json::json!({"name": name, "value": value}))
            .collect();
        let assignments: Vec<Value> = (0i32..)
            .zip(&topic.assignments)
            .map(|(i, ids)| serde_json::json!({"partitionIndex": i, "brokerIds": ids}))
            .collect();
        let (partitions, factor) = match assignments.is_empty() {
            true => (topic.partitions, 1),
            false => (-1, -1),
        };
        let body = serde_json::json!({"timeoutMs": 10_000, "topics": [{
            "name": format!("~{name}"), "numPartitions": partitions, "replicationFactor": factor,
            "configs": configs, "assignments": assignments}]});
        let made = self.call(ApiKey::CreateTopics, body)?;
        if made.pointer("/topics/0/errorCode") != Some(&0.into()) {
            return Err(format!("cannot make topic {name}: {made}"));
        }
        let id = made.pointer("/topics/0/topicId").cloned().unwrap_or(Value::Null);
        self.variables.insert(format!("id.{name}"), id);
        if self.venue.is_cluster() {
            return self.await_topic(name);
        }
        let partitions: Vec<Value> = (0..topic.partitions)
            .map(|i| serde_json::json!({"partitionIndex": i, "currentLeaderEpoch": -1, "timestamp": -1}))
            .collect();
        let body = serde_json::json!({"replicaId": -1, "topics": [{
            "name": format!("~{name}"), "partitions": partitions}]});
        let start = Instant::now();
        loop {
            let listed = self.call(ApiKey::ListOffsets, body.clone())?;
            let partitions = listed.pointer("/topics/0/partitions").and_then(Value::as_array);
            let led = |list: &Vec<Value>| list.iter().all(|p| p["errorCode"] == 0);
            if partitions.is_some_and(led) {
                return Ok(());
            }
            if start.elapsed() > UNTIL_MAX {
                return Err(format!("topic {name} has no leader: {listed}"));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Until every node knows of a topic.
    fn await_topic(&mut self, name: &str) -> Result<(), String> {
        let body = serde_json::json!({"topics": [{"name": format!("~{name}")}],
            "allowAutoTopicCreation": false});
        for node in 1..=self.venue.nodes() {
            let step = Step {
                send: Some("Metadata".to_owned()),
                version: Some(9),
                node: Some(node),
                body: body.clone(),
                until: BTreeMap::from([("/topics/0/errorCode".to_owned(), 0.into())]),
                ..Step::default()
            };
            let script = Script {
                name: String::new(),
                subject: None,
                topics: BTreeMap::new(),
                steps: Vec::new(),
            };
            self.step(&script, &step)?;
        }
        Ok(())
    }

    fn patience(&self) -> Duration {
        if self.venue.is_cluster() { CLUSTER_UNTIL_MAX } else { UNTIL_MAX }
    }

    /// Leaves the broker as light as it was; what goes wrong here is no script's matter.
    fn remove_topics(&mut self, script: &Script) {
        let names: Vec<Value> = script
            .topics
            .keys()
            .map(|name| serde_json::json!({"name": format!("~{name}"), "topicId": "AAAAAAAAAAAAAAAAAAAAAA"}))
            .collect();
        if !names.is_empty() {
            let body = serde_json::json!({"topics": names, "timeoutMs": 10_000});
            let _ = self.call(ApiKey::DeleteTopics, body);
        }
    }

    fn call(&mut self, key: ApiKey, body: Value) -> Result<Value, String> {
        let step = Step { body, ..Step::default() };
        let version = *codec::served(key).end();
        let id = self.send("stage", &step, key.code(), Some(key), version)?;
        let outcome = self.answer("stage", id, key, version)?;
        Ok(outcome.get(key.name()).cloned().unwrap_or(outcome))
    }
}

/// Whether a step's `until` is true: lists are waited for in any order.
fn are_same(found: &Value, wanted: &Value) -> bool {
    let sorted = |list: &[Value]| {
        let mut list: Vec<String> = list.iter().map(Value::to_string).collect();
        list.sort_unstable();
        list
    };
    match (found, wanted) {
        (Value::Array(found), Value::Array(wanted)) => sorted(found) == sorted(wanted),
        (found, wanted) => found == wanted,
    }
}

fn said(what: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(what.to_owned(), value)]))
}
