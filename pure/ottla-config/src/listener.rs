//! Listeners: where a node listens, what it tells clients, and Kafka's rules for both. Opens no
//! socket and looks up no name.

use std::collections::BTreeMap;
use std::fmt;

use crate::address::is_wildcard;

/// How a connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityProtocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl SecurityProtocol {
    pub fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => Some(SecurityProtocol::Plaintext),
            "SSL" => Some(SecurityProtocol::Ssl),
            "SASL_PLAINTEXT" => Some(SecurityProtocol::SaslPlaintext),
            "SASL_SSL" => Some(SecurityProtocol::SaslSsl),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            SecurityProtocol::Plaintext => "PLAINTEXT",
            SecurityProtocol::Ssl => "SSL",
            SecurityProtocol::SaslPlaintext => "SASL_PLAINTEXT",
            SecurityProtocol::SaslSsl => "SASL_SSL",
        }
    }

    /// The number that registrations of brokers and controllers carry.
    pub fn id(self) -> i16 {
        self as i16
    }
}

/// What clients of a listener are told to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advertised {
    /// The address the client reached this node by.
    Auto,
    At {
        host: String,
        port: u16,
    },
}

/// One listener of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    pub name: String,
    /// Empty for every interface; an IPv6 address stands without brackets.
    pub host: String,
    /// 0 takes a free port.
    pub port: u16,
    pub protocol: SecurityProtocol,
    pub advertised: Advertised,
    /// Named in controller.listener.names: clients are never told about it.
    pub is_controller: bool,
}

/// The texts that listeners are made of.
pub(crate) struct ListenerTexts<'a> {
    pub(crate) listeners: &'a [String],
    /// Nothing where each client is told the address it used.
    pub(crate) advertised: Option<&'a [String]>,
    pub(crate) protocol_map: &'a [String],
    /// Whether somebody wrote the map; if not, controller listeners are plain.
    pub(crate) protocol_map_set: bool,
    pub(crate) controller_names: &'a [String],
}

/// A key and what is wrong with its value.
pub(crate) type Fault = (&'static str, String);

const LISTENERS: &str = "listeners";
const ADVERTISED: &str = "advertised.listeners";
const MAP: &str = "listener.security.protocol.map";

/// All listeners, or everything that is wrong with them.
pub(crate) fn listeners(texts: &ListenerTexts<'_>) -> Result<Vec<Listener>, Vec<Fault>> {
    let mut faults = Vec::new();
    let map = protocol_map(texts.protocol_map, &mut faults);
    let bound = end_points(LISTENERS, texts.listeners, &mut faults);
    let told = end_points(ADVERTISED, texts.advertised.unwrap_or(&[]), &mut faults);
    if texts.listeners.is_empty() {
        faults.push((LISTENERS, "at least one listener is needed".into()));
    }
    refuse_repeats(texts.listeners, &bound, &mut faults);
    refuse_bad_advertised(&bound, &told, &mut faults);
    let listeners = bound.iter().filter_map(|end_point| {
        let protocol = protocol_of(&end_point.name, &map, texts);
        if protocol.is_none() {
            faults.push((
                LISTENERS,
                format!("No security protocol defined for listener {}", end_point.name),
            ));
        }
        Some(listener(end_point, protocol?, &told, texts))
    });
    let listeners: Vec<Listener> = listeners.collect();
    if faults.is_empty() { Ok(listeners) } else { Err(faults) }
}

fn listener(
    bound: &EndPoint,
    protocol: SecurityProtocol,
    told: &[EndPoint],
    texts: &ListenerTexts<'_>,
) -> Listener {
    let said = told.iter().find(|end_point| end_point.name == bound.name);
    let is_controller = texts.controller_names.contains(&bound.name);
    // Users advertise what clients use, and leave the controller's listener out.
    let is_own = texts.advertised.is_none() || is_controller || said.is_some();
    let advertised = match said {
        Some(said) if !said.host.is_empty() => {
            Advertised::At { host: said.host.clone(), port: said.port }
        }
        _ if is_own && !is_wildcard(&bound.host) && bound.port != 0 => {
            Advertised::At { host: bound.host.clone(), port: bound.port }
        }
        _ => Advertised::Auto,
    };
    Listener {
        name: bound.name.clone(),
        host: bound.host.clone(),
        port: bound.port,
        protocol,
        advertised,
        is_controller,
    }
}

fn protocol_of(
    name: &str,
    map: &BTreeMap<String, SecurityProtocol>,
    texts: &ListenerTexts<'_>,
) -> Option<SecurityProtocol> {
    let is_controller = || texts.controller_names.iter().any(|controller| controller == name);
    let implied =
        || (!texts.protocol_map_set && is_controller()).then_some(SecurityProtocol::Plaintext);
    map.get(name).copied().or_else(implied)
}

/// NAME://host:port.
struct EndPoint {
    name: String,
    host: String,
    port: u16,
}

impl fmt::Display for EndPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.name, self.host, self.port)
    }
}

