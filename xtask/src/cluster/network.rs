//! Where the nodes of a cluster live: each in a network namespace of its own, joined by a bridge whose
//! cables can be cut, or all on loopback, where nothing can.

use std::net::TcpListener;
use std::process::Command;

/// Below the ports that the system gives to clients: none of them takes it while nobody listens.
const PORTS: std::ops::Range<u16> = 20_000..23_000;
const CLIENT_PORT: u16 = 9_092;
const CONTROLLER_PORT: u16 = 9_093;
/// No network card has this address.
const NOBODY: &str = "02:00:00:00:77:77";
/// Says to a process of this task that it is in a network of its own.
const INSIDE: &str = "OTTLA_XTASK_NETWORK";

/// How nodes reach each other.
pub(crate) enum Network {
    /// Ports of 127.0.0.1: (clients', controllers') of each node, from number 1 on.
    Loopback(Vec<(u16, u16)>),
    /// Namespaces n1, n2, … on a bridge; node i is 10.77.0.i and this process 10.77.0.254.
    Namespaces,
}

impl Network {
    /// One on loopback with free ports.
    pub(crate) fn loopback(nodes: u16) -> Result<Network, String> {
        let first = PORTS.start + (std::process::id() % 2_900) as u16;
        let mut free = (first..PORTS.end)
            .chain(PORTS.start..first)
            .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
        let pair = |_| Some((free.next()?, free.next()?));
        let ports: Option<Vec<_>> = (0..nodes).map(pair).collect();
        ports.map(Network::Loopback).ok_or_else(|| format!("no free ports in {PORTS:?}"))
    }

    /// Lays the cables of a network whose processes see nothing else. Only inside [`enter`].
    pub(crate) fn namespaces(nodes: u16) -> Result<Network, String> {
        ip("link set lo up")?;
        ip("link add hub type bridge")?;
        ip("link set hub up")?;
        ip("addr add 10.77.0.254/24 dev hub")?;
        for node in 1..=nodes {
            ip(&format!("netns add n{node}"))?;
            ip(&format!("link add v{node} type veth peer name e0 netns n{node}"))?;
            ip(&format!("link set v{node} master hub"))?;
            ip(&format!("link set v{node} up"))?;
            ip(&format!("-n n{node} addr add 10.77.0.{node}/24 dev e0"))?;
            ip(&format!("-n n{node} link set e0 up"))?;
            ip(&format!("-n n{node} link set lo up"))?;
        }
        Ok(Network::Namespaces)
    }

    pub(crate) fn can_be_cut(&self) -> bool {
        matches!(self, Network::Namespaces)
    }

    /// host:port where node `node` serves clients.
    pub(crate) fn address(&self, node: u16) -> String {
        match self {
            Network::Loopback(ports) => format!("127.0.0.1:{}", ports[usize::from(node) - 1].0),
            Network::Namespaces => format!("10.77.0.{node}:{CLIENT_PORT}"),
        }
    }

    /// host:port where node `node` serves other nodes' controllers.
    pub(crate) fn controller(&self, node: u16) -> String {
        match self {
            Network::Loopback(ports) => format!("127.0.0.1:{}", ports[usize::from(node) - 1].1),
            Network::Namespaces => format!("10.77.0.{node}:{CONTROLLER_PORT}"),
        }
    }

    /// A command that runs where node `node` lives; the process is the command's own.
    pub(crate) fn command(&self, node: u16, program: &std::path::Path) -> Command {
        match self {
            Network::Loopback(_) => Command::new(program),
            Network::Namespaces => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", &format!("n{node}")]).arg(program);
                command
            }
        }
    }

    /// Nothing reaches the node any more, and it reaches nothing.
    pub(crate) fn unplug(&self, node: u16) -> Result<(), String> {
        ip(&format!("link set v{node} down"))
    }

    /// What `from` sends to `to` is lost; nobody is told. It goes to a machine that does not exist: of
    /// a route that is closed the sender would hear.
    pub(crate) fn mute(&self, from: u16, to: u16) -> Result<(), String> {
        ip(&format!("-n n{from} neigh replace 10.77.0.{to} lladdr {NOBODY} nud permanent dev e0"))
    }

    /// All cables whole again.
    pub(crate) fn heal(&self, nodes: u16) -> Result<(), String> {
        if !self.can_be_cut() {
            return Ok(());
        }
        for node in 1..=nodes {
            ip(&format!("link set v{node} up"))?;
            for other in 1..=nodes {
                // Most of them are not there.
                let _ = ip(&format!("-n n{node} neigh del 10.77.0.{other} dev e0"));
            }
        }
        Ok(())
    }
}

/// Whether this process is in a network of its own.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs this task once more in a network of its own, which ends with it. `None` where that may not be.
pub(crate) fn enter(args: &[String]) -> Option<Result<(), String>> {
    // Without rights of its own a user may be root of a network of his.
    let as_user = ["--map-root-user"];
    let flags = ["--net", "--mount", "--pid", "--mount-proc", "--kill-child"];
    let may = |more: &[&str]| {
        let probe = "mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip netns add probe && \
             ip link add hub type bridge && ip link add v type veth peer name e0 netns probe";
        let probed =
            Command::new("unshare").args(more).args(flags).args(["sh", "-c", probe]).output();
        probed.is_ok_and(|output| output.status.success())
    };
    let more: &[&str] = match (may(&[]), may(&as_user)) {
        (true, _) => &[],
        (false, true) => &as_user,
        (false, false) => return None,
    };
    let program = std::env::current_exe().ok()?;
    let status = Command::new("unshare")
        .args(more)
        .args(flags)
        .args([
            "sh",
            "-c",
            // Nodes see what is mounted and unmounted later; the rest of the machine does not.
            "mount --make-rshared / && mkdir -p /run/netns && mount -t tmpfs none /run/netns && exec \"$@\"",
            "sh",
        ])
        .arg(program)
        .args(args)
        .env(INSIDE, "1")
        .status();
    Some(match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("see above".to_string()),
        Err(error) => Err(format!("unshare: {error}")),
    })
}

fn ip(words: &str) -> Result<(), String> {
    let output = Command::new("ip").args(words.split(' ')).output();
    let output = output.map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {words}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
