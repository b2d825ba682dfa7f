//! `ottla config` and the words of the command line.

use crate::node::{Folder, finish, ottla};

#[test]
fn a_good_file_is_good() {
    let folder = Folder::new();
    let file = folder.file("server.properties", "num.partitions=3\n");
    let ended = finish(ottla(&folder).args(["config", "check", "--config", &file]));
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (Some(0), "a node would start (unknown keys: 0)\n")
    );
}

#[test]
fn everything_wrong_is_said_at_once() {
    let folder = Folder::new();
    let file =
        folder.file("a.properties", "num.partitions=x\nlog.segment.bytes=1\nnum.partitons=2\n");
    let ended = finish(ottla(&folder).args(["config", "check", "--config", &file]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.out.contains("did you mean num.partitions?"), "{ended:?}");
    for expected in
        ["a.properties:1: Invalid value x", "a.properties:2: Invalid value 1", "errors: 2"]
    {
        assert!(ended.err.contains(expected), "{ended:?}");
    }
}

#[test]
fn a_key_is_explained_with_its_source() {
    let folder = Folder::new();
    let file = folder.file("a.toml", "[log.retention]\nhours = 5\n");
    let explain = |key: &str| finish(ottla(&folder).args(["config", "explain", key, "-c", &file]));
    let retention = explain("retention.ms");
    assert_eq!(retention.code, Some(0));
    assert!(retention.out.contains("value        18000000"), "{retention:?}");
    assert!(retention.out.contains("a.toml:2 (log.retention.hours)"), "{retention:?}");
    let unknown = explain("num.partitons");
    assert_eq!(
        (unknown.code, unknown.err.as_str()),
        (Some(5), "unknown configuration num.partitons; did you mean num.partitions?\n")
    );
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = Folder::new();
    let file = folder.file("server.properties", "num.partitions=1\n");
    let list = |variable: bool, flag: bool| {
        let mut command = ottla(&folder);
        command.args(["config", "list", "--changed", "-c", &file]);
        if variable {
            command.env("KAFKA_CFG_NUM_PARTITIONS", "2");
        }
        if flag {
            command.args(["--set", "num.partitions=3"]);
        }
        finish(&mut command).out
    };
    assert_eq!(list(false, false), "num.partitions  1\n");
    assert_eq!(list(true, false), "num.partitions  2\n");
    assert_eq!(list(true, true), "num.partitions  3\n");
}

#[test]
fn all_keys_are_listed() {
    let folder = Folder::new();
    let lines = |words: &[&str]| {
        let ended = finish(ottla(&folder).args(["config", "list"]).args(words));
        assert_eq!(ended.code, Some(0));
        ended.out.lines().count()
    };
    assert!(lines(&[]) > 340);
    assert!(lines(&["--topics"]) > 30);
    assert!(lines(&["--groups"]) > 20);
}

#[test]
fn a_variable_may_name_a_file() {
    let folder = Folder::new();
    let secret = folder.file("partitions", "7\n");
    let mut command = ottla(&folder);
    command.args(["config", "list", "--changed"]);
    let ended = finish(command.env("KAFKA_CFG_NUM_PARTITIONS_FILE", &secret));
    assert_eq!(ended.out, "num.partitions  7\n");
    let missing = finish(command.env("KAFKA_CFG_NUM_PARTITIONS_FILE", "/nowhere"));
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.err.contains("KAFKA_CFG_NUM_PARTITIONS_FILE: cannot read /nowhere"),
        "{missing:?}"
    );
}

#[test]
fn the_version_is_told_and_unknown_words_are_refused() {
    let folder = Folder::new();
    let version = finish(ottla(&folder).arg("version"));
    assert_eq!(version.out, format!("ottla {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(finish(ottla(&folder).arg("frobnicate")).code, Some(2));
    let bad_set = finish(ottla(&folder).args(["config", "check", "--set", "novalue"]));
    assert_eq!(bad_set.code, Some(1));
    assert!(bad_set.err.contains("\"novalue\" is not key=value"), "{bad_set:?}");
}