fn end_points(key: &'static str, texts: &[String], faults: &mut Vec<Fault>) -> Vec<EndPoint> {
    let parsed = texts.iter().filter_map(|text| {
        let end_point = end_point(text);
        if end_point.is_none() {
            let expected = "expected NAME://host:port, for example PLAINTEXT://localhost:9092";
            faults.push((key, format!("Unable to parse {text} to a broker endpoint: {expected}")));
        }
        end_point
    });
    parsed.collect()
}

fn end_point(text: &str) -> Option<EndPoint> {
    let (name, address) = text.split_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let host_character = |c: char| word(c) || ":%".contains(c);
    if name.is_empty() || !name.chars().all(word) || !bare.chars().all(host_character) {
        return None;
    }
    Some(EndPoint { name: name.to_ascii_uppercase(), host: bare.into(), port: port.parse().ok()? })
}

fn protocol_map(texts: &[String], faults: &mut Vec<Fault>) -> BTreeMap<String, SecurityProtocol> {
    let mut map = BTreeMap::new();
    for text in texts {
        let parsed = text.split_once(':').and_then(|(name, word)| {
            Some((name.trim().to_ascii_uppercase(), SecurityProtocol::parse(word.trim())?))
        });
        match parsed {
            Some((name, protocol)) => {
                if map.insert(name, protocol).is_some() {
                    faults.push((MAP, format!("{text} names a listener a second time")));
                }
            }
            None => faults.push((
                MAP,
                format!(
                    "{text} is not NAME:PROTOCOL with PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
                ),
            )),
        }
    }
    map
}

fn refuse_repeats(texts: &[String], bound: &[EndPoint], faults: &mut Vec<Fault>) {
    let whole = texts.join(",");
    let earlier = |at: usize| bound[..at].iter();
    if (0..bound.len()).any(|at| earlier(at).any(|other| other.name == bound[at].name)) {
        let fault = format!("Each listener must have a different name, listeners: {whole}");
        faults.push((LISTENERS, fault));
    }
    // An IPv4 and an IPv6 address may share a port: they are two sockets.
    let same_port = |at: usize| {
        earlier(at).any(|other| {
            other.port == bound[at].port
                && other.port != 0
                && (other.host.contains(':') == bound[at].host.contains(':'))
        })
    };
    if (0..bound.len()).any(same_port) {
        let fault = format!("Each listener must have a different port, listeners: {whole}");
        faults.push((LISTENERS, fault));
    }
}

fn refuse_bad_advertised(bound: &[EndPoint], told: &[EndPoint], faults: &mut Vec<Fault>) {
    for (at, end_point) in told.iter().enumerate() {
        if told[..at].iter().any(|other| other.name == end_point.name) {
            faults.push((ADVERTISED, format!("{} is advertised twice", end_point.name)));
        }
        // Without a host it is this node's own, as it is without the whole entry.
        if is_wildcard(&end_point.host) && !end_point.host.is_empty() {
            let fault = format!(
                "advertised.listeners cannot use the nonroutable meta-address of {end_point}. Use \
                 a routable IP address or a name that clients and other nodes can resolve."
            );
            faults.push((ADVERTISED, fault));
        }
        if !bound.iter().any(|listener| listener.name == end_point.name) {
            let fault = format!("{end_point} has no listener of that name in listeners");
            faults.push((ADVERTISED, fault));
        }
    }
}
